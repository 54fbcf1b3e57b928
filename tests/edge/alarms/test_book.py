"""Alerts: raised and cleared by a threshold, once each, whatever comes late, twice or again."""

import random
from collections.abc import Sequence

import pytest

from edge.alarms import book as book_module
from edge.alarms.book import AlarmBook
from edge.alarms.rules import ThresholdRule
from edge.log.records import PendingBatch
from shared.domain.samples import Quality, Value
from shared.sync.records import CONTEXT_SAMPLES_MAX, AlertRecord, AlertState, Severity
from tests.support.edge_log import T0_MS, make_batch, make_series

METHANE = ThresholdRule(
    name="methane", metric="ch4_pct", raise_at=1.5, clear_below=1.2, severity=Severity.CRITICAL
)


def book_of(
    *rules: ThresholdRule,
    known: Sequence[tuple[int, float]] = (),
    restored: Sequence[AlertRecord] = (),
) -> AlarmBook:
    def context(_series_ix: int, _since_ms: int) -> Sequence[tuple[int, float]]:
        return known

    book = AlarmBook(rules or (METHANE,), site="kaduna", edge_id="edge-1", context=context)
    for record in restored:
        book.restore(record)
    return book


def batch_of(*values: Value, at_ms: int = T0_MS, quality: int = 0) -> PendingBatch:
    """Return samples of ch4_pct of sensor s1, a second apart."""
    count = len(values)
    plain = make_batch(*([0.0] * count), at_ms=at_ms)
    return PendingBatch(
        series_ix=plain.series_ix,
        value_type=plain.value_type,
        ts_ms=plain.ts_ms,
        value=values,
        quality=[quality] * count,
        recv_min_ms=plain.recv_min_ms,
        recv_max_ms=plain.recv_max_ms,
        new_series=(make_series(1),),
    )


def story(records: Sequence[AlertRecord]) -> list[tuple[str, int, float]]:
    return [(record.state, record.revision, record.value) for record in records]


def judge(book: AlarmBook, batch: PendingBatch) -> list[AlertRecord]:
    return book.judge(batch, batch.recv_max_ms)


def test_the_first_value_at_the_limit_raises_and_the_first_well_below_clears() -> None:
    book = book_of()
    records = judge(book, batch_of(1.4, 1.5, 1.9, 1.3, 1.49, 1.1, 0.2))
    assert story(records) == [("raised", 1, 1.5), ("cleared", 2, 1.1)]
    raised, cleared = records
    assert raised.alert_id == cleared.alert_id
    assert raised.message == "ch4_pct 1.5 % at sensor s1: the limit is 1.5 %"
    assert (raised.raised_ms, raised.at_ms) == (T0_MS + 1_000, T0_MS + 1_000)
    assert (cleared.raised_ms, cleared.at_ms) == (T0_MS + 1_000, T0_MS + 5_000)
    assert book.active == ()


def test_what_clears_and_rises_again_is_another_alert() -> None:
    first, _, second = judge(book_of(), batch_of(2.0, 1.0, 2.0))
    assert first.alert_id != second.alert_id
    assert second.revision == 1


def test_an_alert_brings_its_last_half_minute_along() -> None:
    known = [(T0_MS - 31_000, 9.0), (T0_MS - 1_000, 1.3)]
    (record,) = judge(book_of(known=known[1:]), batch_of(1.4, 1.6, 1.8))
    assert record.context == ((T0_MS - 1_000, 1.3), (T0_MS, 1.4), (T0_MS + 1_000, 1.6))


def test_what_an_alert_brings_along_is_bounded() -> None:
    known = [(T0_MS - 29_000 + n, 1.0) for n in range(1_000)]
    (record,) = judge(book_of(known=known), batch_of(1.6))
    assert len(record.context) == CONTEXT_SAMPLES_MAX
    assert record.context[-1] == (T0_MS, 1.6)


def test_what_comes_late_changes_nothing() -> None:
    book = book_of()
    judge(book, batch_of(0.4, at_ms=T0_MS))
    assert judge(book, batch_of(2.0, at_ms=T0_MS - 60_000)) == []
    assert story(judge(book, batch_of(2.0, at_ms=T0_MS + 1_000))) == [("raised", 1, 2.0)]
    assert judge(book, batch_of(0.4, at_ms=T0_MS - 60_000)) == []
    assert len(book.active) == 1


def test_a_device_clock_ahead_does_not_silence_what_follows() -> None:
    book = book_of()
    book.judge(batch_of(0.4, at_ms=T0_MS + 200_000), now_ms=T0_MS)
    assert story(book.judge(batch_of(2.0, at_ms=T0_MS + 1_000), T0_MS + 1_000)) == [
        ("raised", 1, 2.0)
    ]


def test_an_impossible_value_may_raise_but_never_clears() -> None:
    book = book_of()
    assert len(judge(book, batch_of(140.0, quality=Quality.OUT_OF_RANGE))) == 1
    out_of_range = batch_of(-40.0, at_ms=T0_MS + 1_000, quality=Quality.OUT_OF_RANGE)
    assert judge(book, out_of_range) == []


@pytest.mark.parametrize("value", ["high", True])
def test_words_and_flags_are_no_measurements(value: Value) -> None:
    assert judge(book_of(), batch_of(value)) == []


def test_a_restart_goes_on_where_the_log_ends() -> None:
    records = judge(book_of(), batch_of(2.0))
    book = book_of(restored=records)
    assert book.active == tuple(records)
    assert judge(book, batch_of(2.1, at_ms=T0_MS + 1_000)) == []
    assert story(judge(book, batch_of(0.1, at_ms=T0_MS + 2_000))) == [("cleared", 2, 0.1)]


def test_samples_that_come_again_after_a_crash_make_no_second_alert() -> None:
    batch = batch_of(1.0, 2.0, 1.0, 2.0, 1.0)
    records = judge(book_of(), batch)
    assert len(records) == 4
    for kept in range(5):  # the crash came when so many of them were on disk
        again = judge(book_of(restored=records[:kept]), batch)
        known = {(one.alert_id, one.revision) for one in records}
        made = {(one.alert_id, one.revision) for one in (*records[:kept], *again)}
        assert made == known, kept


def test_an_alert_of_a_rule_that_is_no_more_is_cleared() -> None:
    records = judge(book_of(), batch_of(2.0))
    other = ThresholdRule(
        name="oxygen", metric="o2_pct", raise_at=30, clear_below=30, severity=Severity.LOW
    )
    book = book_of(other, restored=records)
    assert story(book.orphans(T0_MS + 9)) == [("cleared", 2, 2.0)]
    assert book.orphans(T0_MS + 10) == []


def test_alerts_that_are_over_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "REMEMBERED_MAX", 2)
    book = book_of()
    records = judge(book, batch_of(*[2.0, 1.0] * 5, 2.0))
    ids = [record.alert_id for record in records if record.state is AlertState.RAISED]
    assert list(book.alerts) == ids[-3:]


@pytest.mark.parametrize("seed", range(40))
def test_at_any_time_an_alert_stands_if_and_only_if_the_values_say_so(seed: int) -> None:
    dice = random.Random(seed)
    book, kept, stands, at_ms = book_of(), list[AlertRecord](), False, T0_MS
    for _ in range(200):
        values = [round(dice.uniform(0.8, 2.0), 2) for _ in range(dice.randint(1, 4))]
        kept += judge(book, batch_of(*values, at_ms=at_ms))
        for value in values:
            stands = value >= METHANE.raise_at or (stands and value >= METHANE.clear_below)
        assert bool(book.active) is stands, seed
        at_ms += 1_000 * len(values)
        if dice.random() < 0.1:
            book = book_of(restored=kept)
    assert all(
        one.revision == other.revision + 1
        for other, one in zip(kept[::2], kept[1::2], strict=False)
    )
