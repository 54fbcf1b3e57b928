"""From the inbox into partitions, on a real PostgreSQL: every type, every day, every fault."""

import asyncio

import psycopg
import pytest

from central.errors import StoreError
from central.inbox.unpack import prepare
from central.store.database import Connection
from central.store.instants import INSTANT_MS_MAX
from central.store.partitions import DayPartitions
from central.store.sample_writer import PARTITION_RETRY_S, ROOM_TIME_MAX_S
from central.store.unpacking import SAMPLES_PER_TRANSACTION_MAX, Unpacking
from shared.domain.samples import Quality, ValueType
from shared.ids import Kind
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, batch_of_body, entry

DAY_MS = 86_400_000
NUMBER = [entry(1)]
ALL_TYPES = [
    entry(1, "ch4_pct"),
    entry(2, "counter", value_type=ValueType.INTEGER),
    entry(3, "online", value_type=ValueType.FLAG),
    entry(4, "status", value_type=ValueType.TEXT),
]


async def rows(world: CentralWorld) -> list[tuple[object, ...]]:
    return await world.sql(
        "SELECT tableoid::regclass::text, ts, coalesce(v::text, i::text, s) FROM sample"
        " ORDER BY ts, 3"
    )


async def test_each_type_has_its_column(world: CentralWorld) -> None:
    samples = [
        Sample(1, NOW_MS, 0.1),
        Sample(2, NOW_MS, 2**62 + 1),
        Sample(3, NOW_MS, True),
        Sample(4, NOW_MS, "running"),
        Sample(4, NOW_MS + 1, "hält an ⛏"),
    ]
    await world.deliver(batch(1, samples), series=ALL_TYPES)
    assert await world.sql(
        "SELECT metric, v, i, s FROM sample JOIN series USING (site_id, series_id) ORDER BY 1, ts"
    ) == [
        ("ch4_pct", 0.1, None, None),
        ("counter", None, 2**62 + 1, None),
        ("online", None, 1, None),
        ("status", None, None, "running"),
        ("status", None, None, "hält an ⛏"),
    ]


async def test_numbers_arrive_bit_for_bit(world: CentralWorld) -> None:
    values = [0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, 2.0**53]
    samples = [Sample(1, NOW_MS + i, value) for i, value in enumerate(values)]
    await world.deliver(batch(1, samples), series=NUMBER)
    stored = await world.sql("SELECT v FROM sample ORDER BY ts")
    assert [value.hex() for value in stored] == [value.hex() for value in values]


async def test_a_nul_character_in_text_comes_back_as_it_was_sent(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(4, NOW_MS, "a\x00b\x10c")]), series=ALL_TYPES)
    (latest,) = await world.reader.latest("kaduna", [Kind.SENSOR])
    assert latest.value == "a\x00b\x10c"


async def test_quality_keeps_all_its_bits(world: CentralWorld) -> None:
    samples = [Sample(1, NOW_MS, 1.0, 0xFFFF), Sample(1, NOW_MS - 1, 1.0, int(Quality.LATE))]
    await world.deliver(batch(1, samples), series=NUMBER)
    assert await world.sql("SELECT q FROM sample ORDER BY ts") == [int(Quality.LATE), -1]
    (latest,) = await world.reader.latest("kaduna", [Kind.SENSOR])
    assert latest.quality == 0xFFFF


async def test_a_day_begins_at_midnight_utc(world: CentralWorld) -> None:
    midnight_ms = NOW_MS // DAY_MS * DAY_MS
    samples = [Sample(1, midnight_ms - 1, 1.0), Sample(1, midnight_ms, 2.0)]
    await world.deliver(batch(1, samples), series=NUMBER)
    assert await rows(world) == [
        ("sample_d20261122", midnight_ms - 1, "1"),
        ("sample_d20261123", midnight_ms, "2"),
    ]


async def test_times_outside_the_window_go_to_the_default_partition(world: CentralWorld) -> None:
    days = (-401, -400, 1, 2)
    samples = [Sample(1, NOW_MS + day * DAY_MS, float(day)) for day in days]
    samples += [Sample(1, INSTANT_MS_MAX, 9.0), Sample(1, 0, 8.0), Sample(1, -1, 7.0)]
    await world.deliver(batch(1, samples), series=NUMBER)
    assert await rows(world) == [
        ("sample_default", -1, "7"),
        ("sample_default", 0, "8"),
        ("sample_default", NOW_MS - 401 * DAY_MS, "-401"),
        ("sample_d20251019", NOW_MS - 400 * DAY_MS, "-400"),
        ("sample_d20261124", NOW_MS + DAY_MS, "1"),
        ("sample_default", NOW_MS + 2 * DAY_MS, "2"),
        ("sample_default", INSTANT_MS_MAX, "9"),
    ]


async def test_rows_leave_the_default_partition_when_their_day_comes(world: CentralWorld) -> None:
    tomorrow_ms = NOW_MS + 2 * DAY_MS
    await world.deliver(batch(1, [Sample(1, tomorrow_ms, 1.0)]), series=NUMBER)
    world.clock.now_ms += 2 * DAY_MS
    await world.deliver(batch(2, [Sample(1, tomorrow_ms + 1, 2.0)]), series=[])
    assert await rows(world) == [
        ("sample_d20261125", tomorrow_ms, "1"),
        ("sample_d20261125", tomorrow_ms + 1, "2"),
    ]


async def test_a_lock_that_is_not_free_stops_no_unpacking(world: CentralWorld) -> None:
    grant = await world.session()
    with psycopg.connect(world.url, options="-c search_path=headframe") as dump:
        dump.execute("LOCK TABLE sample_default IN ACCESS SHARE MODE")
        await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]), series=NUMBER)
        assert (await world.unpack()).batches == 1
        assert await rows(world) == [("sample_default", NOW_MS, "1")]
    world.clock.advance_s(PARTITION_RETRY_S)
    yesterday_ms = NOW_MS - DAY_MS
    await world.store(grant, batch(2, [Sample(1, yesterday_ms, 2.0)]))
    await world.unpack()
    assert await rows(world) == [
        ("sample_d20261122", yesterday_ms, "2"),
        ("sample_d20261123", NOW_MS, "1"),
    ]


async def test_partitions_that_take_long_to_make_are_spread_over_the_calls(
    world: CentralWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = DayPartitions._create  # pyright: ignore[reportPrivateUsage] a slow disk's moment

    async def slow(self: DayPartitions, connection: Connection, day: int) -> None:
        await create(self, connection, day)
        world.clock.advance_s(ROOM_TIME_MAX_S)

    monkeypatch.setattr(DayPartitions, "_create", slow)
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]), series=NUMBER)
    await world.store(grant, batch(2, [Sample(1, NOW_MS - DAY_MS, 2.0)]))
    await world.unpack()
    assert await rows(world) == [
        ("sample_default", NOW_MS - DAY_MS, "2"),
        ("sample_d20261123", NOW_MS, "1"),
    ]
    await world.store(grant, batch(3, [Sample(1, NOW_MS + 1, 3.0)]))
    await world.unpack()
    assert (await rows(world))[0] == ("sample_d20261122", NOW_MS - DAY_MS, "2")


async def test_a_partition_that_is_gone_after_a_failure_is_made_again(
    world: CentralWorld,
) -> None:
    grant = await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=NUMBER)
    await world.sql("DROP TABLE sample_d20261123")  # as a crash takes back what was not on disk
    await world.store(grant, batch(2, [Sample(1, NOW_MS, 2.0)]))
    await world.sql("ALTER TABLE sync_batch RENAME TO away")
    with pytest.raises(StoreError):
        await world.unpack()
    await world.sql("ALTER TABLE away RENAME TO sync_batch")
    await world.unpack()
    assert await rows(world) == [("sample_d20261123", NOW_MS, "2")]


async def test_a_batch_is_applied_once_however_often_it_is_asked_for(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=NUMBER)
    assert not await world.unpack()
    assert await world.sql("SELECT count(*) FROM sample") == [1]
    assert await world.sql("SELECT state FROM sync_batch") == ["applied"]


async def test_what_is_recorded_now_does_not_wait_behind_a_backlog(world: CentralWorld) -> None:
    grant = await world.session()
    for seq in range(1, 9):
        at_ms = NOW_MS - DAY_MS + seq
        backlog = batch(seq, [Sample(1, at_ms, 1.0)], recv_max_ms=at_ms)
        await world.store(grant, backlog, series=NUMBER if seq == 1 else ())
    await world.store(grant, batch(9, [Sample(1, NOW_MS, 9.0)]))
    for _ in range(2):
        assert (await world.unpacking.apply_next(batches_max=1)).batches == 1
    # By turns the newest and the one that came first.
    assert await world.sql("SELECT v FROM sample ORDER BY ts") == [1.0, 9.0]
    assert await world.sql("SELECT seq FROM sync_batch WHERE state = 'applied' ORDER BY seq") == [
        1,
        9,
    ]
    await world.unpack()
    assert await world.sql("SELECT count(*) FROM sample") == [9]


async def test_says_whether_more_was_waiting(world: CentralWorld) -> None:
    grant = await world.session()
    half = SAMPLES_PER_TRANSACTION_MAX // 2 + 1
    large = [Sample(1, NOW_MS + n, 1.0) for n in range(half)]
    await world.store(grant, batch(1, large), batch(2, large), series=NUMBER)
    cut_by_samples = await world.unpacking.apply_next(batches_max=9)
    took_all = await world.unpacking.apply_next(batches_max=9)
    assert [(each.batches, each.more) for each in (cut_by_samples, took_all)] == [
        (1, True),
        (1, False),
    ]
    small = [batch(seq, [Sample(1, NOW_MS, 1.0)]) for seq in (3, 4, 5)]
    await world.store(grant, *small)
    cut_by_batches = await world.unpacking.apply_next(batches_max=2)
    assert (cut_by_batches.batches, cut_by_batches.more) == (2, True)


async def test_unpackers_side_by_side_share_the_work(world: CentralWorld) -> None:
    grant = await world.session()
    batches = [batch(seq, [Sample(1, NOW_MS + seq, float(seq))]) for seq in range(1, 101)]
    await world.store(grant, *batches, series=NUMBER)
    unpackers = [Unpacking(world.database, world.clock, prepare) for _ in range(4)]

    async def work(unpacking: Unpacking) -> int:
        done = 0
        while applied := await unpacking.apply_next(batches_max=7):
            done += applied.batches
        return done

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work(each)) for each in unpackers]
    # One that found all the rest claimed by others may have gone home early: look once more.
    rest = await world.unpack()
    assert sum(task.result() for task in workers) + rest.batches == 100
    assert await world.sql("SELECT v FROM sample ORDER BY ts") == [float(n) for n in range(1, 101)]


async def test_a_batch_that_cannot_be_read_is_kept_aside_and_stops_nothing(
    world: CentralWorld,
) -> None:
    grant = await world.session()
    good = batch(1, [Sample(1, NOW_MS, 1.0)])
    poison = {
        2: batch_of_body(2, b"rubbish", 1),
        3: batch_of_body(3, good.body, 7),
        5: batch(5, [Sample(1, NOW_MS, "text")]),
        6: batch(6, [Sample(1, NOW_MS, float("nan"))]),
        7: batch(7, [Sample(1, 2**62, 1.0)]),
    }
    await world.store(grant, good, *poison.values(), series=NUMBER)
    applied = await world.unpack()
    assert (applied.batches, applied.rows) == (1, 1)
    assert await world.sql("SELECT seq, reason FROM sync_quarantine ORDER BY seq") == [
        (2, "bad_body"),
        (3, "bad_count"),
        (5, "bad_type"),
        (6, "bad_value"),
        (7, "bad_ts"),
    ]
    bodies = await world.sql("SELECT body FROM sync_quarantine ORDER BY seq")
    assert bodies == [each.body for each in poison.values()]
    assert await world.sql("SELECT DISTINCT state FROM sync_batch ORDER BY 1") == [
        "applied",
        "quarantined",
    ]
    assert (await world.session()).lanes[2].count == 6  # quarantined batches are held, too


async def test_what_only_the_server_refuses_is_found_among_the_good(world: CentralWorld) -> None:
    await world.sql("ALTER TABLE sample ADD CONSTRAINT mild CHECK (v < 100)")
    grant = await world.session()
    batches = [batch(seq, [Sample(1, NOW_MS + seq, seq * 40.0)]) for seq in (1, 2, 3)]
    await world.store(grant, *batches, series=NUMBER)
    applied = await world.unpack()
    assert (applied.batches, [poison.key.seq for poison in applied.quarantined]) == (2, [3])
    assert await world.sql("SELECT v FROM sample ORDER BY ts") == [40.0, 80.0]
    assert await world.sql("SELECT reason FROM sync_quarantine") == ["refused_by_database"]


async def test_a_schema_that_is_not_ours_is_no_fault_of_the_batch(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]), series=NUMBER)
    await world.sql("ALTER TABLE latest RENAME TO elsewhere")
    with pytest.raises(StoreError):
        await world.unpack()
    await world.sql("ALTER TABLE elsewhere RENAME TO latest")
    assert (await world.unpack()).batches == 1


async def test_series_declared_after_the_first_batches_are_learnt(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]), series=NUMBER)
    assert (await world.unpack()).rows == 1
    await world.store(grant, batch(2, [Sample(3, NOW_MS, 3.0)]), series=[entry(3, "c_c")])
    assert (await world.unpack()).rows == 1
    await world.store(grant, batch(3, [Sample(2, NOW_MS, 2.0)]), series=[entry(2, "b_c")])
    assert (await world.unpack()).rows == 1
    metrics = await world.sql(
        "SELECT metric FROM sample JOIN series USING (site_id, series_id) ORDER BY v"
    )
    assert metrics == ["ch4_pct", "b_c", "c_c"]


async def test_edges_that_number_their_series_differently_are_not_mixed_up(
    world: CentralWorld,
) -> None:
    for number, metrics in ((1, ("a_c", "b_c")), (2, ("b_c", "a_c"))):
        grant = await world.session(edge_id=f"edge-{number}", install=number)
        series = [entry(ix, metric) for ix, metric in enumerate(metrics, 1)]
        samples = [Sample(1, NOW_MS, number + 0.1), Sample(2, NOW_MS, number + 0.2)]
        await world.store(grant, batch(1, samples), series=series)
    await world.unpack()
    assert await world.sql(
        "SELECT metric, v FROM sample JOIN series USING (site_id, series_id) ORDER BY 1, 2"
    ) == [("a_c", 1.1), ("a_c", 2.2), ("b_c", 1.2), ("b_c", 2.1)]


async def newest(world: CentralWorld) -> object:
    (latest,) = await world.reader.latest("kaduna", [Kind.SENSOR])
    return latest.value


async def test_backfill_does_not_show_as_current(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(1, NOW_MS, 2.0)]), series=NUMBER)
    await world.deliver(batch(2, [Sample(1, NOW_MS - 1000, 1.0)]), series=[])
    assert await newest(world) == 2.0


async def test_a_sample_from_the_future_gives_way_to_what_is_measured_after_it(
    world: CentralWorld,
) -> None:
    hour_ms = 3_600_000
    ahead = Sample(1, NOW_MS + hour_ms, 99.0, int(Quality.FUTURE))
    await world.deliver(batch(1, [ahead], recv_max_ms=NOW_MS), series=NUMBER)
    assert await newest(world) == 99.0
    world.clock.advance_s(1.0)
    later = batch(2, [Sample(1, NOW_MS + 1000, 1.0)], recv_max_ms=NOW_MS + 1000)
    await world.deliver(later, series=[])
    assert await newest(world) == 1.0


async def test_a_clock_that_jumped_ahead_still_shows_its_newest_value(world: CentralWorld) -> None:
    hour_ms = 3_600_000
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)], recv_max_ms=NOW_MS), series=NUMBER)
    ahead = [Sample(1, NOW_MS + hour_ms + n, float(n), int(Quality.FUTURE)) for n in (2, 3)]
    await world.deliver(batch(2, ahead, recv_max_ms=NOW_MS + 5), series=[])
    assert await newest(world) == 3.0


async def test_of_two_samples_of_one_time_the_later_arrival_is_current(
    world: CentralWorld,
) -> None:
    samples = [Sample(1, NOW_MS, 1.0), Sample(1, NOW_MS, 2.0)]
    await world.deliver(batch(1, samples), series=NUMBER)
    assert await newest(world) == 2.0
    await world.deliver(batch(2, [Sample(1, NOW_MS, 3.0)]), series=[])
    assert await newest(world) == 3.0


async def test_an_empty_batch_is_applied(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, []))
    assert (await world.unpack()).batches == 1
