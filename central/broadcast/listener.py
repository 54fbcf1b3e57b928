"""Carries new values from PostgreSQL to this process' sockets. Owns the LISTEN connection.

Unpackers notify with the ids of series whose newest value changed, in the transaction that changed
it. What was notified while nobody listened is made up for by sending every newest value again
after each reconnect: the sockets keep only the newest per series anyway.
"""

import asyncio

from psycopg.sql import SQL, Identifier

from central.errors import StoreError
from central.metrics import StoreMetrics
from central.store.database import Connection, Database
from central.store.live_notice import LIVE_CHANNEL, parse_live_payload
from central.store.reads import PostgresReader
from shared.logs import get_log
from shared.web.site_data import LiveSink

INTERVAL_S = 0.1  # at most ten rounds a second: what a person can see and a page can draw
PROBE_S = 15.0  # a connection silent for this long is asked whether it lives
RETRY_S = 1.0  # between attempts while the server is away
CATCH_UP_SERIES = 2_000  # values read at a time after a reconnect: some 2 MB

_log = get_log("broadcast")


class LiveListener:
    """Feeds ``sink`` until cancelled; survives every absence of the server."""

    def __init__(
        self, database: Database, reader: PostgresReader, sink: LiveSink, metrics: StoreMetrics
    ) -> None:
        self._database = database
        self._reader = reader
        self._sink = sink
        self._metrics = metrics

    async def run(self) -> None:
        """Listen for ever; returns only by cancellation."""
        while True:
            try:
                async with self._database.own_connection() as connection:
                    await connection.execute(SQL("LISTEN {}").format(Identifier(LIVE_CHANNEL)))
                    await self._catch_up()
                    await self._forward(connection)
            except StoreError as error:
                _log.warning("live_values_interrupted", error=str(error))
            await asyncio.sleep(RETRY_S)

    async def _forward(self, connection: Connection) -> None:
        while True:
            changed = await _changed(connection, PROBE_S)
            if not changed:
                await connection.execute("SELECT 1")
                continue
            await self._publish(sorted(changed))
            await asyncio.sleep(INTERVAL_S)

    async def _catch_up(self) -> None:
        after_id = 0
        while series_ids := await self._reader.series_with_values(
            after_id=after_id, limit=CATCH_UP_SERIES
        ):
            await self._publish(series_ids)
            after_id = series_ids[-1]

    async def _publish(self, series_ids: list[int]) -> None:
        for site, values in (await self._reader.latest_of(series_ids)).items():
            self._sink.publish(site, values)
            self._metrics.live_values.inc(len(values))


async def _changed(connection: Connection, timeout_s: float) -> set[int]:
    """Return the series named since the last call, waiting for the first notice; else none."""
    changed: set[int] = set()
    async for notice in connection.notifies(timeout=timeout_s, stop_after=1):
        changed.update(parse_live_payload(notice.payload))
    if changed:
        async for notice in connection.notifies(timeout=0):
            changed.update(parse_live_payload(notice.payload))
    return changed
