"""Judgement of single samples: time, duplicates, births and deaths, physical range."""

import pytest

from edge.ingest.catalogue import Catalogue, SeriesEntry, Source
from edge.ingest.clock_doubt import ClockDoubt
from edge.ingest.decoded import DecodedSample, Reason
from edge.ingest.quality import Delivery, Judge, Outcome, TimeLimits, Verdict, range_quality
from edge.ingest.seen import SeenWindow
from shared.domain.samples import Quality, Value, ValueType
from shared.domain.topics import parse_topic

NOW_MS = 1_700_000_000_000
LIMITS = TimeLimits(late_after_ms=60_000, future_after_ms=2_000, future_reject_ms=300_000)
FIRST = Delivery(retained=False, redelivered=False)
AGAIN = Delivery(retained=False, redelivered=True)
RETAINED = Delivery(retained=True, redelivered=False)
NO_DOUBT = ClockDoubt(recorded_ms=0, tolerance_ms=LIMITS.future_reject_ms)


class Desk:
    """One source under judgement."""

    def __init__(self, channel: str = "telemetry", doubt: ClockDoubt = NO_DOUBT) -> None:
        self.judge = Judge(LIMITS, SeenWindow(), doubt)
        self.catalogue = Catalogue(series=(), sources=(), series_max=10)
        self.source = self.source_of(channel)

    def source_of(self, channel: str) -> Source:
        source = self.catalogue.source_of(parse_topic(f"mine/v1/kaduna/sensor/gas-1/{channel}"))
        assert source is not None
        return source

    def take(
        self,
        seq: int | None,
        ts_ms: int | None,
        value: Value = 1.0,
        *,
        delivery: Delivery = FIRST,
        now_ms: int = NOW_MS,
        source: Source | None = None,
    ) -> Verdict:
        sample = DecodedSample(seq, ts_ms, [("a", ValueType.NUMBER, value)])
        return self.judge.judge(sample, source or self.source, delivery, now_ms)


@pytest.mark.parametrize(
    ("ahead_ms", "quality"),
    [
        (0, Quality.GOOD),
        (2_000, Quality.GOOD),
        (2_001, Quality.FUTURE),
        (300_000, Quality.FUTURE),
        (-60_000, Quality.GOOD),
        (-60_001, Quality.LATE),
        (-NOW_MS, Quality.LATE),
    ],
)
def test_flags_a_time_that_is_far_from_the_edges(ahead_ms: int, quality: Quality) -> None:
    verdict = Desk().take(1, NOW_MS + ahead_ms)
    assert (verdict.outcome, verdict.quality) == (Outcome.ACCEPTED, quality)
    assert verdict.ts_ms == NOW_MS + ahead_ms


def test_takes_the_edges_time_where_the_device_gives_none() -> None:
    verdict = Desk().take(1, None)
    assert (verdict.ts_ms, verdict.quality) == (NOW_MS, Quality.EDGE_TIME)


def test_refuses_a_time_that_cannot_be_believed_but_counts_its_number() -> None:
    desk = Desk()
    desk.take(1, NOW_MS)
    refused = desk.take(2, NOW_MS + 300_001)
    assert refused.refusal is not None
    assert refused.refusal.reason is Reason.FUTURE_TIME
    assert desk.take(3, NOW_MS + 1).quality == Quality.GOOD  # 2 did arrive: no gap before 3


def test_a_time_that_was_not_believed_makes_no_restart_of_what_follows() -> None:
    desk = Desk()
    desk.take(1, NOW_MS)
    desk.take(5, NOW_MS + 10**9)
    assert desk.take(4, NOW_MS - 1).sequence.recovered


def test_refuses_no_time_while_the_edges_own_clock_is_in_doubt() -> None:
    desk = Desk(doubt=ClockDoubt(recorded_ms=NOW_MS, tolerance_ms=300_000))
    weeks_back_ms = NOW_MS - 3 * 7 * 86_400_000
    taken = desk.take(1, NOW_MS + 60_000, now_ms=weeks_back_ms)
    assert (taken.outcome, taken.quality) == (Outcome.ACCEPTED, Quality.FUTURE)
    refused = desk.take(2, 2**62, now_ms=weeks_back_ms)  # no clock is off like that
    assert refused.outcome is Outcome.REFUSED


def test_suppresses_the_same_number_and_time() -> None:
    desk = Desk()
    assert desk.take(1, NOW_MS).outcome is Outcome.ACCEPTED
    assert desk.take(1, NOW_MS).outcome is Outcome.DUPLICATE
    assert desk.take(1, NOW_MS + 1).outcome is Outcome.ACCEPTED


def test_tells_topics_apart() -> None:
    desk = Desk()
    desk.take(1, NOW_MS)
    other = desk.take(1, NOW_MS, source=desk.source_of("death"))
    assert other.outcome is Outcome.ACCEPTED


def test_without_a_number_equal_values_at_the_same_time_are_a_duplicate() -> None:
    desk = Desk()
    desk.take(None, NOW_MS, 1.0)
    assert desk.take(None, NOW_MS, 2.0).outcome is Outcome.ACCEPTED
    assert desk.take(None, NOW_MS, 1.0).outcome is Outcome.DUPLICATE


def test_without_a_time_only_a_redelivery_is_a_duplicate() -> None:
    # A device without a clock that reboots sends 0, 1, 2 again, perhaps with the same values.
    desk = Desk()
    for seq in (0, 1, 2):
        desk.take(seq, None)
    assert desk.take(1, None, delivery=AGAIN).outcome is Outcome.DUPLICATE
    assert [desk.take(seq, None).outcome for seq in (0, 1)] == [Outcome.ACCEPTED] * 2


def test_without_time_and_number_nothing_is_ever_suppressed() -> None:
    desk = Desk()
    outcomes = [desk.take(None, None, delivery=AGAIN).outcome for _ in range(3)]
    assert outcomes == [Outcome.ACCEPTED] * 3


def test_a_retained_message_is_old_news_unless_it_is_newer_than_all_that_came() -> None:
    desk = Desk()
    desk.take(9, NOW_MS)
    assert desk.take(8, NOW_MS - 1, delivery=RETAINED).outcome is Outcome.DUPLICATE
    assert desk.take(10, NOW_MS + 1, delivery=RETAINED).outcome is Outcome.ACCEPTED


def test_a_death_is_newer_than_the_birth_it_ends() -> None:
    # A last will carries the time of its connect, which is before the birth.
    desk = Desk()
    birth = desk.take(0, NOW_MS, source=desk.source_of("birth"))
    death = desk.take(0, NOW_MS - 5, source=desk.source_of("death"), now_ms=NOW_MS + 9_000)
    assert (birth.ts_ms, birth.quality) == (NOW_MS, Quality.GOOD)
    assert death.ts_ms == NOW_MS + 9_000
    assert death.quality == Quality.EDGE_TIME


def test_a_death_is_newer_than_all_that_a_device_without_a_birth_said() -> None:
    desk = Desk()
    desk.take(1, NOW_MS)
    death = desk.take(0, NOW_MS - 5_000, source=desk.source_of("death"), now_ms=NOW_MS + 10)
    assert (death.ts_ms, death.quality) == (NOW_MS + 10, Quality.EDGE_TIME)


def test_a_death_is_newer_than_what_a_clock_that_runs_ahead_said() -> None:
    desk = Desk()
    desk.take(1, NOW_MS + 1_500)
    death = desk.take(0, NOW_MS - 5_000, source=desk.source_of("death"), now_ms=NOW_MS + 10)
    assert death.ts_ms == NOW_MS + 1_501


def test_a_will_set_after_the_birth_is_newer_than_the_telemetry_since() -> None:
    desk = Desk()
    desk.take(0, NOW_MS - 9_000, source=desk.source_of("birth"))
    desk.take(1, NOW_MS)
    death = desk.take(0, NOW_MS - 5_000, source=desk.source_of("death"), now_ms=NOW_MS + 10)
    assert death.ts_ms == NOW_MS + 10


def test_a_death_that_is_newer_than_all_keeps_its_own_time() -> None:
    desk = Desk()
    desk.take(1, NOW_MS)
    death = desk.take(0, NOW_MS + 5, source=desk.source_of("death"), now_ms=NOW_MS + 10)
    assert (death.ts_ms, death.quality) == (NOW_MS + 5, Quality.GOOD)


def test_a_birth_that_waited_at_the_broker_is_newer_than_the_death_before_it() -> None:
    desk = Desk()
    death = desk.take(None, None, source=desk.source_of("death"))
    birth = desk.take(0, NOW_MS - 60_000, source=desk.source_of("birth"))
    assert birth.ts_ms == death.ts_ms + 1


@pytest.mark.parametrize(
    ("value", "flagged"),
    [(0.0, False), (100.0, False), (100.1, True), (-0.1, True), (True, False), ("text", False)],
)
def test_flags_a_number_that_cannot_physically_be(value: Value, flagged: bool) -> None:
    entry = SeriesEntry(1, ValueType.NUMBER, 0.0, 100.0)
    assert range_quality(value, entry) == (Quality.OUT_OF_RANGE if flagged else 0)
