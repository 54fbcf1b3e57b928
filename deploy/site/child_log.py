"""The log of one child: written by the child itself, read and bounded by the supervisor.

The child writes straight into the file, so that it neither waits for the supervisor nor dies of a
broken pipe when the supervisor does.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

LOG_SIZE_MAX_BYTES = 8 * 1024 * 1024  # with one older file: at most 16 MB a child
_READ_MAX_BYTES = 262_144  # per look, so that a chatty child cannot hold up the others
_LINE_MAX_BYTES = 16_384  # of a line without an end, what is kept


class ChildLog:
    """Opens, follows and shortens one log file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = file.stat().st_size if file.exists() else 0
        self._partial = b""

    def open_for_child(self) -> BinaryIO:
        """Return the file to give to the child; appending, so that shortening it is safe."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "wb", buffering=0)

    def new_lines(self) -> list[str]:
        """Return the complete lines since the last call, and shorten a file that grew too long."""
        try:
            with self._file.open("rb") as log:
                log.seek(self._offset)
                text = log.read(_READ_MAX_BYTES)
                self._offset += len(text)
                size_bytes = os.fstat(log.fileno()).st_size
        except OSError:
            return []
        if size_bytes >= LOG_SIZE_MAX_BYTES and self._offset >= size_bytes:
            self._shorten()
        *lines, rest = (self._partial + text).split(b"\n")
        self._partial = rest[-_LINE_MAX_BYTES:]
        return [line.decode(errors="replace").rstrip() for line in lines]

    def tail(self, lines: int) -> list[str]:
        """Return the last ``lines`` lines."""
        try:
            with self._file.open("rb") as log:
                size_bytes = os.fstat(log.fileno()).st_size
                log.seek(max(0, size_bytes - _LINE_MAX_BYTES))
                text = log.read()
        except OSError:
            return []
        return text.decode(errors="replace").rstrip().split("\n")[-lines:]

    def _shorten(self) -> None:
        shutil.copyfile(self._file, self._file.with_name(self._file.name + ".1"))
        os.truncate(self._file, 0)
        self._offset = 0
