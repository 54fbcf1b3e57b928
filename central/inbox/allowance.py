"""How many frames outside the credit an edge may send. Pure.

Series and batches are bounded by credit; everything else (reports, pings) is cheap once and
ruinous a million times. A bucket refills steadily and holds what a link gives out in one gulp
after a stall.
"""

from dataclasses import dataclass

FRAMES_PER_S = 5.0  # an edge sends a report every 5 s and a ping every few seconds
FRAMES_BURST_MAX = 60.0  # a minute's worth of both, let loose at once after a stall


@dataclass(slots=True)
class Allowance:
    """A token bucket; times are monotonic seconds."""

    refilled_at_s: float
    frames_left: float = FRAMES_BURST_MAX

    def would_exceed(self, now_s: float) -> bool:
        """Tell whether one more frame at ``now_s`` is too many."""
        return self._left(now_s) < 1.0

    def take(self, now_s: float) -> None:
        """Count one frame."""
        self.frames_left = self._left(now_s) - 1.0
        self.refilled_at_s = now_s

    def _left(self, now_s: float) -> float:
        refill = (now_s - self.refilled_at_s) * FRAMES_PER_S
        return min(FRAMES_BURST_MAX, self.frames_left + refill)
