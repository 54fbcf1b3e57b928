"""A folder for sockets, with a path short enough for the kernel and closed to other users."""

import os
import stat
import tempfile
from pathlib import Path

from deploy.errors import SiteUsageError
from deploy.site.private_files import write_private
from deploy.site.state_dir import StateDir

SOCKET_PATH_MAX_BYTES = 107  # sun_path of Linux holds 108 with the closing zero
_LONGEST_SOCKET = "pg/.s.PGSQL.5432.lock"
_PARENTS = ("/run", "/tmp")  # noqa: S108  # a fresh folder with a random name, checked at each use


def open_runtime_dir(state: StateDir) -> Path:
    """Return the folder for this site's sockets; the same one at every start where it survives.

    It is ``run`` in the state directory where that path is short enough, else a folder of our own
    elsewhere, remembered in the state directory.

    Raises:
        SiteUsageError: if no folder can be made.
    """
    if fits(state.run):
        return state.run
    note = state.run / "runtime_dir"
    if note.exists():
        kept = Path(note.read_text(encoding="utf-8").strip())
        if _is_ours(kept) and fits(kept):
            return kept
    made = _make()
    write_private(note, f"{made}\n")
    return made


def fits(folder: Path) -> bool:
    """Return whether the longest socket below ``folder`` has a path that the kernel takes."""
    return len(os.fsencode(folder / _LONGEST_SOCKET)) <= SOCKET_PATH_MAX_BYTES


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    closed = stat.S_IMODE(found.st_mode) & 0o066 == 0
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and closed


def _make() -> Path:
    personal = os.environ.get("XDG_RUNTIME_DIR", "")
    for parent in (*([personal] if personal else []), *_PARENTS):
        if not os.access(parent, os.W_OK | os.X_OK):
            continue
        folder = Path(tempfile.mkdtemp(prefix="headframe-", dir=parent))
        # The database's account passes through to its own closed folder; the name stays secret.
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        return folder
    raise SiteUsageError("--state: the path is too long for sockets, and /tmp is not writable")
