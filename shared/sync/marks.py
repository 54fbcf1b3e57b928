"""Which batches edge and central name to each other, so that a copy of a log is told from it. Pure.

The edge marks the end of its log in HELLO, central the end of what it holds in WELCOME: at least
one of them falls where two histories differ.
"""

from collections.abc import Iterator, Mapping, Sequence

from shared.sync.frames import MARK_HASH_BYTES, Mark
from shared.sync.ranges import Ranges

Marks = Mapping[int, Sequence[Mark]]  # by lane
Hashes = Mapping[int, Mapping[int, bytes]]  # lane -> number -> sha256, or the beginning of it


def marked_seqs(first: int, last: int) -> list[int]:
    """Return the numbers to mark, descending: the last, and before it at distances that double."""
    return list(_backwards(first, last))


def marked_held(held: Ranges) -> list[int]:
    """Return those of `marked_seqs` up to the last that are held."""
    return [seq for seq in marked_seqs(1, held.last or 0) if seq in held]


def make_marks(hashes: Hashes) -> dict[int, tuple[Mark, ...]]:
    """Return the marks of batches whose hashes are known, newest first."""
    return {
        lane: tuple(
            Mark(seq, hashed[:MARK_HASH_BYTES])
            for seq, hashed in sorted(of_lane.items(), reverse=True)
        )
        for lane, of_lane in sorted(hashes.items())
        if of_lane
    }


def first_other(marks: Marks, hashes: Hashes) -> tuple[int, int] | None:
    """Return lane and number of the first marked batch that is known to be another one."""
    others = [
        (lane, mark.seq)
        for lane, of_lane in marks.items()
        for mark in of_lane
        if _differs(mark, hashes.get(lane, {}))
    ]
    return min(others, default=None)


def _differs(mark: Mark, hashes: Mapping[int, bytes]) -> bool:
    known = hashes.get(mark.seq)
    return known is not None and known[:MARK_HASH_BYTES] != mark.hash


def _backwards(first: int, last: int) -> Iterator[int]:
    distance = 0
    while last - distance >= max(1, first):
        yield last - distance
        distance = 2 * distance + 1
