"""A file of zeros that is given up when the disk is full, so that bookkeeping can still go on.

Without it a full disk would stop acknowledgements from being noted, and with them the only thing
that makes room.
"""

import contextlib
import os
from pathlib import Path

from edge.errors import LogError
from edge.log.layout import FILE_MODE, disk_errors, exists, sync_folder
from shared.logs import get_log

BALLAST_SIZE_BYTES = 8_388_608  # the notes, the write-ahead logs' shared memory, a segment's head
# Below this the log takes nothing more, whatever the configuration allows: a checkpoint and the
# change to a new segment need room as well.
FREE_SPACE_FLOOR_BYTES = 16_777_216

_log = get_log("log")


class Ballast:
    """The ballast of one log; a disk that fails it is logged. Writer thread, or before it."""

    def __init__(self, file: Path) -> None:
        """Raises LogError when nobody can tell whether it is there."""
        self._file = file
        self.held = exists(file)

    def release(self) -> bool:
        """Give the space back; tell whether there was any to give."""
        if not self.held:
            return False
        try:
            with disk_errors(self._file):
                self._file.unlink(missing_ok=True)
        except LogError as error:
            _log.error("the ballast cannot be given up", error=str(error))
            return False
        self.held = False
        return True

    def restore(self, free_bytes: int) -> None:
        """Take the space again once ``free_bytes`` (above the floor) allow it; otherwise wait."""
        if self.held or free_bytes < BALLAST_SIZE_BYTES:
            return
        try:
            self._take()
        except LogError as error:  # the next look at the disk tries again
            _log.warning("the ballast cannot be taken", error=str(error))
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)
            return
        self.held = True

    def _take(self) -> None:
        with disk_errors(self._file):
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, FILE_MODE)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST_SIZE_BYTES)
            finally:
                os.close(descriptor)
        sync_folder(self._file.parent)
