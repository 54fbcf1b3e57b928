"""Charts that take long, on a real PostgreSQL: they stop nothing else."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest

from central.config import DatabaseConfig
from central.store.chart_limit import ChartLimitedReader
from central.store.database import Database
from shared.domain.telemetry import Aggregate, TelemetryQuery
from shared.errors import UnavailableError
from shared.ids import SeriesName
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, entry

CHART = TelemetryQuery(
    series=SeriesName("kaduna", "sensor", "ch4-01", "ch4_pct"),
    start_ms=NOW_MS, end_ms=NOW_MS + 60_000, step_ms=10_000, aggregate=Aggregate.MEAN,
)  # fmt: skip


@contextmanager
def slow_charts(world: CentralWorld) -> Generator[None]:
    with psycopg.connect(world.url, options="-c search_path=headframe") as maintenance:
        maintenance.execute("LOCK TABLE sample IN ACCESS EXCLUSIVE MODE")
        yield


async def test_slow_charts_leave_connections_to_everything_else(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=[entry(1)])
    database = Database(DatabaseConfig(url=world.url, pool_size_max=3), application="test")
    reader = ChartLimitedReader(database, charts_at_once_max=2)
    async with asyncio.TaskGroup() as group:
        with slow_charts(world):
            charts = [group.create_task(reader.telemetry(CHART)) for _ in range(6)]
            await asyncio.sleep(0)
            assert await reader.sites() == ["kaduna"]
            assert not any(chart.done() for chart in charts)
    assert all(chart.result() for chart in charts)
    await database.close()


async def test_a_chart_whose_turn_does_not_come_is_told_so(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=[entry(1)])
    reader = ChartLimitedReader(world.database, charts_at_once_max=1, wait_s=0.05)
    async with asyncio.TaskGroup() as group:
        with slow_charts(world):
            first = group.create_task(reader.telemetry(CHART))
            await asyncio.sleep(0)
            with pytest.raises(UnavailableError, match="1 charts"):
                await reader.telemetry(CHART)
    assert first.result()
