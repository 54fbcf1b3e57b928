"""Which part of a chart comes from rollups and which from samples. Pure.

Ranges are half open, in milliseconds since the epoch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
# Samples outside are the work of wrong clocks: rare, and read as they are.
ROLLED_FROM_MS: Final = 0
ROLLED_UNTIL_MS: Final = 7_258_118_400_000  # 2200-01-01
# A query has a branch for each range of samples. Beyond this many, neighbours are read as one.
DIRTY_RANGES_MAX: Final = 16

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a range is read; all of it exactly once, each list ascending."""

    unit_ms: int  # of the rollups: MINUTE_MS or HOUR_MS
    rolled: tuple[Range, ...]
    sampled: tuple[Range, ...]


def unit_of(step_ms: int) -> int | None:
    """Return the coarsest rollup that steps of ``step_ms`` are made of; None: only of samples."""
    return next((unit for unit in (HOUR_MS, MINUTE_MS) if step_ms % unit == 0), None)


def sources(start_ms: int, end_ms: int, unit_ms: int, dirty_hours_ms: Sequence[int]) -> Sources:
    """Return what to read of ``[start_ms, end_ms)``; ``dirty_hours_ms`` ascend.

    Units that are whole come from rollups, but for the hours whose rollups are out of date.
    """
    first = max(-(-start_ms // unit_ms) * unit_ms, ROLLED_FROM_MS)
    last = min(end_ms // unit_ms * unit_ms, ROLLED_UNTIL_MS)
    if first >= last:
        return Sources(unit_ms, (), ((start_ms, end_ms),))
    dirty = [
        (max(begin, first), min(end, last))
        for begin, end in _joined(dirty_hours_ms)
        if begin < last and end > first
    ]
    borders = [first, *(border for span in dirty for border in span), last]
    rolled = _not_empty(zip(borders[::2], borders[1::2], strict=True))
    return Sources(unit_ms, rolled, _not_empty([(start_ms, first), *dirty, (last, end_ms)]))


def _joined(hours_ms: Sequence[int]) -> list[Range]:
    """Return the hours as ranges, at most DIRTY_RANGES_MAX: the widest gaps stay."""
    gaps = sorted(
        (
            (after - before, place)
            for place, (before, after) in enumerate(pairwise(hours_ms), 1)
            if after - before > HOUR_MS
        ),
        reverse=True,
    )
    cuts = sorted(place for _, place in gaps[: DIRTY_RANGES_MAX - 1])
    parts = [
        hours_ms[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(hours_ms)], strict=True)
    ]
    return [(part[0], part[-1] + HOUR_MS) for part in parts if part]


def _not_empty(ranges: Iterable[Range]) -> tuple[Range, ...]:
    return tuple((begin, end) for begin, end in ranges if begin < end)
