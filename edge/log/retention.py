"""What the log may forget and when it must refuse. Pure decisions on sizes and settled batches."""

from collections.abc import Sequence
from dataclasses import dataclass

# An active segment is never removed. With at least this many in the budget there is always one
# that has been sealed, so that acknowledgements can make room.
SEGMENTS_PER_BUDGET_MIN = 4
_SEGMENT_SIZE_MIN_BYTES = 262_144  # below this the catalogue and tail outweigh the batches


@dataclass(frozen=True, slots=True)
class SegmentFact:
    """What retention needs to know of one segment."""

    lane: int
    first_seq: int
    size_bytes: int
    sealed: bool
    settled: bool  # every batch in it is acknowledged or declared lost


@dataclass(frozen=True, slots=True)
class Limits:
    """The log's budget and the space that must stay free for the rest of the machine."""

    size_max_bytes: int
    free_space_min_bytes: int


def removable(
    segments: Sequence[SegmentFact], *, free_bytes: int, limits: Limits
) -> list[SegmentFact]:
    """Return which segments to unlink, oldest first, and no more than the shortage asks for.

    Only what is sealed and settled may go, and only while the log is over its budget or the disk
    below its floor: what central holds is the cheapest second copy there is.
    """
    size_bytes = sum(segment.size_bytes for segment in segments)
    shortage_bytes = max(
        size_bytes - limits.size_max_bytes, limits.free_space_min_bytes - free_bytes
    )
    chosen: list[SegmentFact] = []
    for segment in sorted(segments, key=lambda one: (one.first_seq, one.lane)):
        if shortage_bytes <= 0:
            break
        if segment.sealed and segment.settled:
            chosen.append(segment)
            shortage_bytes -= segment.size_bytes
    return chosen


def refusal(*, size_bytes: int, free_bytes: int, limits: Limits) -> str | None:
    """Return why nothing more may be appended, or None. Data not acknowledged is never dropped."""
    if free_bytes < limits.free_space_min_bytes:
        return (
            f"only {free_bytes} bytes are free on the disk; "
            f"log.free_space_min_bytes keeps {limits.free_space_min_bytes}"
        )
    if size_bytes >= limits.size_max_bytes:
        return (
            f"the log has {size_bytes} bytes that central has not acknowledged; "
            f"log.size_max_bytes allows {limits.size_max_bytes}"
        )
    return None


def effective_segment_size_bytes(segment_size_bytes: int, limits: Limits) -> int:
    """Return at which size a segment is sealed: the configured one, or less in a small budget."""
    share_bytes = limits.size_max_bytes // SEGMENTS_PER_BUDGET_MIN
    return max(min(segment_size_bytes, share_bytes), _SEGMENT_SIZE_MIN_BYTES)
