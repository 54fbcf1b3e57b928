"""A link between two namespaces that carries real packets as slowly and badly as it is told to.

Owns the thread that moves the packets. What becomes of them is decided in bench.shaper.road.
"""

import contextlib
import os
import select
import threading
from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Final

from bench.background import in_background
from bench.shaper.namespaces import Side, opened_sides
from bench.shaper.profiles import LinkFigures
from bench.shaper.road import Fate, Road
from shared.clock import Clock

PACKET_MAX_BYTES: Final = 65_536
PACKETS_PER_TURN_MAX: Final = 64  # of one direction, then the other has its turn
LOOK_EVERY_S: Final = 0.02  # how late a change made by another thread is noticed at most


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one direction has carried so far."""

    offered_bytes: int
    arrived_bytes: int
    packets: dict[Fate, int]


class ShapedLink:
    """Both directions; its methods may be called from any thread while the link carries."""

    def __init__(self, edge: Side, central: Side, figures: LinkFigures, seed: int) -> None:
        """Made by `shaped_link`."""
        self.edge = edge
        self.central = central
        self._up = Road(figures.up, Random(f"{seed} up"))  # noqa: S311 chances of a model
        self._down = Road(figures.down, Random(f"{seed} down"))  # noqa: S311 chances of a model
        self._lock = threading.Lock()

    def set_figures(self, figures: LinkFigures) -> None:
        """Be such a link from now on; what is under way keeps the time it has."""
        with self._lock:
            self._up.figures, self._down.figures = figures.up, figures.down

    def cut(self) -> None:
        """Carry nothing more either way, and lose what is under way."""
        with self._lock:
            self._up.cut()
            self._down.cut()

    def half_open(self) -> None:
        """Swallow what the edge sends, and deliver what central sends."""
        with self._lock:
            self._up.cut()
            self._down.is_blocked = False

    def mend(self) -> None:
        """Carry both ways again."""
        with self._lock:
            self._up.is_blocked = self._down.is_blocked = False

    def traffic(self) -> tuple[Traffic, Traffic]:
        """Return what was carried up and down until now, IP headers included."""
        with self._lock:
            return _traffic(self._up), _traffic(self._down)

    def carry(self, clock: Clock, stop: threading.Event) -> None:
        """Move packets until ``stop`` is set."""
        roads = {self.edge.tun: self._up, self.central.tun: self._down}
        target = {self.edge.tun: self.central.tun, self.central.tun: self.edge.tun}
        while not stop.is_set():
            readable, _, _ = select.select(list(roads), [], [], self._wait_s(clock))
            for source in readable:
                self._take_in(source, roads[source], clock)
            for source, road in roads.items():
                with self._lock:
                    arrived = list(road.arrivals(clock.monotonic_s()))
                for packet in arrived:
                    # A device whose queue is full drops packets as any interface does.
                    with contextlib.suppress(OSError):
                        os.write(target[source], packet)

    def _wait_s(self, clock: Clock) -> float:
        with self._lock:
            dues_s = [due for road in (self._up, self._down) if (due := road.due_s) is not None]
        wait_s = min(dues_s, default=float("inf")) - clock.monotonic_s()
        return min(max(wait_s, 0.0), LOOK_EVERY_S)

    def _take_in(self, source: int, road: Road, clock: Clock) -> None:
        for _ in range(PACKETS_PER_TURN_MAX):
            try:
                packet = os.read(source, PACKET_MAX_BYTES)
            except BlockingIOError:
                return
            with self._lock:
                road.offer(packet, clock.monotonic_s())


@contextlib.contextmanager
def shaped_link(figures: LinkFigures, clock: Clock, *, seed: int = 1) -> Generator[ShapedLink]:
    """Give a link for the length of the block; nothing of it is left afterwards.

    Raises:
        BenchError: this machine or this user cannot make one.
    """
    stop = threading.Event()
    with opened_sides() as (edge, central):
        link = ShapedLink(edge, central, figures, seed)
        with in_background(lambda: link.carry(clock, stop), stop):
            yield link


def _traffic(road: Road) -> Traffic:
    return Traffic(road.offered_bytes, road.arrived_bytes, dict(road.count))
