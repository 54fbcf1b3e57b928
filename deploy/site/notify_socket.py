"""Receives `READY=1` from a child that answers nobody else, as systemd would."""

import contextlib
import socket
from pathlib import Path

_MESSAGE_MAX_BYTES = 4096


class NotifySocket:
    """One child's notification socket; ``reset`` it before every start of that child."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket: socket.socket | None = None
        self._is_ready = False

    def reset(self) -> None:
        """Open the socket and forget what an earlier process said."""
        self.close()
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.setblocking(False)
        listening.bind(str(self.path))
        self._socket = listening
        self._is_ready = False

    async def said_ready(self) -> bool:
        """Return whether the child has said that it is ready."""
        while self._socket is not None and not self._is_ready:
            try:
                message = self._socket.recv(_MESSAGE_MAX_BYTES)
            except OSError:
                break
            self._is_ready = b"READY=1" in message.split(b"\n")
        return self._is_ready

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None
