"""Every millisecond of a chart is read once, from rollups where these are right."""

import random
from itertools import pairwise

import pytest

from central.store.rollup_ranges import (
    DIRTY_RANGES_MAX,
    HOUR_MS,
    MINUTE_MS,
    ROLLED_UNTIL_MS,
    sources,
    unit_of,
)


def test_the_coarsest_rollup_that_fits_is_taken() -> None:
    steps = (HOUR_MS, 3 * HOUR_MS, MINUTE_MS, 90 * MINUTE_MS, 90_000, 10_000)
    assert [unit_of(step) for step in steps] == [
        HOUR_MS, HOUR_MS, MINUTE_MS, MINUTE_MS, None, None,
    ]  # fmt: skip


def test_ends_and_dirty_hours_come_from_samples() -> None:
    found = sources(HOUR_MS - 5, 5 * HOUR_MS + 5, HOUR_MS, [2 * HOUR_MS])
    assert found.rolled == ((HOUR_MS, 2 * HOUR_MS), (3 * HOUR_MS, 5 * HOUR_MS))
    assert found.sampled == (
        (HOUR_MS - 5, HOUR_MS),
        (2 * HOUR_MS, 3 * HOUR_MS),
        (5 * HOUR_MS, 5 * HOUR_MS + 5),
    )


def test_times_of_wrong_clocks_come_from_samples() -> None:
    assert sources(-10 * HOUR_MS, 0, HOUR_MS, []).rolled == ()
    late = sources(ROLLED_UNTIL_MS - HOUR_MS, 2**62, HOUR_MS, [])
    assert late.rolled == ((ROLLED_UNTIL_MS - HOUR_MS, ROLLED_UNTIL_MS),)


@pytest.mark.parametrize("seed", range(200))
def test_all_of_it_exactly_once_and_no_dirty_hour_from_rollups(seed: int) -> None:
    chance = random.Random(seed)
    start_ms = chance.randrange(100 * HOUR_MS)
    end_ms = start_ms + chance.randrange(1, 100 * HOUR_MS)
    dirty = sorted(chance.sample(range(210), chance.randrange(80)))
    found = sources(
        start_ms, end_ms, chance.choice((HOUR_MS, MINUTE_MS)), [hour * HOUR_MS for hour in dirty]
    )
    spans = sorted([*found.rolled, *found.sampled])
    assert (spans[0][0], spans[-1][1]) == (start_ms, end_ms)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert len(found.sampled) <= DIRTY_RANGES_MAX + 2
    for begin_ms, span_end_ms in found.rolled:
        assert not begin_ms % found.unit_ms
        hours = {begin_ms // HOUR_MS, (span_end_ms - 1) // HOUR_MS}
        assert hours.isdisjoint(dirty)
