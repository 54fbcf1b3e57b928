"""What is known of each segment of a lane without opening it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.log.retention import SegmentFact
from edge.log.segments import SegmentHeader, SegmentSummary
from shared.sync.ranges import Ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """One segment. Of the one being written, the summary and size are as of the last commit."""

    file: Path
    header: SegmentHeader
    summary: SegmentSummary
    size_bytes: int
    sealed: bool

    @property
    def first_seq(self) -> int:
        """The first sequence number it may hold."""
        return self.header.first_seq

    @property
    def last_seq(self) -> int:
        """The last sequence number in it; first_seq - 1 when it is empty."""
        return self.summary.last_seq

    @property
    def extent(self) -> Ranges:
        """From the first to the last number; damage may have made holes in between."""
        return (
            Ranges.of((self.first_seq, self.last_seq))
            if self.last_seq >= self.first_seq
            else Ranges()
        )

    def for_retention(self, settled: Ranges) -> SegmentFact:
        """Return what retention needs; ``settled`` is acknowledged or declared lost."""
        return SegmentFact(
            lane=self.header.lane,
            first_seq=self.first_seq,
            size_bytes=self.size_bytes,
            sealed=self.sealed,
            settled=settled.contains(self.extent),
        )


View = tuple[SegmentFacts, ...]  # the segments of a lane, ascending; the last is being written


@dataclass(frozen=True, slots=True)
class LaneView:
    """What a reader of a lane must know, as of one moment."""

    segments: View
    lost: Ranges


NO_VIEW = LaneView((), Ranges())


def overlapping(view: Sequence[SegmentFacts], first_seq: int, last_seq: int) -> list[SegmentFacts]:
    """Return the segments that may hold numbers of the range, ascending."""
    return [facts for facts in view if facts.first_seq <= last_seq and facts.last_seq >= first_seq]
