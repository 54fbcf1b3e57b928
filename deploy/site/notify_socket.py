"""Receives `READY=1` from a child, as systemd would: it knows best when all of it is up."""

import asyncio
import contextlib
import socket
from pathlib import Path

_MESSAGE_MAX_BYTES = 4096


class NotifySocket:
    """One child's notification socket; ``reset`` it before every start of that child.

    It is read as messages come, also after the child is ready: a full socket would block it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_ready = False  # said by the process that was started last
        self._socket: socket.socket | None = None

    def reset(self) -> None:
        """Open the socket anew and forget what an earlier process said."""
        self.close()
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.setblocking(False)
        listening.bind(str(self.path))
        asyncio.get_running_loop().add_reader(listening, self._read)
        self._socket = listening
        self.is_ready = False

    def close(self) -> None:
        """Close the socket; what the child says from now on is lost, and does it no harm."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):
            message = self._socket.recv(_MESSAGE_MAX_BYTES)
            self.is_ready |= b"READY=1" in message.split(b"\n")
