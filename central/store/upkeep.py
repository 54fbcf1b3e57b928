"""What has to be done now and then so that the tables stay fit. Owns no schedule.

Safe to run in several processes at once and at any time.
"""

from central.store.database import Database
from central.store.inbox import SESSION_KEEP_DAYS
from central.store.partition_days import DAYS_AHEAD_MAX, day_of
from central.store.partitions import DayPartitions, Partitioned
from central.store.queries import load_queries
from central.store.refresh_tokens import PostgresRefreshTokens

WORKER_KEEP_DAYS = 30
RELEASED_KEEP_DAYS = 90


class Upkeep:
    """Partitions ahead of time, the old inbox, and rows that nobody needs any more."""

    def __init__(self, database: Database, *, inbox_keep_days: int) -> None:
        self._database = database
        self._inbox_keep_days = inbox_keep_days
        self._batches = DayPartitions(database, Partitioned.BATCH)
        self._samples = DayPartitions(database, Partitioned.SAMPLE)
        self._tokens = PostgresRefreshTokens(database)

    async def run(self, now_ms: int) -> list[str]:
        """Do all of it; return the names of the inbox partitions that were dropped.

        Raises:
            StoreError: not now; what was done stays done.
        """
        today = day_of(now_ms)
        ahead = set(range(today, today + DAYS_AHEAD_MAX + 1))
        await self._batches.ensure(ahead, now_ms)
        await self._samples.ensure(ahead, now_ms)
        dropped = await self._batches.drop_before(today - self._inbox_keep_days)
        await self._tokens.forget_expired(now_ms)
        sessions = {"keep_days": SESSION_KEEP_DAYS}
        await self._database.rows(load_queries("session")["forget_old"], sessions)
        released = {"keep_days": RELEASED_KEEP_DAYS}
        await self._database.rows(load_queries("quarantine")["forget_released"], released)
        workers = {"keep_days": WORKER_KEEP_DAYS}
        await self._database.rows(load_queries("worker")["forget_old"], workers)
        return dropped
