"""Whether the edge's own clock can be right, by the times it has recorded before. Pure.

A node without a battery behind its clock starts weeks back. Every device that is right seems to run
ahead then; refusing it would lose what it measures for as long as nobody sets the clock.
"""

from typing import Final

# How far ahead of the newest record a device is believed meanwhile: longer than a node is stored.
# A bound there must be, as central takes no time that PostgreSQL cannot hold.
AHEAD_MAX_MS: Final = 2 * 366 * 86_400_000


class ClockDoubt:
    """Compares the clock with the newest time that was ever recorded here."""

    def __init__(self, *, recorded_ms: int, tolerance_ms: int) -> None:
        """``recorded_ms`` is the newest receipt in the log, 0 without one.

        Behind it by no more than ``tolerance_ms``, a clock has only been corrected.
        """
        self._recorded_ms = recorded_ms
        self._tolerance_ms = tolerance_ms

    @property
    def recorded_ms(self) -> int:
        """Return the newest time on record."""
        return self._recorded_ms

    def note(self, now_ms: int) -> None:
        """Put on record that something was received at ``now_ms``."""
        self._recorded_ms = max(self._recorded_ms, now_ms)

    def behind_ms(self, now_ms: int) -> int:
        """Return by how much a clock that shows ``now_ms`` is wrong at least; 0: no doubt."""
        behind_ms = self._recorded_ms - now_ms
        return behind_ms if behind_ms > self._tolerance_ms else 0

    def believed_ms(self, now_ms: int, ahead_ms: int) -> int:
        """Return the latest device time to believe: ``ahead_ms`` from now, far later in doubt."""
        if self.behind_ms(now_ms):
            return self._recorded_ms + AHEAD_MAX_MS
        return now_ms + ahead_ms
