"""The state directory of a site: its layout, its version and the lock of its one owner."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from deploy.errors import SiteUsageError
from deploy.site.private_files import write_private

STATE_FORMAT = 1
# PostgreSQL takes 150 MB with its write-ahead log, and the edge refuses to log below 256 MB free.
FREE_SPACE_MIN_BYTES = 1_073_741_824
_FOLDERS = ("run", "logs", "secrets", "certificates", "edge", "central", "nats", "sim")


@dataclass(frozen=True, slots=True)
class StateDir:
    """Where everything of one site is kept; ``root`` is absolute."""

    root: Path

    @property
    def marker(self) -> Path:
        """The file that says which version wrote the directory."""
        return self.root / "headframe.json"

    @property
    def run(self) -> Path:
        """Records of the running processes."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log per child process."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Generated passwords, one per file."""
        return self.root / "secrets"

    @property
    def certificates(self) -> Path:
        """Keys and certificates of the demo."""
        return self.root / "certificates"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL's data."""
        return self.root / "postgres"

    @property
    def nats(self) -> Path:
        """The embedded broker's data."""
        return self.root / "nats"

    @property
    def edge(self) -> Path:
        """The edge's configuration and data."""
        return self.root / "edge"

    @property
    def central(self) -> Path:
        """Central's configuration."""
        return self.root / "central"

    @property
    def sim(self) -> Path:
        """What the simulator is given."""
        return self.root / "sim"

    @property
    def credentials(self) -> Path:
        """The generated accounts, for people and tests."""
        return self.root / "credentials.json"


def open_state_dir(folder: Path) -> StateDir:
    """Return the state directory at ``folder``, made if absent, checked for version and room.

    Raises:
        SiteUsageError: if it is no state directory, of another version, unwritable or the disk
            is full.
    """
    state = StateDir(Path(os.path.abspath(folder)))  # noqa: PTH100  # symlinks stay as given
    try:
        _make_root(state.root)
        _check_version(state)
        _check_room(state.root)
        if not state.marker.exists():
            write_private(state.marker, json.dumps({"format": STATE_FORMAT}) + "\n")
        for name in _FOLDERS:
            (state.root / name).mkdir(mode=0o700, exist_ok=True)
        state.run.chmod(_passable())
        write_private(state.run / "writable", "")
    except OSError as error:
        raise unusable(state.root, error) from error
    return state


def unusable(folder: Path, error: OSError) -> SiteUsageError:
    """Return the one line that tells why ``folder`` cannot hold a site."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SiteUsageError(f"--state {folder}: no space left on the disk")
    where = error.filename or folder
    return SiteUsageError(f"--state {folder}: cannot be used: {where}: {error.strerror or error}")


@contextlib.contextmanager
def owned(state: StateDir) -> Generator[None]:
    """Hold ``state`` as its only owner until the block ends, however this process ends.

    Raises:
        SiteUsageError: if another running site has it.
    """
    with (state.run / "owner.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise SiteUsageError(
                f"--state {state.root}: a site is already running here (process"
                f" {file.read().strip() or 'unknown'}); stop it or choose another --state"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _make_root(root: Path) -> None:
    if not root.exists():
        root.mkdir(parents=True, mode=_passable())
    if not root.is_dir():
        raise SiteUsageError(f"--state {root}: is a file, expected a folder")


def _passable() -> int:
    # As root the database runs under another account, which must be able to pass through.
    return 0o711 if os.geteuid() == 0 else 0o700


def _check_version(state: StateDir) -> None:
    if not state.marker.exists():
        foreign = sorted(entry.name for entry in state.root.iterdir() if entry.name != "lost+found")
        if foreign:
            raise SiteUsageError(
                f"--state {state.root}: holds other files ({', '.join(foreign[:3])}) and is no"
                " state directory of Headframe; choose an empty or new folder"
            )
        return
    found = read_table(state.marker).get("format")
    if found != STATE_FORMAT:
        raise SiteUsageError(
            f"--state {state.root}: was written by another version of Headframe (format {found},"
            f" this version reads {STATE_FORMAT}); use that version or another --state"
        )


def _check_room(root: Path) -> None:
    free_bytes = shutil.disk_usage(root).free
    if free_bytes < FREE_SPACE_MIN_BYTES:
        raise SiteUsageError(
            f"--state {root}: no space left on the disk: {free_bytes // 1_048_576} MB free,"
            f" at least {FREE_SPACE_MIN_BYTES // 1_048_576} MB are needed"
        )


def read_table(file: Path) -> dict[str, Any]:
    """Return the JSON object in ``file``, empty if it is missing or damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
