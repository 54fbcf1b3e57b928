"""How many charts are read at once. Owns the limit, so that charts leave connections to others."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from central.store.database import Database
from central.store.reads import PostgresReader
from shared.domain.telemetry import TelemetryQuery, TelemetryResult
from shared.errors import UnavailableError

CHARTS_AT_ONCE_MAX: Final = 4  # they keep processors and disk busy: more at once are not faster
CHART_WAIT_S: Final = 10.0  # a person waits no longer; well before the request itself is given up


class ChartLimitedReader(PostgresReader):
    """`PostgresReader` that answers at most ``charts_at_once_max`` charts at a time."""

    def __init__(
        self,
        database: Database,
        *,
        charts_at_once_max: int,
        wait_s: float = CHART_WAIT_S,
    ) -> None:
        super().__init__(database)
        self._charts_at_once_max = charts_at_once_max
        self._turns = asyncio.Semaphore(charts_at_once_max)
        self._wait_s = wait_s

    async def telemetry(self, query: TelemetryQuery) -> TelemetryResult | None:
        """Return what `PostgresReader` does, when it is this chart's turn.

        Raises:
            AggregateError: if the aggregate has no meaning for the type of the series.
            UnavailableError: if the turn did not come in time, or the store cannot answer.
        """
        async with self._turn():
            return await super().telemetry(query)

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise UnavailableError(
                f"{self._charts_at_once_max} charts are being read already; try again"
            ) from error
        try:
            yield
        finally:
            self._turns.release()
