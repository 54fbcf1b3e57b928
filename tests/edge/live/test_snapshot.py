"""What is current: newest by device time, whatever the order of arrival."""

import random

import pytest

from edge.live.snapshot import LiveSnapshot
from shared.domain.samples import LatestValue, Quality, Series, Value, ValueType
from shared.ids import Kind, SeriesName

ALL = frozenset(Kind)


def series(asset: str, metric: str = "ch4_pct", unit: str = "%", kind: str = "sensor") -> Series:
    return Series(SeriesName("kaduna", kind, asset, metric), unit, ValueType.NUMBER)


def snapshot_of(*entries: Series, series_max: int = 100) -> LiveSnapshot:
    snapshot = LiveSnapshot(series_max=series_max)
    for number, entry in enumerate(entries, 1):
        snapshot.add_series(number, entry)
    return snapshot


def apply(snapshot: LiveSnapshot, *rows: tuple[int, int, Value]) -> int:
    return snapshot.apply(
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
        [0] * len(rows),
    )


def values(found: list[LatestValue]) -> dict[str, Value]:
    return {entry.series.name.asset_id: entry.value for entry in found}


def test_the_newest_by_device_time_is_current_not_the_last_to_arrive() -> None:
    snapshot = snapshot_of(series("gas-1"))
    assert apply(snapshot, (1, 100, 1.0), (1, 300, 3.0), (1, 200, 2.0)) == 2
    assert values(snapshot.latest(ALL)) == {"gas-1": 3.0}


def test_backfill_changes_nothing_that_is_shown() -> None:
    snapshot = snapshot_of(series("gas-1"))
    apply(snapshot, (1, 1_000, 9.0))
    seen = snapshot.revision
    assert apply(snapshot, *[(1, ts_ms, 0.0) for ts_ms in range(999)]) == 0
    assert snapshot.changed_since(seen, ALL)[1] == []
    assert values(snapshot.latest(ALL)) == {"gas-1": 9.0}


def test_of_equal_times_the_later_arrival_is_current() -> None:
    snapshot = snapshot_of(series("gas-1"))
    apply(snapshot, (1, 100, 1.0), (1, 100, 2.0))
    assert values(snapshot.latest(ALL)) == {"gas-1": 2.0}


def test_keeps_time_and_quality_with_the_value() -> None:
    snapshot = snapshot_of(series("gas-1"))
    snapshot.apply([1], [100], [1.5], [Quality.LATE])
    assert snapshot.value_of(1) == LatestValue(series("gas-1"), 100, 1.5, Quality.LATE)


def test_a_series_without_a_sample_has_no_value() -> None:
    snapshot = snapshot_of(series("gas-1"))
    assert snapshot.latest(ALL) == []
    assert [snapshot.value_of(number) for number in (0, 1, 2)] == [None, None, None]


def test_tells_what_changed_since_a_revision_in_the_order_of_change() -> None:
    snapshot = snapshot_of(series("gas-1"), series("gas-2"), series("gas-3"))
    apply(snapshot, (1, 1, 1.0), (2, 1, 1.0), (3, 1, 1.0))
    seen = snapshot.revision
    apply(snapshot, (3, 2, 3.0))
    apply(snapshot, (1, 2, 2.0))
    revision, changed = snapshot.changed_since(seen, ALL)
    assert list(values(changed).items()) == [("gas-3", 3.0), ("gas-1", 2.0)]
    assert snapshot.changed_since(revision, ALL) == (revision, [])


def test_a_revision_from_before_a_restart_gets_everything() -> None:
    snapshot = snapshot_of(series("gas-1"))
    apply(snapshot, (1, 1, 1.0))
    assert len(snapshot.changed_since(4_711, ALL)[1]) == 1


def test_shows_only_the_kinds_and_the_asset_that_were_asked_for() -> None:
    snapshot = snapshot_of(series("x"), series("x", kind="worker"), series("y", kind="worker"))
    apply(snapshot, (1, 1, 1.0), (2, 1, 2.0), (3, 1, 3.0))
    assert [v.value for v in snapshot.latest({Kind.WORKER})] == [2.0, 3.0]
    assert [v.value for v in snapshot.latest({Kind.WORKER}, "x")] == [2.0]
    assert [v.value for v in snapshot.changed_since(0, {Kind.SENSOR})[1]] == [1.0]


def test_of_two_units_under_one_name_the_newest_sample_counts() -> None:
    snapshot = snapshot_of(series("gas-1", unit="%"), series("gas-1", unit="vol%"))
    apply(snapshot, (1, 100, 1.0), (2, 200, 2.0))
    (shown,) = snapshot.latest(ALL)
    assert (shown.series.unit, shown.value) == ("vol%", 2.0)


def test_series_are_added_in_order_and_up_to_the_limit() -> None:
    snapshot = snapshot_of(series("gas-1"), series_max=1)
    snapshot.add_series(1, series("gas-1"))  # a repeated entry is harmless
    for number, entry in ((1, series("other")), (3, series("gas-3")), (2, series("gas-2"))):
        with pytest.raises(ValueError, match="series"):
            snapshot.add_series(number, entry)
    assert snapshot.series_count == 1


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_arrival_ends_with_the_same_picture(seed: int) -> None:
    chance = random.Random(seed)
    rows: list[tuple[int, int, Value]] = [
        (number, ts_ms, float(ts_ms * number)) for number in range(1, 6) for ts_ms in range(50)
    ]
    chance.shuffle(rows)
    snapshot = snapshot_of(*[series(f"gas-{number}") for number in range(1, 6)])
    while rows:
        size = chance.randrange(1, 20)
        apply(snapshot, *rows[:size])
        del rows[:size]
    assert values(snapshot.latest(ALL)) == {f"gas-{n}": 49.0 * n for n in range(1, 6)}


def test_a_device_whose_clock_runs_ahead_hides_nothing_that_comes_later() -> None:
    snapshot = snapshot_of(series("gas-1"))
    snapshot.apply([1], [300_100], [9.0], [Quality.FUTURE], 100)
    assert snapshot.apply([1], [101], [1.0], [0], 101) == 1
    assert values(snapshot.latest(ALL)) == {"gas-1": 1.0}


def test_of_values_from_the_future_the_later_arrival_is_current() -> None:
    snapshot = snapshot_of(series("gas-1"))
    snapshot.apply([1, 1], [900, 800], [9.0, 8.0], [Quality.FUTURE] * 2, 100)
    (shown,) = snapshot.latest(ALL)
    assert (shown.value, shown.ts_ms, shown.ranked_ms) == (8.0, 800, 100)


def test_a_clock_of_the_edge_that_is_set_back_freezes_nothing() -> None:
    snapshot = snapshot_of(series("gas-1"), series("gas-2"), series("gas-3"))
    snapshot.apply([1, 2], [3_600_000] * 2, [9.0, 9.0], [0, 0], 3_600_001)
    snapshot.apply([3], [90], [9.0], [0], 3_600_002)
    seen = snapshot.revision
    snapshot.apply([2], [100], [1.0], [0], 101)
    snapshot.apply([1], [95], [1.0], [0], 102)
    snapshot.apply([3], [80], [1.0], [0], 103)  # backfill by a clock that was right all along
    assert values(snapshot.changed_since(seen, ALL)[1]) == {"gas-1": 1.0, "gas-2": 1.0}
    assert values(snapshot.latest(ALL))["gas-3"] == 9.0


def test_a_silent_device_ages_from_when_the_clock_was_set_back() -> None:
    snapshot = snapshot_of(series("gas-1"), series("gas-2"))
    snapshot.apply([1], [3_600_000], [9.0], [0], 3_600_001)
    seen = snapshot.revision
    snapshot.apply([2], [100], [1.0], [0], 101)
    aged, other = snapshot.changed_since(seen, ALL)[1]
    assert (aged.value, aged.ranked_ms, other.ranked_ms) == (9.0, 101, 100)
