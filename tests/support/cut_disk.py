"""A disk that forgets what was not flushed: SQLite's writes go to the real files and are noted.

`CutDisk.image` makes a copy of a folder as it could be found after the power failed at this moment:
of each file what was flushed last, and of what was written since any sectors in any order. Names
of files are durable at once, which is what the product's own flushing of folders is for.
"""

import random
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR_BYTES = 512


@dataclass
class Platter:
    """One file: its flushed content, and the writes since; data None is a truncation."""

    flushed: bytearray
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def flush(self) -> None:
        for offset, data in self.pending:
            self.apply(self.flushed, offset, data)
        self.pending.clear()

    @staticmethod
    def apply(content: bytearray, offset: int, data: bytes | None) -> None:
        if data is None:
            del content[offset:]
            return
        if len(content) < offset + len(data):
            content.extend(bytes(offset + len(data) - len(content)))
        content[offset : offset + len(data)] = data

    def after_cut(self, dice: random.Random) -> bytes:
        """Return what may be found: a share of the sectors, from none to all, reached the disk."""
        content = bytearray(self.flushed)
        share = dice.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        for offset, data in self.pending:
            if data is None:
                if dice.random() < share:
                    self.apply(content, offset, None)
                continue
            for place in range(0, len(data), SECTOR_BYTES):
                if dice.random() < share:
                    self.apply(content, offset + place, data[place : place + SECTOR_BYTES])
        return bytes(content)


class CutDisk(apsw.VFS):
    """Registers itself as SQLite's way to the disk, for the whole process, until `unregister`."""

    def __init__(self) -> None:
        self.platters: dict[int, Platter] = {}
        self.lock = threading.Lock()
        super().__init__("cut-disk", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 as SQLite calls it
        opened = CutFile(self, name, flags)
        if name is not None:
            path = Path(name if isinstance(name, str) else name.filename())
            opened.inode = path.stat().st_ino
            with self.lock:
                if opened.inode not in self.platters or path.stat().st_size == 0:
                    self.platters[opened.inode] = Platter(bytearray(path.read_bytes()))
        return opened

    def image(self, folder: Path, copy: Path, dice: random.Random) -> None:
        """Copy ``folder`` as it may be found if the power fails now."""
        with self.lock:
            for path in [path for path in folder.rglob("*") if path.is_file()]:
                target = copy / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                platter = self.platters.get(path.stat().st_ino)
                if path.name.endswith("-shm"):
                    continue  # shared memory: gone with the power
                if platter is None:
                    shutil.copy(path, target)
                else:
                    target.write_bytes(platter.after_cut(dice))


class CutFile(apsw.VFSFile):
    """One open file of a `CutDisk`."""

    def __init__(
        self, disk: CutDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self.disk = disk
        self.inode = 0
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 as SQLite calls it
        with self.disk.lock:
            super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType] stub needs 3.12's Buffer
            self._note(offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 as SQLite calls it
        with self.disk.lock:
            super().xTruncate(newsize)
            self._note(newsize, None)

    def xSync(self, flags: int) -> None:  # noqa: N802 as SQLite calls it
        with self.disk.lock:
            platter = self.disk.platters.get(self.inode)
            if platter is not None:
                platter.flush()

    def _note(self, offset: int, data: bytes | None) -> None:
        platter = self.disk.platters.get(self.inode)
        if platter is not None:
            platter.pending.append((offset, data))
