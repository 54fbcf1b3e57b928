"""Headquarters while PostgreSQL and its own processes are killed, and what is stored after it."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
from prometheus_client import CollectorRegistry

from central.config import DatabaseConfig
from central.errors import StoreError
from central.metrics import StoreMetrics
from central.store.database import Database
from central.store.inbox import PostgresInbox
from central.store.schema import upgrade_schema
from shared.clock import SystemClock
from shared.sync.frames import Batch
from tests.support.central_site import CentralSite, central_site, running, serving
from tests.support.edge_data import NOW_MS, Sample, batch, entry, hello
from tests.support.eventually import eventually
from tests.support.postgres import PostgresServer

SERIES = [entry(ix, f"m{ix}_c") for ix in range(1, 21)]
SAMPLES_PER_BATCH = 200


def full_batch(seq: int, now_ms: int) -> Batch:
    """Return ten samples of each series; every value of the whole test is different."""
    first = seq * SAMPLES_PER_BATCH
    samples = [
        Sample(1 + n % 20, now_ms - 3_600_000 + seq * 1_000 + n, float(first + n))
        for n in range(SAMPLES_PER_BATCH)
    ]
    return batch(seq, samples, recv_max_ms=now_ms)


@dataclass
class Sender:
    """An edge that sends batches until each is acknowledged, through any trouble."""

    inbox: PostgresInbox
    clock: SystemClock
    acknowledged: set[int] = field(default_factory=set[int])
    failures: int = 0

    async def send(self, seqs: range) -> None:
        now_ms = self.clock.utc_ms()
        for start in range(0, len(seqs), 4):
            await self._send([full_batch(seq, now_ms) for seq in seqs[start : start + 4]])

    async def has_sent(self, count: int) -> None:
        async def holds() -> bool:
            return len(self.acknowledged) >= count

        await eventually(holds)

    async def _send(self, batches: list[Batch]) -> None:
        # The very same bytes are sent until they are acknowledged, as from a log.
        while True:
            try:
                grant = await self.inbox.open_session(hello(), NOW_MS)
                result = await self.inbox.store(grant, SERIES, batches, now_ms=self.clock.utc_ms())
            except StoreError:
                self.failures += 1
                await asyncio.sleep(0.02)
            else:
                assert not result.refused
                self.acknowledged |= {seq for ranges in result.stored.values() for seq in ranges}
                return


@asynccontextmanager
async def sender(database_url: str) -> AsyncGenerator[Sender]:
    database = Database(DatabaseConfig(url=database_url), application="sender")
    clock = SystemClock()
    try:
        yield Sender(PostgresInbox(database, clock, StoreMetrics(CollectorRegistry())), clock)
    finally:
        await database.close()


def stored_values(database_url: str) -> list[float]:
    with psycopg.connect(database_url, options="-c search_path=headframe") as connection:
        return [v for (v,) in connection.execute("SELECT v FROM sample ORDER BY v")]


def everything_once(count: int) -> list[float]:
    """Return all values of batches 1 to ``count``."""
    first = SAMPLES_PER_BATCH
    return [float(value) for value in range(first, first + count * SAMPLES_PER_BATCH)]


def all_applied(database_url: str) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        try:
            with psycopg.connect(database_url, options="-c search_path=headframe") as connection:
                row = connection.execute(
                    "SELECT count(*) FROM sync_batch WHERE state = 'received'"
                ).fetchone()
        except psycopg.Error:
            return False
        return row == (0,)

    return holds


async def test_postgres_killed_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path, mortal_server: PostgresServer
) -> None:
    url = mortal_server.create_database("headframe")
    upgrade_schema(url)
    site = central_site(tmp_path, url)
    async with running(site, "worker") as one, running(site, "worker") as two, sender(url) as edge:
        await one.says("ready")
        await two.says("ready")
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(edge.send(range(1, 241)))
            for _ in range(4):
                await edge.has_sent(len(edge.acknowledged) + 30)
                mortal_server.kill()
                mortal_server.start()
            await sending
        await eventually(all_applied(url), timeout_s=60)
        assert edge.acknowledged == set(range(1, 241))
        assert edge.failures > 0  # or the kills hit nothing
        assert stored_values(url) == everything_once(240)
        assert "interrupted" in one.log  # the unpacking, or the listening while there was none
        assert "interrupted" in two.log
        assert await one.stopped() == 0
        assert await two.stopped() == 0


async def test_workers_killed_in_the_middle_of_their_work_lose_and_double_nothing(
    tmp_path: Path, database_url: str
) -> None:
    site = central_site(tmp_path, database_url)
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 the seed must be seen
    chance = random.Random(seed)
    async with sender(database_url) as edge:
        await edge.send(range(1, 401))
    for _ in range(5):
        before = applied(database_url)
        # One batch a transaction: hundreds of them, so that a kill hits one with some luck.
        async with running(site, "worker", HEADFRAME_WORKER__BATCHES_PER_TRANSACTION_MAX="1") as w:
            await eventually(partial(has_applied_more, database_url, before))
            await asyncio.sleep(chance.random() * 0.02)
            w.kill()
        assert applied(database_url) < 400, "the worker was through before it was killed"
    async with running(site, "worker"):
        await eventually(all_applied(database_url), timeout_s=60)
    assert stored_values(database_url) == everything_once(400)


async def test_the_web_process_goes_on_through_a_restart_of_postgres(
    tmp_path: Path, mortal_server: PostgresServer
) -> None:
    site = central_site(tmp_path, mortal_server.create_database("headframe"))
    async with serving(site) as web:
        await site.add_account("ann@mine.example", "analyst")
        token = await site.token("ann@mine.example")
        mortal_server.kill()
        await eventually(lambda: not_ready(site))
        assert (await site.get("/healthz"))[0] == 200
        status, body = await site.get("/api/v1/sync/status?site=kaduna", token)
        assert (status, body["status_code"], body["data"]) == (503, 503, None)
        mortal_server.start()
        await eventually(site.is_ready)
        assert (await site.get("/api/v1/sync/status?site=kaduna", token))[0] == 200
        assert await web.stopped() == 0
        assert "Traceback" not in web.log


async def not_ready(site: CentralSite) -> bool:
    return (await site.get("/readyz"))[0] == 503


def applied(database_url: str) -> int:
    with psycopg.connect(database_url, options="-c search_path=headframe") as connection:
        row = connection.execute(
            "SELECT count(*) FROM sync_batch WHERE state = 'applied'"
        ).fetchone()
    assert row is not None
    count: int = row[0]
    return count


async def has_applied_more(database_url: str, before: int) -> bool:
    return applied(database_url) > before
