"""The promise of ingest: acknowledged only when durable, in order, whatever the log does."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from edge.errors import LogError, LogFullError
from edge.ingest import intake as intake_module
from edge.ingest.seen import SeenWindow
from edge.log.records import PendingBatch, PendingRecords
from shared.domain.samples import Quality
from shared.sync.records import AlertRecord
from tests.support.alerts import make_alert
from tests.support.ingest_bench import GAS, ingest_life, message, sample, turn
from tests.support.intake_log import IntakeLog

T0_MS = 1_700_000_000_000


class MethaneWatch:
    """Makes one alert for each value above 1.5."""

    def __init__(self, log: IntakeLog) -> None:
        self._log = log

    def judge(self, batch: PendingBatch) -> list[AlertRecord]:
        return [make_alert(value) for value in batch.value if float(value) > 1.5]

    async def store(self, records: Sequence[AlertRecord]) -> None:
        pending = PendingRecords(lane=0, records=tuple(records), received_ms=T0_MS)
        await self._log.append_records(pending)


async def test_nothing_is_acknowledged_before_the_commit() -> None:
    log = IntakeLog(gate=asyncio.Event())
    async with ingest_life(log) as life:
        life.offer(message(sample(1, T0_MS), packet_id=11))
        await turn(50)
        assert life.acknowledged == []
        assert life.intake.load.messages == 1
        assert log.gate is not None
        log.gate.set()
        await life.flush()
        assert life.acknowledged == [11]
    assert log.values() == {"sensor/gas-1/ch4_pct": [(T0_MS, 0.5)]}


async def test_a_refusal_is_durable_before_the_samples_beside_it() -> None:
    # In this order a crash in between repeats the refusal; in the other it would be lost.
    log = IntakeLog()
    async with ingest_life(log) as life:
        life.offer(message({"ts": T0_MS, "metrics": {"good": 1, "bad": None}}, packet_id=1))
        await life.flush()
    assert log.commits == ["quarantine", "append"]
    assert log.values() == {"sensor/gas-1/good": [(T0_MS, 1.0)]}
    (entry,) = log.quarantined
    assert (entry.reason, entry.field) == ("bad_value", "metrics.bad")


async def test_an_alert_is_durable_before_the_samples_that_made_it() -> None:
    # In this order a crash in between makes the samples come again; in the other it would be lost.
    log = IntakeLog()
    async with ingest_life(log, watch=MethaneWatch(log)) as life:
        life.offer(message({"ts": T0_MS, "metrics": {"ch4_pct": 2, "bad": None}}, packet_id=1))
        await life.flush()
        assert life.acknowledged == [1]
    assert log.commits == ["quarantine", "records", "append"]
    assert len(log.records) == 1


async def test_an_alert_that_the_log_refuses_is_stored_again_and_not_judged_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "COMMIT_RETRY_MIN_S", 0.001)
    log = IntakeLog(failures=[LogFullError("full"), LogError("i/o")])
    async with ingest_life(log, watch=MethaneWatch(log)) as life:
        life.offer(message(sample(1, T0_MS, ch4_pct=2.0), packet_id=1))
        await life.flush()
        assert life.acknowledged == [1]
    assert len(log.records) == 1


async def test_many_refusals_of_one_message_share_an_entry_by_reason() -> None:
    log = IntakeLog()
    document = {"samples": [{"metrics": {"a": None, "B": 1}}] * 100}
    async with ingest_life(log) as life:
        life.offer(message(document, packet_id=1))
        await life.flush()
        assert life.counts.refused == {"bad_value": 100, "bad_metric": 100}
    assert sorted(entry.reason for entry in log.quarantined) == ["bad_metric", "bad_value"]
    assert log.quarantined[0].detail.endswith("(and 99 more)")


async def test_a_row_that_the_log_can_never_take_is_refused_alone() -> None:
    log = IntakeLog(unstorable_values={13.0})
    async with ingest_life(log) as life:
        life.offer(message({"ts": T0_MS, "metrics": {"a": 1, "b": 13}}, packet_id=1))
        await life.flush()
        assert life.acknowledged == [1]
        assert life.counts.refused == {"bad_value": 1}
        assert life.counts.values == 1
    assert log.values() == {"sensor/gas-1/a": [(T0_MS, 1.0)]}
    assert log.commits == ["quarantine", "append"]
    (entry,) = log.quarantined
    assert (entry.topic, entry.field) == ("mine/v1/kaduna/sensor/gas-1", "metrics.b")
    assert (entry.detail, entry.payload) == ("the log cannot store it: odd", b"13.0")


async def test_a_full_log_is_asked_again_until_it_takes_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "COMMIT_RETRY_MIN_S", 0.001)
    log = IntakeLog(failures=[LogFullError("disk full"), LogError("i/o"), LogFullError("full")])
    async with ingest_life(log) as life:
        life.offer(message({"metrics": {"a": 1, "b": None}}, packet_id=1))
        life.offer(message(sample(2, T0_MS), packet_id=2))
        await life.flush()
        assert life.acknowledged == [1, 2]
        assert life.counts.commit_failures == 3
        assert life.intake.load.trouble is None
    assert len(log.quarantined) == 1
    assert len(log.rows) == 2


async def test_says_what_the_trouble_is_while_the_log_refuses() -> None:
    log = IntakeLog(failures=[LogFullError("no space left")])
    async with ingest_life(log) as life:
        life.offer(message(sample(1, T0_MS), packet_id=1))
        await turn(50)
        assert life.intake.load.trouble == "log_full: no space left"
        assert life.acknowledged == []


async def test_reading_stops_when_full_and_goes_on_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "WAITING_MESSAGES_MAX", 10)
    log = IntakeLog(gate=asyncio.Event())
    resumed: list[bool] = []
    async with ingest_life(log) as life:
        life.intake.on_relief(lambda: resumed.append(life.intake.is_full))
        life.offer(*[message(b"x", packet_id=1) for _ in range(9)])
        assert not life.intake.is_full
        life.offer(message(b"x", packet_id=2))
        assert life.intake.is_full
        assert log.gate is not None
        log.gate.set()
        await life.flush()
        assert resumed
        assert not any(resumed)


async def test_reading_stops_at_the_limit_of_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "WAITING_BYTES_MAX", 100)
    async with ingest_life(IntakeLog()) as life:
        life.offer(message(b"x" * 99))
        assert not life.intake.is_full
        life.offer(message(b"x"))
        assert life.intake.is_full


async def test_judging_waits_for_the_disk_when_much_is_not_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "JUDGED_SAMPLES_MAX", 10)
    log = IntakeLog(gate=asyncio.Event())
    async with ingest_life(log) as life:
        life.offer(*[message(sample(n, T0_MS + n), packet_id=n + 1) for n in range(100)])
        await turn(50)
        # Ten are with the disk, ten more are judged, the rest waits unjudged.
        assert life.counts.samples == 20
        assert log.gate is not None
        log.gate.set()
        await life.flush()
        assert life.acknowledged == list(range(1, 101))


async def test_acknowledges_in_the_order_of_arrival() -> None:
    async with ingest_life(IntakeLog()) as life:
        for packet_id in range(1, 2_000):
            life.offer(message(sample(packet_id, T0_MS + packet_id), packet_id=packet_id))
            if packet_id % 7 == 0:
                await turn()
        await life.flush()
        assert life.acknowledged == list(range(1, 2_000))
        assert life.counts.commits > 10


async def test_messages_that_wait_together_are_committed_together() -> None:
    log = IntakeLog()
    async with ingest_life(log) as life:
        life.offer(*[message(sample(n, T0_MS + n), packet_id=n + 1) for n in range(200)])
        await life.flush()
    assert log.commits == ["append"]


async def test_quality_of_service_zero_is_stored_without_an_answer() -> None:
    log = IntakeLog()
    async with ingest_life(log) as life:
        life.offer(message(sample(1, T0_MS)))
        await life.flush()
        assert life.acknowledged == []
    assert len(log.rows) == 1


async def test_a_duplicate_is_acknowledged_and_stored_once() -> None:
    log = IntakeLog()
    async with ingest_life(log) as life:
        for packet_id in (1, 2, 3):
            life.offer(message(sample(7, T0_MS), packet_id=packet_id))
        await life.flush()
        assert life.acknowledged == [1, 2, 3]
        assert life.counts.duplicates == 2
    assert len(log.rows) == 1


async def test_a_redelivery_after_a_restart_is_recognised() -> None:
    log = IntakeLog()
    for packet_id, dup in ((1, False), (1, True)):
        async with ingest_life(log) as life:
            life.offer(message(sample(7, T0_MS), packet_id=packet_id, dup=dup))
            await life.flush()
            assert life.acknowledged == [1]
    assert len(log.rows) == 1


async def test_a_gap_across_a_restart_is_flagged() -> None:
    log = IntakeLog()
    for seq in (7, 9):
        async with ingest_life(log) as life:
            life.offer(message(sample(seq, T0_MS + seq), packet_id=1))
            await life.flush()
    assert [quality for *_, quality in log.rows] == [Quality.GOOD, Quality.GAP_BEFORE]


async def test_a_heartbeat_moves_the_sequence_over_a_restart_too() -> None:
    log = IntakeLog()
    for seq, metrics in ((7, {"a": 1}), (8, {}), (9, {"a": 2})):
        async with ingest_life(log) as life:
            life.offer(message({"ts": T0_MS + seq, "seq": seq, "metrics": metrics}, packet_id=1))
            await life.flush()
            assert life.acknowledged == [1]
    assert [quality for *_, quality in log.rows] == [Quality.GOOD] * 3


async def test_a_heartbeat_registers_a_device_and_says_online_now_and_then() -> None:
    log = IntakeLog()
    async with ingest_life(log) as life:
        for seq in range(25):
            beat: dict[str, Any] = {"ts": T0_MS + seq * 1_000, "seq": seq, "metrics": {}}
            life.offer(message(beat, packet_id=seq + 1))
        await life.flush()
        assert (len(life.acknowledged), life.counts.gaps) == (25, 0)
    assert log.values() == {
        "sensor/gas-1/online": [(T0_MS, True), (T0_MS + 10_000, True), (T0_MS + 20_000, True)]
    }


async def test_the_last_number_of_a_quiet_device_outlives_the_window() -> None:
    # gas-1 is silent while others fill the window again and again: its last number is written
    # anew each time, or after a restart its gap would not be seen.
    log = IntakeLog()
    async with ingest_life(log, seen=SeenWindow(generation_size=10)) as life:
        life.offer(message(sample(7, T0_MS), packet_id=1))
        other = GAS.replace("gas-1", "gas-2")
        for seq in range(100):
            life.offer(message(sample(seq, T0_MS + seq), topic=other, packet_id=2))
        await life.flush()
    assert (1, 7, T0_MS) in log.recent[-30:]  # three generations of ten
    del log.recent[:-30]  # the log forgets as well
    async with ingest_life(log) as life:
        life.offer(message(sample(9, T0_MS + 9), packet_id=1))
        await life.flush()
        assert life.counts.missing == 1


async def test_a_time_too_far_ahead_is_refused_and_its_redelivery_suppressed() -> None:
    log = IntakeLog()
    for _ in range(2):
        async with ingest_life(log) as life:
            life.offer(message(sample(1, T0_MS + 10**9), packet_id=1))
            await life.flush()
            assert life.acknowledged == [1]
    assert [entry.reason for entry in log.quarantined] == ["future_time"]
    assert log.rows == []


async def test_a_birth_changes_the_unit_of_what_follows() -> None:
    log = IntakeLog()
    birth = {"ts": T0_MS, "seq": 0, "metrics": {"ch4_pct": "vol%"}}
    async with ingest_life(log) as life:
        life.offer(message(birth, topic=GAS.replace("telemetry", "birth"), packet_id=1))
        life.offer(message(sample(1, T0_MS, ch4_pct=1), packet_id=2))
        await life.flush()
    units = {series.name.metric: series.unit for _, series in log.series}
    assert units == {"online": "", "ch4_pct": "vol%"}


async def test_an_old_birth_that_is_delivered_again_undoes_no_newer_one() -> None:
    log = IntakeLog()
    birth_topic = GAS.replace("telemetry", "birth")
    old = {"ts": T0_MS, "seq": 0, "metrics": {"ch4_pct": "vol%"}}
    new = {"ts": T0_MS + 1, "seq": 0, "metrics": {"ch4_pct": "%"}}
    async with ingest_life(log) as life:
        for birth in (old, new, old):
            life.offer(message(birth, topic=birth_topic))
        life.offer(message(sample(1, T0_MS + 2, ch4_pct=1)))
        await life.flush()
    units = {number: series.unit for number, series in log.series}
    assert [units[number] for number, ts_ms, *_ in log.rows if ts_ms == T0_MS + 2] == ["%"]


async def test_a_declared_unit_outlives_a_restart_before_its_first_sample() -> None:
    log = IntakeLog()
    birth = {"ts": T0_MS, "seq": 0, "metrics": {"temp_c": "°F"}}
    async with ingest_life(log) as life:
        life.offer(message(birth, topic=GAS.replace("telemetry", "birth")))
        await life.flush()
    async with ingest_life(log) as life:
        life.offer(message(sample(1, T0_MS + 1, temp_c=80.0)))
        await life.flush()
    assert [series.unit for _, series in log.series if series.name.metric == "temp_c"] == ["°F"]


async def test_others_messages_pass_unseen() -> None:
    log = IntakeLog()
    topic = GAS.replace("sensor", "vehicle").replace("telemetry", "cmd")
    async with ingest_life(log) as life:
        life.offer(message(b"\x00control", topic=topic, packet_id=5))
        await life.flush()
        assert life.acknowledged == [5]
        assert (life.counts.not_ours, life.counts.refused) == (1, {})
    assert log.commits == []


@pytest.mark.parametrize(
    ("topic", "reason"),
    [("mine/v1/kaduna/sensor/gas-1/x", "bad_topic"), (GAS.replace("kaduna", "x"), "foreign_site")],
)
async def test_wrong_topics_go_to_the_quarantine(topic: str, reason: str) -> None:
    log = IntakeLog()
    async with ingest_life(log) as life:
        life.offer(message(sample(1, T0_MS), topic=topic, packet_id=5))
        await life.flush()
        assert life.acknowledged == [5]
    assert [(entry.reason, entry.topic) for entry in log.quarantined] == [(reason, topic)]


async def test_too_many_series_refuse_the_new_metric_and_keep_the_known() -> None:
    log = IntakeLog()
    async with ingest_life(log, series_max=1) as life:
        life.offer(message(sample(1, T0_MS, a=1), packet_id=1))
        life.offer(message(sample(2, T0_MS + 1, a=2, b=3), packet_id=2))
        life.offer(message(sample(1, T0_MS), topic=GAS.replace("gas-1", "gas-2"), packet_id=3))
        await life.flush()
        assert life.acknowledged == [1, 2, 3]
    assert log.values() == {"sensor/gas-1/a": [(T0_MS, 1.0), (T0_MS + 1, 2.0)]}
    assert [entry.reason for entry in log.quarantined] == ["too_many_series"] * 2


async def test_a_large_batch_is_stored_whole_and_gives_the_loop_back_meanwhile() -> None:
    log = IntakeLog()
    batch = {"samples": [sample(n, T0_MS + n) for n in range(5_000)]}
    turns = 0
    async with ingest_life(log) as life:
        life.offer(message(batch, packet_id=1))
        while not life.acknowledged:
            await turn()
            turns += 1
    assert len(log.rows) == 5_000
    assert turns >= 5_000 // 250  # the loop turned at least once for every slice
    assert log.commits == ["append"]


async def test_a_beat_is_heard_while_the_log_refuses_and_not_while_it_hangs() -> None:
    log = IntakeLog(gate=asyncio.Event())
    beats: list[float] = []
    async with ingest_life(log) as life:
        life.intake.on_beat(lambda: beats.append(life.clock.now_s))
        life.offer(message(sample(1, T0_MS), packet_id=1))
        await turn(20)
        heard = len(beats)
        assert heard > 0
        life.clock.advance_s(60)  # the disk has not answered for a minute
        life.offer(message(sample(2, T0_MS + 1), packet_id=2))
        await turn(20)
        assert len(beats) == heard
