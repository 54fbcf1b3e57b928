"""What a commit brings into the live values."""

from edge.live.recent import RecentSamples
from edge.live.snapshot import LiveSnapshot
from edge.log.records import PendingBatch
from edge.runtime.assembly import show
from shared.domain.samples import Quality, Series, ValueType
from shared.ids import SeriesName

SERIES = Series(SeriesName("kaduna", "sensor", "gas-1", "ch4_pct"), "%", ValueType.NUMBER)


def batch(ts_ms: int, value: float, quality: int, received_ms: int) -> PendingBatch:
    return PendingBatch(
        series_ix=[1],
        value_type=[int(ValueType.NUMBER)],
        ts_ms=[ts_ms],
        value=[value],
        quality=[quality],
        recv_min_ms=received_ms,
        recv_max_ms=received_ms,
        new_series=((1, SERIES),),
    )


def test_a_value_from_the_future_is_shown_until_the_next_and_ages_from_its_receipt() -> None:
    snapshot = LiveSnapshot(series_max=1)
    recent = RecentSamples(known_series=0, newest_ms=lambda _: None, started_ms=0)
    show(batch(300_000, 9.0, Quality.FUTURE, 1_000), snapshot, recent)
    ahead = snapshot.value_of(1)
    show(batch(2_000, 1.0, Quality.GOOD, 2_001), snapshot, recent)
    shown = snapshot.value_of(1)
    assert ahead is not None
    assert shown is not None
    assert (ahead.value, ahead.ranked_ms, shown.value) == (9.0, 1_000, 1.0)
