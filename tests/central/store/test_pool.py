"""Connections under trouble, on a real PostgreSQL."""

import asyncio

import psycopg
import pytest
from psycopg.sql import SQL

from central.config import DatabaseConfig
from central.errors import StoreError
from central.store.database import Database
from tests.support.central_world import CentralWorld

ONE = SQL("SELECT 1")


async def backends(world: CentralWorld) -> int:
    (count,) = await world.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user"
        " AND datname = current_database()"
    )
    assert isinstance(count, int)
    return count


def kill_backends(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND usename = current_user"
        )


async def test_a_request_after_all_connections_died_succeeds_at_once(world: CentralWorld) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(world.sql("SELECT pg_sleep(0.05)"))
    assert await backends(world) == 5
    kill_backends(world.url)
    assert await world.sql("SELECT 1") == [1]
    assert await backends(world) == 1


async def test_a_connection_that_dies_in_use_fails_its_user_only(world: CentralWorld) -> None:
    async def interrupted() -> None:
        async with world.database.transaction() as connection:
            kill_backends(world.url)
            await connection.execute("SELECT 1")

    with pytest.raises(StoreError, match="57P01"):
        await interrupted()
    assert await world.sql("SELECT 1") == [1]


async def test_a_cancelled_request_leaves_the_pool_usable(world: CentralWorld) -> None:
    database = Database(DatabaseConfig(url=world.url, pool_size_max=2), application="test")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await database.rows(SQL("SELECT pg_sleep(10)"), {})
    assert await database.rows(ONE, {}) == [(1,)]
    await database.close()


async def test_requests_beyond_the_limit_wait_for_a_connection(world: CentralWorld) -> None:
    database = Database(DatabaseConfig(url=world.url, pool_size_max=2), application="test")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(database.rows(ONE, {})) for _ in range(50)]
    assert [task.result() for task in tasks] == [[(1,)]] * 50
    await database.close()


async def test_a_closed_pool_gives_out_nothing_and_keeps_nothing(world: CentralWorld) -> None:
    database = Database(DatabaseConfig(url=world.url), application="test")
    async with database.transaction() as connection:
        await connection.execute("SELECT 1")
        await database.close()
    with pytest.raises(StoreError, match="closed"):
        await database.rows(ONE, {})
    assert await backends(world) == 1  # the one that asks
