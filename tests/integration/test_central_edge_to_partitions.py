"""From a real edge log over TLS into partitions while PostgreSQL is killed: all, and once."""

import asyncio
from pathlib import Path

import psycopg
from prometheus_client import CollectorRegistry

from central.config import DatabaseConfig
from central.metrics import StoreMetrics
from central.store.database import Database
from central.store.inbox import PostgresInbox
from central.store.schema import upgrade_schema
from shared.clock import SystemClock
from tests.support.central_site import central_site, running
from tests.support.edge_log import make_batch, opened
from tests.support.eventually import eventually, until
from tests.support.postgres import PostgresServer
from tests.support.sync_link import ROOMY, SyncSite, uplinked

BATCHES = 120
SAMPLES = 20
KILLS_AFTER = (30, 60, 90)  # batches appended


def one_column(database_url: str, column: str, table: str) -> list[object]:
    query = f"SELECT {column} FROM {table} ORDER BY 1"
    with psycopg.connect(database_url, options="-c search_path=headframe") as connection:
        return [value for (value,) in connection.execute(query.encode())]


async def test_the_edges_session_outlives_postgres_and_every_value_arrives_once(
    tmp_path: Path, mortal_server: PostgresServer
) -> None:
    url = mortal_server.create_database("headframe")
    upgrade_schema(url)
    database, site = Database(DatabaseConfig(url=url), application="central"), SyncSite(tmp_path)
    inbox = PostgresInbox(database, SystemClock(), StoreMetrics(CollectorRegistry()))
    now_ms = SystemClock().utc_ms()
    async with (
        running(central_site(tmp_path / "worker", url), "worker"),
        opened(tmp_path / "edge", ROOMY) as journal,
        site.listening(inbox) as listener,
        uplinked(site.uplink_config(listener.port), journal) as uplink,
    ):
        for number in range(BATCHES):
            values = [float(number * SAMPLES + n) for n in range(SAMPLES)]
            await journal.append(make_batch(*values, at_ms=now_ms - 3_600_000 + number * 20_000))
            if number in KILLS_AFTER:
                await asyncio.to_thread(mortal_server.kill)
                await asyncio.to_thread(mortal_server.start)
        await until(lambda: uplink.link.acked_batches == BATCHES, timeout_s=60)

        async def all_applied() -> bool:
            return set(one_column(url, "state", "sync_batch")) == {"applied"}

        await eventually(all_applied, timeout_s=60)
        assert one_column(url, "v", "sample") == [float(n) for n in range(BATCHES * SAMPLES)]
        assert one_column(url, "role", "sync_session") == ["bulk", "urgent"]
    await database.close()
