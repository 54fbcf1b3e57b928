"""Makes and drops day partitions while everything else goes on. Owns the DDL at run time."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from psycopg.sql import Composed, Identifier, Literal

from central.errors import StoreError
from central.store.database import Connection, Database, fetch
from central.store.instants import clamped
from central.store.partition_days import (
    DAY_MS,
    day_of_partition,
    day_start,
    days_with_partition,
    partition_name,
)
from central.store.queries import load_queries

# For each statement that moves rows or indexes them. Both together stay below the idle time after
# which PostgreSQL ends the transaction of the unpacker that waits for them, and below the time
# after which the worker counts as hanging. What takes longer stays in the default partition.
MOVE_TIMEOUT_S: Final = 25.0
HURRY: Final = {"move_timeout_ms": round(MOVE_TIMEOUT_S * 1000)}


@dataclass(frozen=True, slots=True)
class _Layout:
    table: str
    column: str  # what the days are of


class Partitioned(Enum):
    """The tables that are partitioned by day."""

    BATCH = _Layout("sync_batch", "received_at")
    SAMPLE = _Layout("sample", "ts")


class DayPartitions:
    """The day partitions of one table, made on demand and remembered.

    Making one takes only locks that readers and writers of other days do not notice, waits for
    them half a second at most, and is done by one process at a time.
    """

    def __init__(self, database: Database, which: Partitioned) -> None:
        self._database = database
        self._layout = which.value
        self._known: set[int] = set()
        self._sql = load_queries("partition")

    async def ensure(self, days: set[int], now_ms: int) -> None:
        """Return when each of ``days`` that may have a partition has one; the newest come first.

        Raises:
            StoreError: a lock was not free in time, or no connection; try again.
        """
        missing = days_with_partition(days - self._known, now_ms)
        for day in sorted(missing, reverse=True):
            try:
                async with self._database.transaction() as connection:
                    await self._create(connection, day)
            except StoreError:
                self.forget()
                raise
            self._known.add(day)

    def forget(self) -> None:
        """Ask the server again for every day: after a failure it may not be the one it was."""
        self._known.clear()

    async def drop_before(self, day: int) -> list[str]:
        """Drop the inbox's partitions before ``day`` and return their names.

        A partition with batches that are not unpacked stays; so does one whose lock is not free.
        """
        assert self._layout.table == "sync_batch", "samples are not the inbox's to drop"
        found = await self._database.rows(self._sql["attached"], {"table": self._layout.table})
        old = [name for (name,) in found if day_of_partition(name) < day]
        dropped = [name for name in old if await self._drop(name)]
        before = {"before": clamped(day * DAY_MS)}
        async with self._database.transaction() as connection:
            await connection.execute(self._kept_hashes("sync_batch_default", day))
            await connection.execute(self._sql["empty_default"], before)
        self._known = {known for known in self._known if known >= day}
        return dropped

    async def _create(self, connection: Connection, day: int) -> None:
        name = partition_name(self._layout.table, day)
        table = {"table": self._layout.table}
        await connection.execute(self._sql["lock_creation"], table)
        found = await fetch(connection, self._sql["attached"], table)
        if (name,) in found:
            return
        await connection.execute(self._sql["hurry"], HURRY)
        for step in ("create", "close_default", "take_from_default", "attach"):
            await connection.execute(self._composed(step, name, day))

    def _composed(self, step: str, name: str, day: int) -> Composed:
        return self._sql[step].format(
            table=Identifier(self._layout.table),
            default=Identifier(f"{self._layout.table}_default"),
            column=Identifier(self._layout.column),
            partition=Identifier(name),
            first=Literal(day_start(day)),
            end=Literal(day_start(day + 1)),
        )

    def _kept_hashes(self, partition: str, end_day: int) -> Composed:
        return self._sql["keep_hashes"].format(
            partition=Identifier(partition), before=Literal(day_start(end_day))
        )

    async def _drop(self, name: str) -> bool:
        partition = Identifier(name)
        try:
            async with self._database.transaction() as connection:
                await connection.execute(self._sql["hurry"], HURRY)
                pending = await fetch(
                    connection, self._sql["has_pending"].format(partition=partition), {}
                )
                if pending[0][0]:
                    return False
                end_day = day_of_partition(name) + 1
                await connection.execute(self._kept_hashes(name, end_day))
                await connection.execute(self._sql["drop"].format(partition=partition))
        except StoreError:
            return False
        return True
