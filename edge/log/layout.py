"""The folders and files of the log, and how a file or a rename is made durable. Knows no SQLite."""

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LogError, LogFullError

_SEGMENT_NAME = re.compile(r"L(\d{1,3})-([0-9a-f]{8})-(\d{16,19})\.db")
UNFINISHED_PREFIX = ".new-"  # a segment that is being written; never holds the only copy
SALVAGE_PREFIX = ".salvage-"  # what was read out of a damaged segment, before it takes its place
SQLITE_COMPANIONS = ("-wal", "-shm", "-journal")
FOLDER_MODE = 0o700
FILE_MODE = 0o600
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What the name of a segment file says; sorts by lane and first sequence number."""

    lane: int
    first_seq: int
    tag: str  # the first eight digits of the installation's uuid

    def __str__(self) -> str:
        return f"L{self.lane}-{self.tag}-{self.first_seq:016d}.db"

    @classmethod
    def parse(cls, name: str) -> "SegmentName | None":
        """Return the parts of ``name``, or None when it is no segment's name."""
        match = _SEGMENT_NAME.fullmatch(name)
        return cls(int(match[1]), int(match[3]), match[2]) if match else None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is, under one state directory."""

    state_dir: Path

    @property
    def identity_file(self) -> Path:
        """The installation's identity."""
        return self.state_dir / "identity.json"

    @property
    def log_dir(self) -> Path:
        """The log's own folder."""
        return self.state_dir / "log"

    @property
    def segments_dir(self) -> Path:
        """The segment files."""
        return self.log_dir / "seg"

    @property
    def damaged_dir(self) -> Path:
        """Files that could not be read, moved here whole and never deleted by the edge."""
        return self.log_dir / "damaged"

    @property
    def meta_file(self) -> Path:
        """What central has acknowledged, and the session."""
        return self.log_dir / "meta.db"

    @property
    def quarantine_file(self) -> Path:
        """Messages that were not accepted."""
        return self.log_dir / "quarantine.db"

    @property
    def lock_file(self) -> Path:
        """Held exclusively by the one process that has the log open."""
        return self.log_dir / "lock"

    @property
    def ballast_file(self) -> Path:
        """Space that is given up when the disk is full."""
        return self.log_dir / "ballast.bin"

    def free_bytes(self) -> int:
        """Return how much a process without privileges may still write there; as `disk_errors`."""
        with disk_errors(self.log_dir):
            disk = os.statvfs(self.log_dir)
        return disk.f_bavail * disk.f_frsize

    def segment_file(self, name: SegmentName) -> Path:
        """Return where the segment of this name stands."""
        return self.segments_dir / str(name)


@contextlib.contextmanager
def disk_errors(path: Path) -> Generator[None]:
    """Turn the operating system's errors into the log's, with the path at hand.

    Raises:
        LogFullError: no space. LogError: anything else the system says.
    """
    try:
        yield
    except OSError as error:
        told = f"{path}: {error.strerror or error}"
        if error.errno in _NO_SPACE:
            raise LogFullError(told) from error
        raise LogError(told) from error


def make_folders(layout: Layout) -> None:
    """Create the folders that are missing, durably, closed to other users; as `disk_errors`."""
    for folder in (layout.log_dir, layout.segments_dir, layout.damaged_dir):
        with disk_errors(folder):
            if not folder.is_dir():
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make creations, renames and removals in ``folder`` survive a power cut; as `disk_errors`."""
    with disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_durably(file: Path, content: bytes) -> None:
    """Replace ``file`` so that a power cut leaves the old or the new, whole; as `disk_errors`."""
    unfinished = file.with_name(f"{UNFINISHED_PREFIX}{file.name}")
    with disk_errors(file):
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    sync_folder(file.parent)


def rename_durably(source: Path, target: Path) -> None:
    """Give a finished file its name, durably, on one file system; as `disk_errors`."""
    with disk_errors(source):
        source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_database(file: Path) -> None:
    """Unlink a database with its companions, as far as they are there; as `disk_errors`."""
    for path in (file, *companions(file)):
        with disk_errors(path):
            path.unlink(missing_ok=True)
    sync_folder(file.parent)


def size_of(file: Path) -> int:
    """Return the size of a file in bytes; as `disk_errors`."""
    with disk_errors(file):
        return file.stat().st_size


def exists(file: Path) -> bool:
    """Tell whether a file is there; as `disk_errors` when the disk does not say."""
    with disk_errors(file):
        return file.exists()


def companions(file: Path) -> tuple[Path, ...]:
    """Return the names SQLite uses beside ``file``."""
    return tuple(file.with_name(file.name + suffix) for suffix in SQLITE_COMPANIONS)


def is_whole(file: Path) -> bool:
    """Tell whether nothing of a database is left in its write-ahead log; as `disk_errors`."""
    wal = wal_of(file)
    return not exists(wal) or size_of(wal) == 0


def wal_of(file: Path) -> Path:
    """Return the name of a database's write-ahead log."""
    return file.with_name(f"{file.name}-wal")


def move_to_damaged(file: Path, layout: Layout) -> Path:
    """Move a database file with its companions to the damaged folder; return where it is now.

    The file goes first: as long as it stands in its old place, its write-ahead log does too, so
    no interruption can make it look like a shorter, healthy file. As `disk_errors`.
    """
    number = 0
    while exists(target := layout.damaged_dir / f"{file.name}.{number}"):
        number += 1
    for source, name in zip((file, *companions(file)), (target, *companions(target)), strict=True):
        with disk_errors(source):
            if source.exists():
                source.replace(name)
    sync_folder(layout.damaged_dir)
    sync_folder(file.parent)
    return target


@contextlib.contextmanager
def hold_lock(layout: Layout) -> Generator[None]:
    """Hold the log's lock file; the kernel releases it with the process, however it ends.

    Raises:
        LogError: if another process holds it; the message names it. Also as `disk_errors`.
    """
    with disk_errors(layout.lock_file):
        descriptor = os.open(layout.lock_file, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        _lock(descriptor, layout)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, layout: Layout) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise LogError(
            f"{layout.log_dir} is open in another process (pid {holder}); "
            "one edge process at a time may write a log"
        ) from error
    with contextlib.suppress(OSError):  # a courtesy to people; a full disk is no reason to stop
        os.pwrite(descriptor, f"{os.getpid():<15}\n".encode("ascii"), 0)
