"""One direction of an impaired link: what becomes of each packet, and when it comes out. Pure.

The model: a drop-tail queue of so many bytes, emptied at the rate of the link, then a delay. A
packet may be lost on the way (each by itself, the bits were on the air), and one that is held back
is overtaken by those behind it. While the road is blocked everything offered is swallowed.

Chances are drawn from a generator of the road's own, three for each packet whatever the figures
are: what becomes of the n-th packet's dice depends on the seed alone.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Fate(StrEnum):
    """What became of a packet that was offered."""

    PASSED = "passed"  # it is under way and comes out when it is due
    LOST = "lost"
    QUEUE_FULL = "queue_full"
    SWALLOWED = "swallowed"  # the road was blocked


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadFigures:
    """What one direction is like."""

    rate_bytes_per_s: float
    delay_s: float = 0.0
    jitter_s: float = 0.0  # added, evenly from 0 to this; order is kept
    loss: float = 0.0  # fraction of packets, each by itself
    held_back: float = 0.0  # fraction of packets that those behind them overtake
    held_back_s: float = 0.0  # for how long
    queue_bytes: int = 1_000_000  # what waits for the link; more is dropped from the tail

    def __post_init__(self) -> None:
        """Refuse figures that describe no link."""
        fractions = (self.loss, self.held_back)
        durations_s = (self.delay_s, self.jitter_s, self.held_back_s)
        if self.rate_bytes_per_s <= 0.0 or self.queue_bytes <= 0:
            raise ValueError("rate and queue must be above 0")
        if not all(0.0 <= each <= 1.0 for each in fractions) or min(durations_s) < 0.0:
            raise ValueError("loss and held_back are fractions, durations are not negative")


class Road:
    """Packets go in by `offer` and come out of `arrivals`; times are seconds that never go back."""

    def __init__(self, figures: RoadFigures, dice: Random) -> None:
        """Begin empty and open. ``figures`` may be replaced at any time."""
        self.figures = figures
        self.is_blocked = False
        self.offered_bytes = 0
        self.arrived_bytes = 0
        self.count = dict.fromkeys(Fate, 0)
        self._dice = dice
        self._queue = deque[tuple[float, int]]()  # when each leaves the queue, and its size
        self._queued_bytes = 0
        self._latest_s = 0.0  # nothing in order comes out before this
        self._under_way: list[tuple[float, int, bytes]] = []  # a heap; the number keeps the order
        self._number = 0

    @property
    def due_s(self) -> float | None:
        """When the next packet comes out; None: nothing is under way."""
        return self._under_way[0][0] if self._under_way else None

    def queued_bytes(self, now_s: float) -> int:
        """Return how much waits for the link."""
        while self._queue and self._queue[0][0] <= now_s:
            self._queued_bytes -= self._queue.popleft()[1]
        return self._queued_bytes

    def offer(self, packet: bytes, now_s: float) -> Fate:
        """Take ``packet`` in at ``now_s`` and return what becomes of it."""
        chances = (self._dice.random(), self._dice.random(), self._dice.random())
        self.offered_bytes += len(packet)
        fate = self._fate(packet, chances[0], now_s)
        self.count[fate] += 1
        if fate in {Fate.PASSED, Fate.LOST}:  # what is lost has used the link all the same
            leaves_s = self._enqueue(len(packet), now_s)
            if fate is Fate.PASSED:
                self._send(packet, leaves_s, chances)
        return fate

    def arrivals(self, now_s: float) -> Iterator[bytes]:
        """Yield the packets that have come out by ``now_s``, in the order in which they do."""
        while self._under_way and self._under_way[0][0] <= now_s:
            _, _, packet = heapq.heappop(self._under_way)
            self.arrived_bytes += len(packet)
            yield packet

    def cut(self) -> None:
        """Block the road and lose all that is under way."""
        self.is_blocked = True
        self.count[Fate.LOST] += len(self._under_way)
        self._under_way.clear()
        self._queue.clear()
        self._queued_bytes = 0

    def _fate(self, packet: bytes, chance: float, now_s: float) -> Fate:
        if self.is_blocked:
            return Fate.SWALLOWED
        if self.queued_bytes(now_s) + len(packet) > self.figures.queue_bytes:
            return Fate.QUEUE_FULL
        return Fate.LOST if chance < self.figures.loss else Fate.PASSED

    def _enqueue(self, size_bytes: int, now_s: float) -> float:
        starts_s = max(now_s, self._queue[-1][0]) if self._queue else now_s
        leaves_s = starts_s + size_bytes / self.figures.rate_bytes_per_s
        self._queue.append((leaves_s, size_bytes))
        self._queued_bytes += size_bytes
        return leaves_s

    def _send(self, packet: bytes, leaves_s: float, chances: tuple[float, float, float]) -> None:
        figures = self.figures
        _, jitter, held_back = chances
        due_s = leaves_s + figures.delay_s + jitter * figures.jitter_s
        if held_back < figures.held_back:
            due_s += figures.held_back_s
        else:
            due_s = self._latest_s = max(due_s, self._latest_s)
        self._number += 1
        heapq.heappush(self._under_way, (due_s, self._number, packet))
