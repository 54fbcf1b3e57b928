"""Central's store on a real database: inbox, unpacker and reader, on a clock moved by hand."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import pytest
from prometheus_client import CollectorRegistry
from psycopg.sql import SQL

from central.config import DatabaseConfig
from central.inbox.unpack import prepare
from central.metrics import StoreMetrics
from central.store.claims import Applied
from central.store.database import Database
from central.store.grants import SessionGrant, StoreResult
from central.store.inbox import PostgresInbox
from central.store.reads import PostgresReader
from central.store.unpacking import Unpacking
from shared.sync.frames import Batch, SeriesEntry
from tests.support.clocks import HandClock
from tests.support.edge_data import NOW_MS, hello

CLAIM_MAX = 64


@dataclass
class CentralWorld:
    """One database with everything that works on it."""

    url: str
    database: Database
    clock: HandClock

    def __post_init__(self) -> None:
        self.metrics = StoreMetrics(CollectorRegistry())
        self.inbox = PostgresInbox(self.database, self.clock, self.metrics)
        self.unpacking = Unpacking(self.database, self.clock, prepare)
        self.reader = PostgresReader(self.database)

    async def session(self, **differences: Any) -> SessionGrant:
        """Open a session of the edge `hello` describes."""
        return await self.inbox.open_session(hello(**differences), self.clock.now_ms)

    async def store(
        self, grant: SessionGrant, *batches: Batch, series: Sequence[SeriesEntry] = ()
    ) -> StoreResult:
        """Store at the clock's time."""
        return await self.inbox.store(grant, series, batches, now_ms=self.clock.now_ms)

    async def unpack(self) -> Applied:
        """Unpack until nothing is waiting; return all that was done."""
        total = Applied()
        while done := await self.unpacking.apply_next(batches_max=CLAIM_MAX):
            total += done
        return total

    async def deliver(self, *batches: Batch, series: Sequence[SeriesEntry]) -> SessionGrant:
        """Bring batches all the way into the partitions, in a session of their own."""
        grant = await self.session()
        await self.store(grant, *batches, series=series)
        await self.unpack()
        return grant

    async def sql(self, query: LiteralString, **parameters: Any) -> list[Any]:
        """Return rows; of one column, its values."""
        rows = await self.database.rows(SQL(query), parameters)
        return [row[0] if len(row) == 1 else row for row in rows]


@pytest.fixture
async def world(database_url: str) -> AsyncGenerator[CentralWorld]:
    """A migrated, empty database and the clock at NOW_MS."""
    database = Database(DatabaseConfig(url=database_url), application="test")
    yield CentralWorld(database_url, database, HandClock(now_ms=NOW_MS))
    await database.close()
