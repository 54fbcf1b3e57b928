"""Sequence numbers of one device topic: what is missing, repeated, late or begun anew. Pure.

A device counts from 0 or 1 per topic and boot. A *run* is one such count. Numbers inside a run that
did not arrive are open gaps; a number that comes late closes its place in the gap.
"""

from dataclasses import dataclass
from typing import Final

from shared.domain.samples import Quality

# A device that starts anew without 0 or 1 arriving is recognised by its clock: its number went
# back while its time went on. No device reboots faster; reordered samples differ by less.
RESTART_MIN_MS: Final = 1_000
# 0 or 1 with a time this far back is a reboot with a clock not yet set, not a late sample.
REORDER_MAX_MS: Final = 60_000
# A restart whose clock stepped back a little is believed after this many numbers in a row.
RESTART_CONFIRMATIONS: Final = 3
OPEN_GAPS_MAX: Final = 32  # per topic; a link that loses more often keeps the newest gaps
# A device that sends random numbers must not swamp the count of what is missing.
MISSING_PER_GAP_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SequenceVerdict:
    """What one sequence number told: quality flags for its sample and what to count."""

    quality: int = 0
    missing: int = 0
    recovered: bool = False
    restarted: bool = False
    gap: tuple[int, int, int] | None = None  # first and last number missing, time before it in ms


IN_ORDER: Final = SequenceVerdict()
_RESTARTED: Final = SequenceVerdict(restarted=True)
_RECOVERED: Final = SequenceVerdict(quality=Quality.OUT_OF_ORDER, recovered=True)
_REPEATED: Final = SequenceVerdict(quality=Quality.REPEATED_SEQ)
_BACKWARDS: Final = SequenceVerdict(quality=Quality.OUT_OF_ORDER)
_USED_BEFORE: Final = SequenceVerdict(quality=Quality.OUT_OF_ORDER | Quality.REPEATED_SEQ)


class SequenceState:
    """The run of one topic; duplicates must be taken out before."""

    __slots__ = ("_candidate", "_candidates", "_first_seq", "_open_gaps", "last_seq", "last_ts_ms")

    def __init__(self) -> None:
        self.last_seq: int = -1  # highest number of the run; -1 before the first
        self.last_ts_ms: int = -1  # device time of that number
        self._first_seq: int = 0  # where the run was first seen: below it nothing is known
        self._open_gaps: list[tuple[int, int]] = []
        self._candidate: int = -1  # last number of a possible new run
        self._candidates: int = 0

    def advance(self, seq: int, ts_ms: int) -> SequenceVerdict:
        """Take the next number in arrival order and tell what it means."""
        last_seq = self.last_seq
        if seq == last_seq + 1 and last_seq >= 0:
            self.last_seq, self.last_ts_ms = seq, ts_ms
            return IN_ORDER
        if last_seq < 0:
            self._begin(seq, ts_ms)
            return IN_ORDER
        if seq > last_seq:
            return self._skip_to(seq, ts_ms)
        return self._step_back(seq, ts_ms)

    def _begin(self, seq: int, ts_ms: int) -> None:
        self.last_seq, self.last_ts_ms, self._first_seq = seq, ts_ms, seq
        self._open_gaps.clear()
        self._candidate, self._candidates = -1, 0

    def _skip_to(self, seq: int, ts_ms: int) -> SequenceVerdict:
        missing = seq - self.last_seq - 1
        gap = (self.last_seq + 1, seq - 1, self.last_ts_ms)
        self._open_gap(self.last_seq + 1, seq - 1)
        self.last_seq, self.last_ts_ms = seq, ts_ms
        return SequenceVerdict(Quality.GAP_BEFORE, min(missing, MISSING_PER_GAP_MAX), gap=gap)

    def _open_gap(self, first: int, last: int) -> None:
        self._open_gaps.append((first, last))
        if len(self._open_gaps) > OPEN_GAPS_MAX:
            del self._open_gaps[0]

    def _step_back(self, seq: int, ts_ms: int) -> SequenceVerdict:
        behind_ms = self.last_ts_ms - ts_ms
        if seq <= 1 and not 0 <= behind_ms <= REORDER_MAX_MS:
            self._begin(seq, ts_ms)
            return _RESTARTED
        if seq < self.last_seq and behind_ms < -RESTART_MIN_MS:
            return self._begin_late(seq, ts_ms)
        if self._close_gap(seq):
            return _RECOVERED
        if self._is_confirmed_restart(seq):
            self._begin(seq, ts_ms)
            return _RESTARTED
        if seq == self.last_seq:
            return _REPEATED
        return _USED_BEFORE if seq >= self._first_seq else _BACKWARDS

    def _begin_late(self, seq: int, ts_ms: int) -> SequenceVerdict:
        """Begin a run whose first numbers, 1 (or 0) to ``seq - 1``, never arrived."""
        gap = (1, seq - 1, self.last_ts_ms)
        self._begin(seq, ts_ms)
        if seq <= 1:
            return _RESTARTED
        self._first_seq = 0
        self._open_gap(0, seq - 1)
        missing = min(seq - 1, MISSING_PER_GAP_MAX)
        return SequenceVerdict(Quality.GAP_BEFORE, missing, restarted=True, gap=gap)

    def _close_gap(self, seq: int) -> bool:
        for index, (first, last) in enumerate(self._open_gaps):
            if first <= seq <= last:
                left = [(first, seq - 1), (seq + 1, last)]
                self._open_gaps[index : index + 1] = [gap for gap in left if gap[0] <= gap[1]]
                return True
        return False

    def _is_confirmed_restart(self, seq: int) -> bool:
        if seq == self._candidate + 1 and self._candidates:
            self._candidate, self._candidates = seq, self._candidates + 1
        elif seq <= 1:
            self._candidate, self._candidates = seq, 1
        return self._candidates > RESTART_CONFIRMATIONS
