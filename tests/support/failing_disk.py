"""A disk whose writes or flushes fail when a test says so, underneath SQLite."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import apsw

NO_SPACE = apsw.FullError
BROKEN = apsw.IOError


@contextmanager
def failing_disk() -> Generator["FailingDisk"]:
    """Give SQLite, in the whole process, a disk that works until it is told to fail."""
    disk = FailingDisk()
    try:
        yield disk
    finally:
        disk.unregister()


class FailingDisk(apsw.VFS):
    """Registers itself as SQLite's way to the disk; see `failing_disk`."""

    def __init__(self) -> None:
        self.write_error: type[apsw.Error] | None = None
        self.flush_error: type[apsw.Error] | None = None
        self.failing_flushes: int | None = None  # that many fail at most; None is all of them
        self.failing_place = ""  # only files with this in their path fail to flush
        self.flush_failed: Callable[[], object] = lambda: None  # called in the middle of it
        self.good_writes = 0  # that many more succeed before `write_error` begins
        super().__init__("failing-disk", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 as SQLite calls it
        return FailingFile(self, name, flags)

    def heal(self) -> None:
        """Let everything succeed again."""
        self.write_error = self.flush_error = None
        self.failing_flushes = None
        self.failing_place = ""

    def fail_flushes(self, count: int, place: str = "") -> None:
        """Let the next ``count`` flushes of files with ``place`` in their path fail."""
        self.flush_error, self.failing_flushes, self.failing_place = BROKEN, count, place


class FailingFile(apsw.VFSFile):
    """One open file of a `FailingDisk`."""

    def __init__(
        self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self.disk = disk
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 as SQLite calls it
        if self.disk.write_error is not None:
            self.disk.good_writes -= 1
            if self.disk.good_writes < 0:
                raise self.disk.write_error("a write failed")
        super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType] stub needs 3.12's Buffer

    def xSync(self, flags: int) -> None:  # noqa: N802 as SQLite calls it
        error = self.disk.flush_error
        if error is not None and self.disk.failing_place in self.path:
            if self.disk.failing_flushes is not None:
                self.disk.failing_flushes -= 1
                if self.disk.failing_flushes <= 0:
                    self.disk.heal()
            self.disk.flush_failed()
            raise error("a flush failed")
        super().xSync(flags)
