"""Word to systemd: ready, status, watchdog, stopping. Owns the datagram socket to it.

Without ``NOTIFY_SOCKET`` every call does nothing, so the same programme runs anywhere.
"""

import socket
from collections.abc import Mapping
from typing import Final

from shared.clock import Clock

# systemd kills after one interval without a word; a third leaves room for two that get lost.
_BEATS_PER_INTERVAL: Final = 3
_MICROSECONDS: Final = 1_000_000


class Notifier:
    """Sends sd_notify messages; never blocks and never raises for a supervisor that is gone."""

    def __init__(self, environment: Mapping[str, str], clock: Clock, pid: int) -> None:
        self._clock = clock
        self._socket: socket.socket | None = None
        self._address = _address_of(environment.get("NOTIFY_SOCKET", ""))
        self._beat_every_s = _beat_interval_s(environment, pid)
        self._beaten_s = float("-inf")
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Say that the start is complete."""
        self._send(f"READY=1\nSTATUS={status}")

    def starting(self, status: str, *, patience_s: float) -> None:
        """Say that the start waits for something; asks for ``patience_s`` more to be ready."""
        extension = round(patience_s * _MICROSECONDS)
        self._send(f"EXTEND_TIMEOUT_USEC={extension}\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Say in one line what goes on; shown by ``systemctl status``."""
        self._send(f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """Say that the stop has begun."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def beat(self) -> None:
        """Say that work goes on. Called from the work loop as often as it likes."""
        if self._beat_every_s is None:
            return
        now_s = self._clock.monotonic_s()
        if now_s - self._beaten_s >= self._beat_every_s:
            self._beaten_s = now_s
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError:
            # A supervisor that went away, or whose queue is full, must not stop the work.
            return


def _address_of(text: str) -> str:
    """Return the socket address; ``@`` stands for an abstract one (sd_notify(3))."""
    return "\0" + text[1:] if text.startswith("@") else text


def _beat_interval_s(environment: Mapping[str, str], pid: int) -> float | None:
    interval = environment.get("WATCHDOG_USEC", "")
    meant_for = environment.get("WATCHDOG_PID", str(pid))
    if not interval.isdigit() or int(interval) == 0 or meant_for != str(pid):
        return None
    return int(interval) / _MICROSECONDS / _BEATS_PER_INTERVAL
