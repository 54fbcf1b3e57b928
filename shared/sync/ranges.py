"""Sets of sequence numbers kept as intervals: what is held, acknowledged, missing. Pure.

A lane of ten million batches of which three are missing is four intervals. Ranges say what a
watermark cannot ("everything but 7"), so batches may be sent and acknowledged in any order.
Intervals are inclusive at both ends; PostgreSQL's multiranges are half open: convert with + 1.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Self

from msgspec import Meta, Struct

SEQ_MAX = 2**63 - 2  # one less than int64: a half-open int8range must be able to end after it
SPANS_PER_FRAME_MAX = 4_096  # 18 bytes each at most: 74 kB, far below the frame limit

Seq = Annotated[int, Meta(ge=0, le=SEQ_MAX)]
Span = tuple[Seq, Seq]


class Ranges(Struct, frozen=True, array_like=True):
    """An immutable set of integers; ``spans`` are (first, last), ascending, never touching.

    Build one with `Ranges.of`, which puts any spans in order; the constructor (and with it the
    decoder of frames) refuses spans that are not.

    Raises:
        ValueError: if the spans are not in normal form.
    """

    spans: Annotated[tuple[Span, ...], Meta(max_length=1_000_000)] = ()

    def __post_init__(self) -> None:
        """Check the normal form: first <= last, ascending, with at least one number between."""
        if any(first > last for first, last in self.spans):
            raise ValueError("ranges: the first number of a span must not exceed its last")
        if any(after[0] <= before[1] + 1 for before, after in pairwise(self.spans)):
            raise ValueError("ranges: spans must ascend and must not touch")

    @classmethod
    def of(cls, *spans: tuple[int, int]) -> Self:
        """Return the union of ``spans``, which may come in any order, overlap and touch.

        Raises:
            ValueError: if a span's first number exceeds its last.
        """
        return cls(_merge(spans))

    @classmethod
    def of_numbers(cls, numbers: Iterable[int]) -> Self:
        """Return the set of exactly these numbers."""
        return cls(_merge((number, number) for number in numbers))

    def add(self, first: int, last: int | None = None) -> "Ranges":
        """Return this set with ``first`` to ``last`` (default: only ``first``) added."""
        return self.union(Ranges(((first, first if last is None else last),)))

    def union(self, other: "Ranges") -> "Ranges":
        """Return the numbers that are in either set."""
        if not other.spans:
            return self
        if not self.spans:
            return other
        return Ranges(_merge((*self.spans, *other.spans)))

    def difference(self, other: "Ranges") -> "Ranges":
        """Return the numbers of this set that are not in ``other``."""
        if not other.spans or not self.spans:
            return self
        return Ranges(tuple(_subtract(self.spans, other.spans)))

    def intersection(self, other: "Ranges") -> "Ranges":
        """Return the numbers that are in both sets."""
        return self.difference(self.difference(other))

    def missing(self, first: int, last: int) -> "Ranges":
        """Return the numbers from ``first`` to ``last`` that are not here; none if last < first."""
        return Ranges(((first, last),)).difference(self) if first <= last else Ranges()

    def lowest_spans(self, count: int) -> "Ranges":
        """Return the ``count`` lowest spans: a safe understatement where a frame has a limit."""
        return self if len(self.spans) <= count else Ranges(self.spans[:count])

    @property
    def first(self) -> int | None:
        """The smallest number, or None when empty."""
        return self.spans[0][0] if self.spans else None

    @property
    def last(self) -> int | None:
        """The largest number, or None when empty."""
        return self.spans[-1][1] if self.spans else None

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return sum(last - first + 1 for first, last in self.spans)

    def contains(self, other: "Ranges") -> bool:
        """Tell whether every number of ``other`` is here."""
        return not other.difference(self).spans

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.spans)

    def __iter__(self) -> Iterator[int]:
        """Yield every number, ascending; mind the count."""
        for first, last in self.spans:
            yield from range(first, last + 1)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __str__(self) -> str:
        return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in self.spans) or "none"


def _merge(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if first > last:
            raise ValueError(f"ranges: span {first}-{last} ends before it begins")
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _subtract(
    spans: tuple[tuple[int, int], ...], holes: tuple[tuple[int, int], ...]
) -> Iterator[tuple[int, int]]:
    """Yield what the holes leave of the spans; one pass over both, as both ascend."""
    index = 0
    for first, last in spans:
        start = first
        while index < len(holes) and holes[index][1] < start:
            index += 1
        position = index  # a hole may reach into the next span too: do not consume it here
        while position < len(holes) and holes[position][0] <= last:
            hole_first, hole_last = holes[position]
            if start < hole_first:
                yield start, hole_first - 1
            start = max(start, hole_last + 1)
            position += 1
        if start <= last:
            yield start, last
