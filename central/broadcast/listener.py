"""Carries new values from PostgreSQL to this process' sockets. Owns the pace of it.

Unpackers notify with the ids of series whose newest value changed, in the transaction that changed
it. What was notified while nobody listened is made up for by sending every newest value again
after each reconnect: the sockets keep only the newest per series anyway.
"""

from typing import Final

from central.metrics import StoreMetrics
from central.store.database import Database
from central.store.listening import listen
from central.store.live_notice import LIVE_CHANNEL, parse_live_payload
from central.store.reads import PostgresReader
from shared.web.site_data import LiveSink

INTERVAL_S: Final = 0.1  # at most ten rounds a second: what a person can see and a page can draw
SERIES_PER_READ_MAX: Final = 2_000  # values read at a time: some 2 MB


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
        await listen(self._database, LIVE_CHANNEL, connected=self._catch_up, heard=self._forward)

    async def _forward(self, payloads: list[str]) -> None:
        changed = sorted({each for payload in payloads for each in parse_live_payload(payload)})
        for start in range(0, len(changed), SERIES_PER_READ_MAX):
            await self._publish(changed[start : start + SERIES_PER_READ_MAX])
        # What changes meanwhile is heard in the next round, however often it was notified.
        await self._sink.pause(INTERVAL_S)

    async def _catch_up(self) -> None:
        after_id = 0
        while series_ids := await self._reader.series_with_values(
            after_id=after_id, limit=SERIES_PER_READ_MAX
        ):
            await self._publish(series_ids)
            after_id = series_ids[-1]

    async def _publish(self, series_ids: list[int]) -> None:
        for site, values in (await self._reader.latest_of(series_ids)).items():
            self._sink.publish(site, values)
            self._metrics.live_values.inc(len(values))
