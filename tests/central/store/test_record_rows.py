"""Alerts and gaps on a real PostgreSQL: each once, in whatever order they come."""

from dataclasses import replace
from itertools import permutations

import msgspec
import pytest

from shared.ids import Kind
from shared.sync.records import (
    AUDIT_LANE,
    RECORDS_PLAIN,
    AlertState,
    GapRecord,
    MessageGapRecord,
    Severity,
    encode_records,
)
from shared.web.site_data import AlertQuery, GapQuery
from tests.support.alerts import make_alert
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, batch_of_body, entry, record_batch

RAISED = make_alert(1.62)
CLEARED = make_alert(1.4, revision=2, state=AlertState.CLEARED, at_ms=RAISED.at_ms + 60_000)
GAP = GapRecord(
    lane=2, first_seq=5, last_seq=9, samples=90, t_min_ms=NOW_MS, t_max_ms=None,
    reason="disk_full", at_ms=NOW_MS,
)  # fmt: skip
MISSED = MessageGapRecord(
    gap_id="g1",
    topic="mine/v1/kaduna/sensor/gas-1/telemetry", missing=7, from_ms=None, until_ms=NOW_MS,
    reason="sequence_gap", at_ms=NOW_MS,
)  # fmt: skip


async def test_an_alert_stands_at_its_newest_revision_and_keeps_all_of_them(
    world: CentralWorld,
) -> None:
    await world.deliver(record_batch(1, RAISED), record_batch(2, CLEARED), series=())
    assert await world.sql("SELECT alert_id, revision, state, value FROM alert") == [
        ("a1", 2, "cleared", 1.4)
    ]
    context = [list(sample) for sample in RAISED.context]
    assert await world.sql(
        "SELECT revision, state, value, context FROM alert_revision ORDER BY revision"
    ) == [(1, "raised", 1.62, context), (2, "cleared", 1.4, context)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_no_order_of_arrival_brings_an_old_revision_back(
    world: CentralWorld, order: tuple[int, ...]
) -> None:
    again = make_alert(1.9, revision=3, at_ms=RAISED.at_ms + 90_000)
    batches = [record_batch(1, RAISED), record_batch(2, CLEARED), record_batch(3, again)]
    grant = await world.session()
    for place in order:
        await world.store(grant, batches[place])
        await world.unpack()
    assert await world.sql("SELECT revision, state, value FROM alert") == [(3, "raised", 1.9)]
    assert await world.sql("SELECT count(*) FROM alert_revision") == [3]


async def test_the_same_revision_in_two_batches_is_one(world: CentralWorld) -> None:
    await world.deliver(record_batch(1, RAISED), record_batch(2, RAISED), series=())
    assert await world.sql("SELECT count(*) FROM alert_revision") == [1]


async def test_declared_gaps_are_kept_with_their_reasons(world: CentralWorld) -> None:
    again = record_batch(2, MISSED, lane=AUDIT_LANE)  # as after a crash of the edge
    await world.deliver(record_batch(1, GAP, MISSED, lane=AUDIT_LANE), again, series=())
    assert await world.sql(
        "SELECT lane, first_seq, last_seq, samples, started_at, ended_at, reason FROM log_gap"
    ) == [(2, 5, 9, 90, NOW_MS, None, "disk_full")]
    assert await world.sql(
        "SELECT topic, missing, started_at, ended_at, reason FROM message_gap"
    ) == [(MISSED.topic, 7, None, NOW_MS, "sequence_gap")]


async def test_an_alert_passes_all_telemetry_that_waits(world: CentralWorld) -> None:
    grant = await world.session()
    telemetry = [batch(n, [Sample(1, NOW_MS, 1.0)]) for n in range(1, 6)]
    await world.store(grant, *telemetry, series=[entry(1)])
    await world.store(grant, record_batch(1, GAP, lane=AUDIT_LANE), record_batch(1, RAISED))
    done = await world.unpacking.apply_next(batches_max=64)
    assert (done.batches, done.more) == (2, True)
    assert await world.sql("SELECT count(*) FROM alert") == [1]
    assert await world.sql("SELECT count(*) FROM sample") == [0]
    await world.unpack()
    assert await world.sql("SELECT count(*) FROM sample") == [5]


async def test_records_that_cannot_be_read_stop_nothing_behind_them(world: CentralWorld) -> None:
    later = bytes([RECORDS_PLAIN]) + msgspec.msgpack.encode([[99, "x"]])
    miscounted = batch_of_body(3, encode_records([RAISED]), n=2, lane=0)
    grant = await world.session()
    await world.store(
        grant,
        batch_of_body(1, later, n=1, lane=0),
        batch_of_body(2, bytes([RECORDS_PLAIN, 0xC1]), n=1, lane=0),
        miscounted,
        record_batch(4, RAISED),
    )
    done = await world.unpack()
    assert sorted(poison.reason for poison in done.quarantined) == [
        "bad_body", "bad_count",
    ]  # fmt: skip
    assert [parked.reason for parked in done.parked] == ["unknown_record"]
    assert await world.sql("SELECT revision FROM alert") == [1]


async def test_gaps_of_both_kinds_are_listed_page_by_page(world: CentralWorld) -> None:
    later = msgspec.structs.replace(GAP, first_seq=10, last_seq=12, at_ms=NOW_MS + 1)
    await world.deliver(record_batch(1, GAP, MISSED, later, lane=AUDIT_LANE), series=())
    asked = GapQuery(site="kaduna", limit=10)
    found = list(await world.reader.gaps(asked))
    assert [(gap.reason, gap.first_seq, gap.messages) for gap in found] == [
        ("disk_full", 10, None),
        ("disk_full", 5, None),
        ("sequence_gap", None, 7),
    ]
    assert {gap.edge_id for gap in found} == {"edge-1"}
    assert found[2].topic == MISSED.topic
    pages, after = list[str](), None
    while page := await world.reader.gaps(replace(asked, limit=1, after=after)):
        pages.append(page[0].gap_id)
        after = (page[0].declared_ms, page[0].gap_id)
    assert pages == [gap.gap_id for gap in found]


async def test_what_is_read_is_what_the_edge_sent(world: CentralWorld) -> None:
    later = make_alert(2.0, alert_id="a2", kind="worker", raised_ms=RAISED.raised_ms + 1)
    await world.deliver(
        record_batch(1, RAISED), record_batch(2, CLEARED), record_batch(3, later), series=()
    )
    kinds = frozenset(Kind)
    asked = AlertQuery(site="kaduna", kinds=kinds, limit=10)
    assert list(await world.reader.alerts(asked)) == [later, CLEARED]
    assert list(await world.reader.alerts(replace(asked, kinds=kinds - {Kind.WORKER}))) == [CLEARED]
    assert list(await world.reader.alerts(replace(asked, state=AlertState.RAISED))) == [later]
    assert list(await world.reader.alerts(replace(asked, alert_id="a1"))) == [CLEARED]
    assert list(await world.reader.alerts(replace(asked, severity=Severity.LOW))) == []
    after = (later.raised_ms, later.alert_id)
    assert list(await world.reader.alerts(replace(asked, after=after))) == [CLEARED]
    assert list(await world.reader.alerts(replace(asked, limit=1))) == [later]
    assert list(await world.reader.alerts(replace(asked, site="elsewhere"))) == []
