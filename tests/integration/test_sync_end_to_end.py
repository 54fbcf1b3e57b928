"""Real log, real TLS, real PostgreSQL: after cuts and kills central has what the edge has."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import psycopg
from prometheus_client import CollectorRegistry

from central.config import DatabaseConfig
from central.inbox.unpack import prepare
from central.metrics import StoreMetrics
from central.store.database import Database
from central.store.inbox import PostgresInbox
from central.store.schema import upgrade_schema
from central.store.unpacking import Unpacking
from edge.log.journal import Journal
from shared.clock import SystemClock
from tests.support.edge_log import make_batch, make_series, opened, read_all, values_of
from tests.support.eventually import until
from tests.support.postgres import PostgresServer
from tests.support.relay import relaying
from tests.support.sync_link import ROOMY, SyncSite, uplinked

APPENDS = 120
LANE = 2
Row = tuple[int, bytes, bytes]


@contextlib.asynccontextmanager
async def inbox_on(url: str) -> AsyncGenerator[tuple[PostgresInbox, Database]]:
    """Give central's inbox on a database."""
    database = Database(DatabaseConfig(url=url), application="test")
    metrics = StoreMetrics(CollectorRegistry())
    try:
        yield PostgresInbox(database, SystemClock(), metrics), database
    finally:
        await database.close()


async def append_at_random(journal: Journal, dice: random.Random, each: Callable[[], None]) -> None:
    """Append batches of noise with ever new series, and do ``each`` after each of them."""
    now_ms = SystemClock().utc_ms()
    for number in range(APPENDS):
        values = [dice.random() for _ in range(dice.choice((1, 10, 2_000)))]
        new_series = (make_series(number + 1),)
        await journal.append(make_batch(*values, at_ms=now_ms + number, new_series=new_series))
        each()


async def rows_at_central(url: str) -> list[Row]:
    """Return what the inbox holds, straight from the table."""
    query = "SELECT seq, sha256, body FROM sync_batch WHERE lane = %s ORDER BY seq"
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute(query, (LANE,))).fetchall()


async def rows_of_log(journal: Journal) -> list[Row]:
    """Return the same of the edge's log."""
    return [(batch.seq, batch.sha256, batch.body) for batch in await read_all(journal)]


async def all_acknowledged(journal: Journal) -> None:
    await until(lambda: not journal.state().lanes[LANE].owed, timeout_s=60.0)


async def test_what_is_cut_again_and_again_arrives_whole_and_once(
    tmp_path: Path, database_url: str
) -> None:
    dice = random.Random(20_261_123)
    site = SyncSite(tmp_path)
    async with (
        inbox_on(database_url) as (inbox, database),
        opened(tmp_path / "edge", ROOMY) as journal,
        site.listening(inbox, limits={"credit_bytes": 1_048_576}) as listener,
        relaying(listener.port) as relay,
        uplinked(site.uplink_config(relay.port), journal),
    ):

        def maybe_cut() -> None:
            if dice.random() < 0.15:
                relay.cut_after_bytes = relay.passed_bytes + dice.randint(0, 40_000)

        await append_at_random(journal, dice, maybe_cut)
        await all_acknowledged(journal)
        assert relay.connections >= 3
        assert await rows_at_central(database_url) == await rows_of_log(journal)
        unpacking = Unpacking(database, SystemClock(), prepare)
        while await unpacking.apply_next(batches_max=64):
            pass
        expected = sorted(map(float, values_of(await read_all(journal))))
        assert await values_at_central(database_url) == expected
        assert await series_at_central(database_url) == journal.state().series


async def test_a_database_killed_in_the_middle_costs_nothing_but_time(
    tmp_path: Path, mortal_server: PostgresServer
) -> None:
    url = mortal_server.create_database("central")
    upgrade_schema(url)
    dice, site = random.Random(7), SyncSite(tmp_path)
    async with (
        inbox_on(url) as (inbox, _),
        opened(tmp_path / "edge", ROOMY) as journal,
        site.listening(inbox) as listener,
        uplinked(site.uplink_config(listener.port), journal) as uplink,
    ):
        await until(lambda: uplink.link.is_connected)
        for _ in range(2):
            async with asyncio.TaskGroup() as group:
                group.create_task(append_at_random(journal, dice, lambda: None))
                await until(lambda: uplink.link.in_flight_batches > 0)
                await asyncio.to_thread(mortal_server.kill)
            await asyncio.to_thread(mortal_server.start)
        await all_acknowledged(journal)
        assert uplink.link.sessions == 2  # one each: they outlived the database, twice
        assert await rows_at_central(url) == await rows_of_log(journal)


async def values_at_central(url: str) -> list[float]:
    """Return all values that were unpacked, ascending."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (await connection.execute("SELECT v FROM sample ORDER BY v")).fetchall()
    return [row[0] for row in rows]


async def series_at_central(url: str) -> int:
    """Return how many numbers of the edge's catalogue are known."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute("SELECT count(*) FROM edge_series")).fetchone()
    assert row is not None
    return int(row[0])
