"""The whole way of a batch on the system's PostgreSQL, where the other tests take the newest."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from central.config import DatabaseConfig
from central.store.database import Database
from central.store.schema import known_revision, upgrade_schema
from shared.domain.telemetry import Aggregate, TelemetryQuery
from shared.ids import SeriesName
from tests.support.central_world import CentralWorld
from tests.support.clocks import HandClock
from tests.support.edge_data import NOW_MS, Sample, batch, batch_of_body, entry
from tests.support.postgres import PostgresServer, running_cluster

pytestmark = pytest.mark.needs_postgres15


@pytest.fixture(scope="module")
def system_server() -> Iterator[PostgresServer]:
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    with running_cluster(binaries, durable=False) as server:
        yield server


@pytest.fixture
async def system_world(system_server: PostgresServer) -> AsyncGenerator[CentralWorld]:
    url = system_server.create_database("headframe")
    assert upgrade_schema(url) == known_revision()
    database = Database(DatabaseConfig(url=url), application="test")
    yield CentralWorld(url, database, HandClock(now_ms=NOW_MS))
    await database.close()
    system_server.drop_database("headframe")


async def test_a_batch_goes_all_the_way(system_world: CentralWorld) -> None:
    world = system_world
    samples = [Sample(1, NOW_MS + n * 1_000, float(n)) for n in range(20)]
    good, poison = batch(1, samples), batch_of_body(2, b"rubbish", 1)
    await world.deliver(good, poison, good, series=[entry(1)])
    name = SeriesName("kaduna", "sensor", "ch4-01", "ch4_pct")
    query = TelemetryQuery(name, NOW_MS, NOW_MS + 60_000, 10_000, Aggregate.MEAN)
    result = await world.reader.telemetry(query)
    assert result is not None
    assert result.points == [(NOW_MS, 4.5), (NOW_MS + 10_000, 14.5)]
    assert await world.sql("SELECT seq, reason FROM sync_quarantine") == [(2, "bad_body")]
    (edge,) = await world.reader.sync_status("kaduna")
    assert (edge.lanes[2].acked, edge.inbox_pending) == (2, 0)
