"""Charts from rollups say what the samples say, whatever comes late, twice or while rolling up."""

import asyncio
import random
from collections.abc import Sequence

import psycopg
import pytest

from central.inbox.unpack import prepare
from central.store.claims import DirtyHour
from central.store.instants import INSTANT_MS_MIN
from central.store.rollup_ranges import HOUR_MS, ROLLED_UNTIL_MS
from central.store.rollups import RolledUp, Rollups, mark
from central.store.series_family import family_of
from central.store.unpacking import Unpacking
from shared.domain.samples import Value, ValueType
from shared.domain.telemetry import Aggregate, TelemetryQuery
from shared.ids import SeriesName
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, entry

NAME = SeriesName("kaduna", "sensor", "ch4-01", "ch4_pct")
START_MS = NOW_MS // HOUR_MS * HOUR_MS - 6 * HOUR_MS
NUMBERS = (Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT, Aggregate.LAST)
TEXTS = (Aggregate.COUNT, Aggregate.LAST)


def rollups(world: CentralWorld) -> Rollups:
    return Rollups(world.database, world.clock, settle_s=0.0)


async def roll_all(world: CentralWorld) -> RolledUp:
    worker, total = rollups(world), RolledUp()
    while (done := await worker.refresh_next()).hours:
        total = RolledUp(total.hours + done.hours, total.samples + done.samples)
    return total


async def both(world: CentralWorld, query: TelemetryQuery) -> tuple[object, object]:
    """Return the answer, and what the samples alone give; means rounded to twelve digits."""
    answer = await world.reader.telemetry(query)
    family = family_of(await world.reader._entries(query))  # pyright: ignore[reportPrivateUsage]
    assert answer is not None
    assert family is not None
    rows = await world.database.rows(*world.reader._points(query, family))  # pyright: ignore[reportPrivateUsage]
    value_type = family.value_type_of(query.aggregate)
    expected = [(ts_ms, _plain(value, value_type)) for ts_ms, value in rows]
    return [(ts_ms, _plain(value, value_type)) for ts_ms, value in answer.points], expected


def _plain(value: Value, value_type: ValueType) -> Value:
    return float(f"{value:.12g}") if value_type is ValueType.NUMBER else value


def asked(aggregate: Aggregate, step_ms: int, start_ms: int, end_ms: int) -> TelemetryQuery:
    return TelemetryQuery(NAME, start_ms, end_ms, step_ms, aggregate)


def value_of(chance: random.Random, value_type: ValueType) -> Value:
    match value_type:
        case ValueType.NUMBER:
            return round(chance.gauss(20, 5), 3)
        case ValueType.INTEGER:
            return chance.randrange(-(2**62), 2**62)
        case ValueType.FLAG:
            return chance.random() < 0.5
        case ValueType.TEXT:
            return chance.choice(["idle", "running", "fault"])


def samples_of(chance: random.Random, types: Sequence[ValueType]) -> list[Sample]:
    """Return some samples near each other, times in any order, some of them the same."""
    begin_ms = START_MS + chance.randrange(7 * HOUR_MS)
    return [
        Sample(ix, begin_ms + chance.randrange(1_200) * 1_000, value_of(chance, types[ix - 1]))
        for ix in chance.choices(range(1, len(types) + 1), k=chance.randrange(1, 200))
    ]


@pytest.mark.parametrize(
    "types",
    [
        (ValueType.NUMBER,),
        (ValueType.INTEGER,),
        (ValueType.FLAG,),
        (ValueType.TEXT,),
        (ValueType.NUMBER, ValueType.FLAG, ValueType.INTEGER),  # one history, see series_family
    ],
    ids=lambda types: "+".join(each.name for each in types),
)
@pytest.mark.parametrize("seed", range(4))
async def test_rollups_and_samples_say_the_same_at_any_moment(
    world: CentralWorld, types: tuple[ValueType, ...], seed: int
) -> None:
    chance = random.Random(seed)
    series = [entry(ix, value_type=value_type) for ix, value_type in enumerate(types, 1)]
    grant = await world.session()
    worker, seq = rollups(world), 0
    for _ in range(6):
        for _ in range(chance.randrange(1, 4)):
            seq += 1
            await world.store(grant, batch(seq, samples_of(chance, types)), series=series)
            await world.unpack()
        for _ in range(chance.randrange(3)):
            await worker.refresh_next()
        for aggregate in TEXTS if ValueType.TEXT in types else NUMBERS:
            step_ms = chance.choice((60_000, 120_000, 7 * 60_000, HOUR_MS, 2 * HOUR_MS))
            start_ms = START_MS + chance.randrange(-HOUR_MS, 6 * HOUR_MS)
            end_ms = start_ms + chance.randrange(1, 8 * HOUR_MS)
            found, expected = await both(world, asked(aggregate, step_ms, start_ms, end_ms))
            assert found == expected, (seed, aggregate, step_ms, start_ms, end_ms)


async def one_hour(world: CentralWorld, hour: int, seq: int, value: float = 1.0) -> None:
    samples = [Sample(1, START_MS + hour * HOUR_MS + n * 1_000, value) for n in range(120)]
    await world.deliver(batch(seq, samples), series=[entry(1)])


async def test_only_hours_that_are_over_are_rolled_up(world: CentralWorld) -> None:
    await one_hour(world, 0, 1)
    await one_hour(world, 6, 2)  # the running one
    assert await roll_all(world) == RolledUp(hours=1, samples=120)
    assert await world.sql("SELECT n, total FROM rollup_hour") == [(120, 120.0)]
    assert await world.sql("SELECT n FROM rollup_minute ORDER BY ts") == [60, 60]
    world.clock.advance_s(3_700)
    assert (await roll_all(world)).hours == 1


async def test_late_data_makes_an_old_hour_anew(world: CentralWorld) -> None:
    await one_hour(world, 0, 1)
    await roll_all(world)
    await one_hour(world, 0, 2, value=3.0)
    query = asked(Aggregate.MEAN, HOUR_MS, START_MS, START_MS + HOUR_MS)
    assert await both(world, query) == ([(START_MS, 2.0)], [(START_MS, 2.0)])
    await roll_all(world)
    assert await world.sql("SELECT n FROM rollup_hour") == [240]
    assert await world.sql("SELECT count(*) FROM rollup_dirty") == [0]


async def test_what_is_answered_from_rollups_needs_no_sample(world: CentralWorld) -> None:
    await one_hour(world, 0, 1, value=7.0)
    await roll_all(world)
    await world.sql("DELETE FROM sample")
    query = asked(Aggregate.MAX, 60_000, START_MS, START_MS + HOUR_MS)
    answer = await world.reader.telemetry(query)
    assert answer is not None
    assert answer.points == [(START_MS, 7.0), (START_MS + 60_000, 7.0)]


async def test_an_hour_that_is_being_filled_is_not_rolled_up_meanwhile(
    world: CentralWorld,
) -> None:
    await one_hour(world, 0, 1)
    (series_id,) = await world.sql("SELECT series_id FROM series")
    async with world.database.transaction() as connection:
        await mark(connection, [DirtyHour(1, series_id, START_MS)])
        assert await rollups(world).refresh_next() == RolledUp()
    assert (await rollups(world).refresh_next()).hours == 1


async def test_rolling_up_beside_unpacking_loses_nothing(world: CentralWorld) -> None:
    grant = await world.session()
    chance = random.Random(7)
    sent = [batch(seq, samples_of(chance, (ValueType.NUMBER,))) for seq in range(1, 61)]
    await world.store(grant, *sent, series=[entry(1)])
    unpackers = [Unpacking(world.database, world.clock, prepare) for _ in range(2)]
    workers = [rollups(world) for _ in range(2)]

    async def unpack(unpacking: Unpacking) -> None:
        while await unpacking.apply_next(batches_max=2):
            pass

    async def roll(worker: Rollups) -> None:
        for _ in range(40):
            await worker.refresh_next()

    async with asyncio.TaskGroup() as group:
        for unpacking, worker in zip(unpackers, workers, strict=True):
            group.create_task(unpack(unpacking))
            group.create_task(roll(worker))
    await world.unpack()
    await roll_all(world)
    query = asked(Aggregate.COUNT, 60_000, START_MS - HOUR_MS, START_MS + 6 * HOUR_MS)
    found, expected = await both(world, query)
    assert found == expected


async def test_an_hour_whose_sum_no_float_holds_is_left_to_its_samples(
    world: CentralWorld,
) -> None:
    samples = [Sample(1, START_MS + n, 1.7e308) for n in range(3)]
    await world.deliver(batch(1, samples), series=[entry(1)])
    await one_hour(world, 1, 2)
    await roll_all(world)
    assert await world.sql("SELECT failed FROM rollup_dirty") == [True]
    found, expected = await both(
        world, asked(Aggregate.MAX, HOUR_MS, START_MS, START_MS + 2 * HOUR_MS)
    )
    assert found == expected


async def test_times_of_wrong_clocks_are_not_rolled_up(world: CentralWorld) -> None:
    samples = [Sample(1, -5, 1.0), Sample(1, ROLLED_UNTIL_MS, 2.0), Sample(1, 0, 3.0)]
    await world.deliver(batch(1, samples), series=[entry(1)])
    assert await world.sql("SELECT hour FROM rollup_dirty") == [0]


async def test_a_chart_of_all_times_there_are_is_answered(world: CentralWorld) -> None:
    await one_hour(world, 0, 1)
    await roll_all(world)
    year_ms = 31_622_400_000
    query = asked(Aggregate.COUNT, year_ms, INSTANT_MS_MIN, INSTANT_MS_MIN + 9_999 * year_ms)
    found, expected = await both(world, query)
    assert found == expected
    assert found


async def make_unready(world: CentralWorld) -> None:
    """As a database is after the upgrade: samples, no marks."""
    for hour, seq in ((0, 1), (1, 2)):
        await one_hour(world, hour, seq)
    await world.deliver(batch(3, [Sample(1, HOUR_MS + 5, 1.0)]), series=[])  # no day of its own
    await world.sql("DELETE FROM rollup_dirty")
    await world.sql("UPDATE rollup_state SET ready_at = NULL")


async def test_what_was_there_before_is_marked_once(world: CentralWorld) -> None:
    await make_unready(world)
    query = asked(Aggregate.COUNT, HOUR_MS, 0, START_MS + 6 * HOUR_MS)
    expected = [(HOUR_MS, 1), (START_MS, 120), (START_MS + HOUR_MS, 120)]
    assert await both(world, query) == (expected, expected)  # from samples, before
    assert await rollups(world).begin()
    marked = await world.sql("SELECT hour FROM rollup_dirty ORDER BY hour")
    assert marked == [HOUR_MS, START_MS, START_MS + HOUR_MS]
    await roll_all(world)
    assert await both(world, query) == (expected, expected)
    assert await world.sql("SELECT count(*) FROM rollup_hour") == [3]


async def test_nothing_is_marked_while_an_older_worker_lives(world: CentralWorld) -> None:
    await make_unready(world)
    await world.sql(
        "INSERT INTO worker (worker_id, host, process_id) VALUES (gen_random_uuid(), 'old', 1)"
    )
    assert not await rollups(world).begin()
    await world.sql("UPDATE worker SET stopped_at = now()")
    assert await rollups(world).begin()


async def test_a_lock_on_the_marks_only_delays(world: CentralWorld) -> None:
    await one_hour(world, 0, 1)
    with psycopg.connect(world.url, options="-c search_path=headframe") as other:
        other.execute("SELECT FROM rollup_dirty FOR UPDATE")
        assert await rollups(world).refresh_next() == RolledUp()
    assert (await rollups(world).refresh_next()).hours == 1
