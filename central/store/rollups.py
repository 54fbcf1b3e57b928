"""Keeps the rollups up to date. Owns the transaction that makes an hour of a series anew.

Who writes samples marks their hours in the same transaction (`mark`); who rolls up takes marked
hours, makes them anew and takes the mark away, in one transaction, too. So an hour without a mark
is right at every moment, and one with a mark is read from its samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.sql import Identifier, Literal

from central.errors import DataRefusedError, StoreError
from central.store.claims import DirtyHour
from central.store.database import Connection, Database, fetch
from central.store.instants import Instant
from central.store.partition_days import DAY_MS, day_of, day_of_partition, day_start
from central.store.queries import load_queries
from central.store.rollup_ranges import HOUR_MS, ROLLED_FROM_MS, ROLLED_UNTIL_MS
from shared.clock import Clock

# The running hour is read from its samples: it would be made anew for every new one.
CLOSED_AFTER_MS: Final = 60_000
# Late data comes in many batches: an hour is made anew once, not after each of them.
SETTLE_S: Final = 10.0
# Hours of one transaction, found by how long the last one took: neither locks nor a processor are
# to be held for long.
HOURS_MAX: Final = 2_000
HOURS_AT_FIRST: Final = 100
TRANSACTION_TARGET_S: Final = 1.0
OLD_WORKER_GONE_AFTER_S: Final = 60.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RolledUp:
    """What one call did; all of it is committed."""

    hours: int = 0  # of one series each
    samples: int = 0


async def mark(connection: Connection, hours: Sequence[DirtyHour]) -> None:
    """Mark ``hours`` as out of date, in the transaction that changes their samples."""
    if hours:
        await connection.execute(load_queries("rollup")["mark"], _columns(hours))


class Rollups:
    """Rolls up; any number may do so at once."""

    def __init__(self, database: Database, clock: Clock, *, settle_s: float = SETTLE_S) -> None:
        self._database = database
        self._clock = clock
        self._settle_s = settle_s
        self._hours_max = HOURS_AT_FIRST
        self._sql = load_queries("rollup")

    async def begin(self) -> bool:
        """Mark what was there before there were rollups; tell whether that is done.

        Not while a worker of an older version lives, whose samples would stay unmarked.

        Raises:
            StoreError: not now; try again.
        """
        if (await self._database.rows(self._sql["is_ready"], {}))[0][0]:
            return True
        gone = {"gone_after_s": OLD_WORKER_GONE_AFTER_S}
        if (await self._database.rows(self._sql["others_without_marks"], gone))[0][0]:
            return False
        partitions = load_queries("partition")
        found = await self._database.rows(partitions["attached"], {"table": "sample"})
        for (name,) in reversed(found):
            day = day_of_partition(name)
            query = self._sql["mark_partition"].format(
                partition=Identifier(name),
                first=Literal(day_start(day)),
                end=Literal(day_start(day + 1)),
            )
            await self._database.rows(query, {})
        bounds = {"first": Instant(ROLLED_FROM_MS), "end": Instant(ROLLED_UNTIL_MS)}
        await self._database.rows(self._sql["mark_default"], bounds)
        await self._database.rows(self._sql["ready"], {})
        return True

    async def refresh_next(self) -> RolledUp:
        """Make some marked hours anew; nothing done: none is due.

        Raises:
            StoreError: nothing was done; try again, with fewer hours.
        """
        began_s = self._clock.monotonic_s()
        try:
            done = await self._refresh(self._hours_max)
        except DataRefusedError:
            done = await self._refresh_each(self._hours_max)
        except StoreError:
            self._hours_max = max(1, self._hours_max // 4)
            raise
        took_s = self._clock.monotonic_s() - began_s
        if took_s > TRANSACTION_TARGET_S:
            self._hours_max = max(1, self._hours_max // 2)
        elif took_s < TRANSACTION_TARGET_S / 3 and done.hours == self._hours_max:
            self._hours_max = min(HOURS_MAX, self._hours_max * 2)
        return done

    async def _refresh(self, hours_max: int) -> RolledUp:
        async with self._database.transaction() as connection:
            hours = await self._claim(connection, hours_max)
            return await self._roll(connection, hours) if hours else RolledUp()

    async def _refresh_each(self, hours_max: int) -> RolledUp:
        """Roll up hour by hour; one whose sum cannot be held is left to its samples."""
        done = RolledUp()
        for _ in range(hours_max):
            async with self._database.transaction() as connection:
                hours = await self._claim(connection, 1)
                if not hours:
                    break
                try:
                    async with connection.transaction():
                        rolled = await self._roll(connection, hours)
                except Exception as error:
                    if not _is_overflow(error):
                        raise
                    await connection.execute(self._sql["fail"], _columns(hours))
                    rolled = RolledUp(hours=1)
            done = RolledUp(done.hours + rolled.hours, done.samples + rolled.samples)
        return done

    async def _claim(self, connection: Connection, hours_max: int) -> list[DirtyHour]:
        """Return hours of one day, so that the samples are those of one partition."""
        closed_ms = self._clock.utc_ms() - CLOSED_AFTER_MS - HOUR_MS
        asked: Row = {
            "closed_hour": Instant(closed_ms),
            "settle_s": self._settle_s,
            "hours_max": hours_max,
        }
        rows = await fetch(connection, self._sql["claim"], asked)
        hours = [DirtyHour(*row) for row in rows]
        return [hour for hour in hours if day_of(hour.hour_ms) == day_of(hours[0].hour_ms)]

    async def _roll(self, connection: Connection, hours: Sequence[DirtyHour]) -> RolledUp:
        day_ms = day_of(hours[0].hour_ms) * DAY_MS
        columns = _columns(hours) | {"first": Instant(day_ms), "end": Instant(day_ms + DAY_MS)}
        for rollup in ("rollup_minute", "rollup_hour"):
            empty = self._sql["empty"].format(rollup=Identifier(rollup))
            await connection.execute(empty, columns)
        await connection.execute(self._sql["roll_minutes"], columns)
        rows = await fetch(connection, self._sql["roll_hours"], columns)
        await connection.execute(self._sql["clean"], columns)
        return RolledUp(len(hours), sum(n for (n,) in rows))


def _is_overflow(error: Exception) -> bool:
    return str(getattr(error, "sqlstate", "")).startswith("22")


def _columns(hours: Sequence[DirtyHour]) -> Row:
    return {
        "site_ids": [hour.site_id for hour in hours],
        "series_ids": [hour.series_id for hour in hours],
        "hours": [Instant(hour.hour_ms) for hour in hours],
    }
