"""The web process in this process, on a real database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from central.app import CentralWebProcess
from central.config import CentralConfig
from central.errors import CentralError
from central.store import schema as schema_module
from shared.clock import SystemClock
from shared.configuration import load_configuration
from shared.errors import ConfigurationError
from tests.support.central_site import CentralSite, central_site
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, entry
from tests.support.eventually import eventually


def process_of(site: CentralSite) -> CentralWebProcess:
    config = load_configuration(CentralConfig, file=site.config_file, environment={}, flags={})
    return CentralWebProcess(config, clock=SystemClock(), environment={}, pid=1)


@asynccontextmanager
async def running(site: CentralSite) -> AsyncGenerator[CentralWebProcess]:
    process = process_of(site)
    async with asyncio.TaskGroup() as group:
        group.create_task(process.run())
        yield process
        process.request_stop()


@asynccontextmanager
async def serving(site: CentralSite) -> AsyncGenerator[CentralWebProcess]:
    async with running(site) as process:
        await eventually(site.is_ready)
        yield process


async def metric(site: CentralSite, name: str) -> float | None:
    text = await site.text("/metrics")
    values = [line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(values[0]) if values else None


async def test_migrates_serves_and_shows_the_backlog(tmp_path: Path, world: CentralWorld) -> None:
    site = central_site(tmp_path, world.url)
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]), series=[entry(1)])

    async def shows_backlog() -> bool:
        return await metric(site, "headframe_central_inbox_pending") == 1.0

    async with serving(site):
        await eventually(shows_backlog)
        assert await metric(site, "headframe_central_database_up") == 1.0
        assert await metric(site, "headframe_central_workers") == 0.0


async def test_the_inbox_shares_no_connection_with_charts(
    tmp_path: Path, world: CentralWorld
) -> None:
    async with serving(central_site(tmp_path, world.url)):
        names = await world.sql(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE datname = current_database()"
        )
    assert {"headframe-central", "headframe-inbox"} <= set(names)


async def test_is_not_ready_while_its_schema_is_missing(
    tmp_path: Path, empty_database_url: str
) -> None:
    site = central_site(tmp_path, empty_database_url)
    lock = schema_module._MIGRATION_LOCK  # pyright: ignore[reportPrivateUsage] another process migrates

    async def lacks_its_schema_only() -> bool:
        status, body = await site.get("/readyz")
        return status == 503 and [error["field"] for error in body["errors"]] == ["schema"]

    connecting = psycopg.AsyncConnection.connect(empty_database_url, autocommit=True)
    async with await connecting as another:
        await another.execute("SELECT pg_advisory_lock(%s)", (lock,))
        async with running(site):
            await eventually(lacks_its_schema_only)
            await another.execute("SELECT pg_advisory_unlock(%s)", (lock,))
            await eventually(site.is_ready)
            checks = (await site.get("/readyz"))[1]["data"]["checks"]
            assert checks == {"database": "ok", "schema": "ok"}


async def test_can_be_stopped_while_it_waits_for_the_server(tmp_path: Path) -> None:
    site = central_site(tmp_path, "host=/nonexistent")

    async def answers() -> bool:
        return (await site.get("/readyz"))[0] == 503

    async with running(site):
        await eventually(answers)


@pytest.mark.parametrize("key", ["signing_key_file", "client_ca_file"])
def test_a_file_that_cannot_be_used_is_found_before_anything_starts(
    tmp_path: Path, key: str
) -> None:
    site = central_site(tmp_path, "host=/nonexistent")
    lines = site.config_file.read_text().splitlines()
    broken = [f'{key} = "{tmp_path}/missing"' if key in line else line for line in lines]
    site.config_file.write_text("\n".join(broken))
    with pytest.raises((ConfigurationError, CentralError), match="missing"):
        process_of(site)
