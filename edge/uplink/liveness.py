"""Is the other side alive, how far is it, and when is it our turn to speak. Pure timers.

Any frame counts as a sign of life: a Pong may be stuck behind megabytes on a slow link, and a
connection that delivers acknowledgements is not dead.
"""

import math
from dataclasses import dataclass

from shared.sync.frames import Ping

REPORT_EVERY_S = 5.0  # what headquarters sees is never older than this plus the link
PINGS_PER_SILENCE = 3  # two may be lost in a stall before the connection is given up


@dataclass(slots=True)
class Liveness:
    """The timers of one connection; all times are monotonic seconds."""

    silence_timeout_s: float
    is_reporting: bool = True  # one connection of an edge reports; of two the urgent one
    silent_at_s: float = 0.0
    rtt_ms: float | None = None
    _ping_every_s: float = 0.0
    _ping_at_s: float = 0.0
    _report_at_s: float = 0.0
    _ping_id: int = 0
    _ping_sent_at_s: float | None = None

    def begin(self, now_s: float) -> None:
        """Start the silence timer of a fresh connection."""
        self.heard(now_s)
        self._ping_sent_at_s = None

    def stream(self, heartbeat_s: float, now_s: float) -> None:
        """Start pinging every ``heartbeat_s``, or more often where the timeout demands it."""
        self._ping_every_s = min(heartbeat_s, self.silence_timeout_s / PINGS_PER_SILENCE)
        self._ping_at_s = now_s
        self._report_at_s = now_s if self.is_reporting else math.inf

    def heard(self, now_s: float) -> None:
        """Take note of a sign of life."""
        self.silent_at_s = now_s + self.silence_timeout_s

    def is_silent(self, now_s: float) -> bool:
        """Tell whether nothing came for too long."""
        return now_s >= self.silent_at_s

    def due_ping(self, now_s: float) -> Ping | None:
        """Return the ping to send now, if one is due."""
        if now_s < self._ping_at_s:
            return None
        self._ping_at_s = now_s + self._ping_every_s
        self._ping_id += 1
        self._ping_sent_at_s = now_s
        return Ping(ping_id=self._ping_id)

    def pong(self, ping_id: int, now_s: float) -> None:
        """Measure the round trip, if this answers the newest ping."""
        if ping_id == self._ping_id and self._ping_sent_at_s is not None:
            self.rtt_ms = (now_s - self._ping_sent_at_s) * 1000.0
            self._ping_sent_at_s = None

    def is_report_due(self, now_s: float) -> bool:
        """Tell whether a report is due, and if so, plan the next."""
        if now_s < self._report_at_s:
            return False
        self._report_at_s = now_s + REPORT_EVERY_S
        return True

    @property
    def deadline_s(self) -> float:
        """When something is next due while streaming."""
        return min(self.silent_at_s, self._ping_at_s, self._report_at_s)
