"""Which of what is owed goes next: urgent lanes first, then the others by turns. Pure.

The turns are start-time fair queueing (Goyal, Vin and Cheng, 1996, with one size for a batch): in
the long run each kind of traffic that has something to send gets bytes in proportion to its
weight; what one does not use the others share, and nobody saves up for later.
"""

from collections import deque
from collections.abc import Collection
from enum import IntEnum
from typing import Final

from edge.log.records import TELEMETRY_LANE
from shared.sync.ranges import Ranges

LIVE_FOR_S: Final = 60.0  # what is owed for longer is backlog: on a slow link the newest goes first
_MARK_EVERY_S: Final = 1.0


class Traffic(IntEnum):
    """What is not urgent; of equal claims the lower number goes first."""

    LIVE = 0  # telemetry that was recorded just now
    BACKLOG = 1  # telemetry that is owed for longer
    OTHER = 2  # every further lane


# Parts of the link while all have something to send.
WEIGHT: Final = {Traffic.LIVE: 70, Traffic.BACKLOG: 25, Traffic.OTHER: 5}


class LiveWindow:
    """From which number on a lane is live; what it held when the link came up is not.

    Exact to a second; its memory is bounded by LIVE_FOR_S, whatever the lane grows by.
    """

    def __init__(self, last_seq: int) -> None:
        """``last_seq`` is where the lane ended when the link came up."""
        self._first_live = last_seq + 1
        self._marks = deque[tuple[float, int]]()  # (since when, the last number of that second)

    def grow(self, last_seq: int, now_s: float) -> None:
        """Take note that the lane ends at ``last_seq`` at ``now_s`` (monotonic seconds)."""
        if self._marks and now_s - self._marks[-1][0] < _MARK_EVERY_S:
            since_s, _ = self._marks.pop()
            self._marks.append((since_s, last_seq))
        else:
            self._marks.append((now_s, last_seq))

    def first_live(self, now_s: float) -> int:
        """Return the lowest number that is live at ``now_s``."""
        while self._marks and now_s - self._marks[0][0] >= LIVE_FOR_S:
            self._first_live = self._marks.popleft()[1] + 1
        return self._first_live


class Turns:
    """Whose turn it is among the kinds of traffic that have something to send."""

    def __init__(self) -> None:
        self._now = 0.0  # in bytes sent for each part of weight
        self._served_until = dict.fromkeys(Traffic, 0.0)

    def choose(self, waiting: Collection[Traffic]) -> Traffic:
        """Return which of ``waiting``, which must not be empty, goes next."""
        chosen = min(waiting, key=lambda traffic: (self._start(traffic), traffic))
        self._now = self._start(chosen)
        return chosen

    def charge(self, traffic: Traffic, size_bytes: int) -> None:
        """Take note that ``size_bytes`` of ``traffic`` were sent."""
        self._served_until[traffic] = self._start(traffic) + size_bytes / WEIGHT[traffic]

    def _start(self, traffic: Traffic) -> float:
        return max(self._now, self._served_until[traffic])


def traffic_of(lane: int, seq: int, first_live: int) -> Traffic:
    """Return what a batch of a lane that is not urgent counts as."""
    if lane != TELEMETRY_LANE:
        return Traffic.OTHER
    return Traffic.LIVE if seq >= first_live else Traffic.BACKLOG


def by_traffic(lane: int, pending: Ranges, first_live: int) -> dict[Traffic, Ranges]:
    """Return the parts of ``pending``, of a lane that is not urgent; none of them is empty."""
    if lane != TELEMETRY_LANE:
        parts = {Traffic.OTHER: pending}
    else:
        backlog = pending.intersection(
            Ranges.of((1, first_live - 1)) if first_live > 1 else Ranges()
        )
        parts = {Traffic.LIVE: pending.difference(backlog), Traffic.BACKLOG: backlog}
    return {traffic: part for traffic, part in parts.items() if part}
