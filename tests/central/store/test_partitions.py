"""Day partitions, made and dropped on a real PostgreSQL while others work."""

import asyncio

import psycopg
import pytest
from psycopg.sql import SQL

from central.config import DatabaseConfig
from central.errors import StoreError
from central.store.database import Database, fetch
from central.store.partitions import HURRY, DayPartitions, Partitioned
from central.store.queries import load_queries
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, batch_of_body, entry

DAY_MS = 86_400_000
TODAY = NOW_MS // DAY_MS


def samples_of(world: CentralWorld) -> DayPartitions:
    return DayPartitions(world.database, Partitioned.SAMPLE)


async def days(world: CentralWorld, table: str) -> list[str]:
    return await world.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = %(table)s::regclass ORDER BY 1",
        table=table,
    )


async def test_makes_the_days_of_the_window_and_no_others(world: CentralWorld) -> None:
    asked = {TODAY - 401, TODAY - 400, TODAY, TODAY + 1, TODAY + 2}
    await samples_of(world).ensure(asked, NOW_MS)
    assert await days(world, "sample") == [
        "sample_d20251019",
        "sample_d20261123",
        "sample_d20261124",
        "sample_default",
    ]


async def test_processes_that_need_the_same_days_at_once_make_each_once(
    world: CentralWorld,
) -> None:
    asked = {TODAY - n for n in range(5)}
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(samples_of(world).ensure(asked, NOW_MS))
    assert len(await days(world, "sample")) == 5 + 1  # and the default


async def test_a_day_is_made_while_other_days_are_read_and_written(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=[entry(1)])
    with psycopg.connect(world.url, options="-c search_path=headframe") as busy:
        busy.execute("SELECT count(*) FROM sample WHERE ts >= '2026-11-23' AND ts < '2026-11-24'")
        busy.execute("INSERT INTO sample VALUES (1, 1, '2026-11-23', 1, NULL, 0, NULL)")
        await samples_of(world).ensure({TODAY - 7}, NOW_MS)
    assert "sample_d20261116" in await days(world, "sample")


async def test_does_not_wait_for_long_readers_of_the_default_partition(
    world: CentralWorld,
) -> None:
    with psycopg.connect(world.url, options="-c search_path=headframe") as reader:
        reader.execute("SELECT count(*) FROM sample_default")  # its lock lasts to the end
        with pytest.raises(StoreError, match="55P03"):
            await samples_of(world).ensure({TODAY}, NOW_MS)
    await samples_of(world).ensure({TODAY}, NOW_MS)
    assert "sample_d20261123" in await days(world, "sample")


async def test_a_partition_is_on_disk_before_it_is_remembered(world: CentralWorld) -> None:
    careless = Database(DatabaseConfig(url=world.url), application="test", durable=False)
    async with careless.transaction() as connection:
        await connection.execute(load_queries("partition")["hurry"], HURRY)
        shown = await fetch(connection, SQL("SHOW synchronous_commit"), {})
    await careless.close()
    assert shown == [("on",)]


async def test_an_old_day_that_cannot_be_made_stops_no_newer_one(world: CentralWorld) -> None:
    await world.sql("CREATE TABLE sample_d20261120 ()")  # in the way
    with pytest.raises(StoreError, match="42P07"):
        await samples_of(world).ensure({TODAY - 3, TODAY - 1, TODAY}, NOW_MS)
    assert {"sample_d20261122", "sample_d20261123"} <= set(await days(world, "sample"))


async def test_old_inbox_days_are_dropped_once_they_are_unpacked(world: CentralWorld) -> None:
    inbox = DayPartitions(world.database, Partitioned.BATCH)
    grant = await world.session()
    await world.store(grant, batch_of_body(1, b"x", 1))  # poison: leaves the inbox, too
    world.clock.now_ms += DAY_MS
    await world.store(grant, batch_of_body(2, b"y", 1))
    assert await inbox.drop_before(TODAY + 2) == []  # nothing is unpacked yet
    await world.unpack()
    assert await inbox.drop_before(TODAY + 1) == ["sync_batch_d20261123"]
    assert await days(world, "sync_batch") == ["sync_batch_d20261124", "sync_batch_default"]
    assert await world.sql("SELECT seq, body FROM sync_quarantine ORDER BY seq") == [
        (1, b"x"),
        (2, b"y"),
    ]


async def test_what_was_received_outside_every_day_goes_too(world: CentralWorld) -> None:
    grant = await world.session()
    world.clock.now_ms = 0  # an unset clock: 1970 has its partition as seen from 1970
    await world.store(grant, batch_of_body(1, b"x", 1))
    await world.sql("UPDATE sync_batch SET received_at = '1969-01-01', state = 'applied'")
    inbox = DayPartitions(world.database, Partitioned.BATCH)
    await inbox.drop_before(TODAY)
    assert await world.sql("SELECT count(*) FROM sync_batch") == [0]
