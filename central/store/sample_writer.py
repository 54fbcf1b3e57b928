"""Writes prepared samples within a transaction: their days, the copy, the newest values.

Owns what has to be remembered between transactions: which days have a partition, and which are
owed one because a lock was not free.
"""

from collections.abc import Sequence
from typing import Any, Final

from central.errors import StoreError
from central.store.claims import LatestRow, Prepared
from central.store.database import Connection, Database, fetch
from central.store.instants import Instant
from central.store.live_notice import live_payloads
from central.store.partitions import DayPartitions, Partitioned
from central.store.queries import load_queries
from central.store.record_rows import RecordRows
from central.store.rollups import mark
from central.store.text_escape import escape_text
from shared.clock import Clock
from shared.logs import get_log

# After a day's partition could not be made: each attempt may wait for a lock, and others behind it.
# Twice as long each time: a day with more rows than can be moved in time must not stop the others.
PARTITION_RETRY_S: Final = 10.0
PARTITION_RETRY_MAX_S: Final = 640.0
# One call makes no further partition after this long.
ROOM_TIME_MAX_S: Final = 5.0

_log = get_log("unpacking")


class SampleWriter:
    """The writing side of one unpacker; every method is part of the caller's transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._clock = clock
        self._partitions = DayPartitions(database, Partitioned.SAMPLE)
        self._owed_days: set[int] = set()  # their rows went to the default partition
        self._make_room_at_s = 0.0
        self._room_pause_s = PARTITION_RETRY_S
        self._records = RecordRows()
        self._sql = load_queries("unpack")

    def forget(self) -> None:
        """Ask the server again for everything: after a failure it may not be as it was."""
        self._partitions.forget()

    async def write(self, connection: Connection, prepared: Prepared) -> None:
        """Write the rows, the newest values and the records of ``prepared``.

        Raises:
            DataRefusedError, StoreError: as the server says; psycopg's own errors, too.
        """
        await self._records.write(connection, prepared.records)
        if not prepared.rows:
            return
        await self._make_room(prepared.days)
        async with connection.cursor().copy(self._sql["copy"]) as copy:
            for piece in prepared.copy:
                await copy.write(piece)
        await mark(connection, prepared.hours)
        await self._raise_latest(connection, prepared.latest)

    async def _make_room(self, days: frozenset[int]) -> None:
        """Make the partitions of ``days``; a lock that is not free is no reason to unpack nothing.

        Rows go to the default partition then, and move when the partition is made. What takes long
        is spread over the transactions that follow: this one's claims wait meanwhile.
        """
        self._owed_days |= days
        now_s = self._clock.monotonic_s()
        if now_s < self._make_room_at_s:
            return
        try:
            for day in sorted(self._owed_days, reverse=True):
                await self._partitions.ensure({day}, self._clock.utc_ms())
                self._owed_days.discard(day)
                if self._clock.monotonic_s() - now_s >= ROOM_TIME_MAX_S:
                    break
        except StoreError as error:
            self._make_room_at_s = now_s + self._room_pause_s
            self._room_pause_s = min(self._room_pause_s * 2, PARTITION_RETRY_MAX_S)
            _log.warning("no partition for a day yet: its rows go to the default", error=str(error))
        else:
            self._room_pause_s = PARTITION_RETRY_S

    async def _raise_latest(self, connection: Connection, latest: Sequence[LatestRow]) -> None:
        rows = await fetch(connection, self._sql["raise_latest"], _latest_parameters(latest))
        payloads = list(live_payloads(series_id for (series_id,) in rows))
        if payloads:
            await connection.execute(self._sql["notify_live"], {"payloads": payloads})


def _latest_parameters(latest: Sequence[LatestRow]) -> dict[str, Any]:
    values = [row.value for row in latest]
    return {
        "site_ids": [row.site_id for row in latest],
        "series_ids": [row.series_id for row in latest],
        "ts": [Instant(row.ts_ms) for row in latest],
        "ranked_at": [Instant(row.ranked_ms) for row in latest],
        "v": [value if isinstance(value, float) else None for value in values],
        "i": [int(value) if isinstance(value, int) else None for value in values],
        "q": [row.quality - 65_536 if row.quality > 32_767 else row.quality for row in latest],
        "s": [escape_text(value) if isinstance(value, str) else None for value in values],
    }
