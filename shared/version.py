"""The version of what is installed, as each program's ``--version`` and ``version`` tell it."""

from importlib.metadata import PackageNotFoundError, version

import typer
from typer.models import OptionInfo

DISTRIBUTION = "headframe"


def installed_version() -> str:
    """Return the version of Headframe, or ``0+source`` where it runs uninstalled from a folder."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+source"


def version_option(program: str) -> OptionInfo:
    """Return the option ``--version``, which prints ``program`` with its version and exits 0."""

    def show(asked: bool) -> None:
        if asked:
            typer.echo(f"{program} {installed_version()}")
            raise typer.Exit

    return typer.Option(
        "--version", callback=show, is_eager=True, help="Print the version and exit."
    )
