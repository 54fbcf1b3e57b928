"""The worker in this process, on a real database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from central.config import CentralConfig
from central.errors import SchemaError
from central.worker import UnpackWorker
from shared.clock import SystemClock
from shared.configuration import load_configuration
from tests.support.central_site import central_site
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, batch_of_body, entry
from tests.support.eventually import eventually
from tests.support.ports import free_port


def worker_of(folder: Path, url: str, **flags: object) -> UnpackWorker:
    file = central_site(folder, url).config_file
    config = load_configuration(CentralConfig, file=file, environment={}, flags=flags)
    return UnpackWorker(config, clock=SystemClock(), environment={}, pid=1)


@asynccontextmanager
async def at_work(worker: UnpackWorker) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        yield
        worker.request_stop()


async def test_unpacks_what_arrives_and_says_that_it_lives(
    tmp_path: Path, world: CentralWorld
) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]), series=[entry(1)])

    async def has_unpacked(seqs: int) -> bool:
        return await world.sql("SELECT count(*) FROM sample") == [seqs]

    async with at_work(worker_of(tmp_path, world.url)):
        await eventually(lambda: has_unpacked(1))  # what had waited
        await world.store(grant, batch(2, [Sample(1, NOW_MS, 2.0)]))
        await eventually(lambda: has_unpacked(2))  # what it was woken for
        assert await world.sql("SELECT count(*) FROM worker WHERE stopped_at IS NULL") == [1]
    assert await world.sql("SELECT count(*) FROM worker WHERE stopped_at IS NULL") == [0]


async def test_goes_on_after_poison_and_after_its_connections_died(
    tmp_path: Path, world: CentralWorld
) -> None:
    grant = await world.session()

    async def has_unpacked(value: float) -> bool:
        return value in await world.sql("SELECT v FROM sample")

    async with at_work(worker_of(tmp_path, world.url)):
        await world.store(grant, batch_of_body(1, b"rubbish", 1), series=[entry(1)])
        await world.store(grant, batch(2, [Sample(1, NOW_MS, 2.0)]))
        await eventually(lambda: has_unpacked(2.0))
        await world.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'headframe-worker' AND datname = current_database()"
        )
        await world.store(grant, batch(3, [Sample(1, NOW_MS, 3.0)]))
        await eventually(lambda: has_unpacked(3.0))
    assert await world.sql("SELECT reason FROM sync_quarantine") == ["bad_body"]


async def test_takes_up_by_itself_what_was_parked_once_its_series_is_known(
    tmp_path: Path, world: CentralWorld
) -> None:
    grant = await world.session()

    async def is_parked() -> bool:
        return await world.sql("SELECT state FROM sync_batch WHERE seq = 1") == ["parked"]

    async def has_unpacked() -> bool:
        return await world.sql("SELECT v FROM sample") == [1.0]

    async with at_work(worker_of(tmp_path, world.url)):
        await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]))
        await eventually(is_parked)
        await world.store(grant, series=[entry(1)])
        await eventually(has_unpacked)


async def test_rolls_up_hours_that_are_over(tmp_path: Path, world: CentralWorld) -> None:
    over_ms = SystemClock().utc_ms() - 3 * 3_600_000
    await world.deliver(batch(1, [Sample(1, over_ms, 7.0)]), series=[entry(1)])
    await world.sql("UPDATE rollup_dirty SET marked_at = marked_at - interval '1 minute'")

    async def is_rolled_up() -> bool:
        return await world.sql("SELECT n, total FROM rollup_hour") == [(1, 7.0)]

    async with at_work(worker_of(tmp_path, world.url)):
        await eventually(is_rolled_up)
    assert await world.sql("SELECT marks_rollups FROM worker") == [True]


async def test_shows_its_counts_on_a_port_of_its_own(tmp_path: Path, world: CentralWorld) -> None:
    port = free_port()
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(1, NOW_MS, 1.0)]), series=[entry(1)])

    async def shows(line: str) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/metrics") as response,
            ):
                return line in await response.text()
        except aiohttp.ClientError:
            return False

    async with at_work(worker_of(tmp_path, world.url, **{"worker.metrics_port": port})):
        await eventually(lambda: shows("headframe_central_rows_applied_total 1.0"))


async def test_needs_no_key_of_the_web_process(tmp_path: Path, world: CentralWorld) -> None:
    worker = worker_of(
        tmp_path,
        world.url,
        **{"auth.signing_key_file": tmp_path / "none", "sync.key_file": tmp_path / "none"},
    )

    async def lives() -> bool:
        return await world.sql("SELECT count(*) FROM worker WHERE stopped_at IS NULL") == [1]

    async with at_work(worker):
        await eventually(lives)


async def test_does_not_touch_a_database_of_a_newer_program(
    tmp_path: Path, world: CentralWorld
) -> None:
    await world.sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ExceptionGroup) as raised:
        await worker_of(tmp_path, world.url).run()
    assert raised.group_contains(SchemaError, match="9999")


async def test_can_be_stopped_while_it_waits_for_the_server(tmp_path: Path) -> None:
    async with at_work(worker_of(tmp_path, "host=/nonexistent")):
        await asyncio.sleep(0)
