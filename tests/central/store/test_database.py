"""Connections: settings, times, errors."""

import psycopg
import pytest
from psycopg.sql import SQL

from central.config import DatabaseConfig
from central.errors import DataRefusedError, SchemaError, StoreError
from central.store.address import address_of
from central.store.database import Database
from central.store.instants import INSTANT_MS_MAX, INSTANT_MS_MIN, Instant, clamped
from central.store.readiness import durability_problem, schema_problem
from shared.errors import ConfigurationError
from tests.support.central_world import CentralWorld


@pytest.mark.parametrize("ts_ms", [INSTANT_MS_MIN, -1, 0, 1, 1_795_435_200_123, INSTANT_MS_MAX])
async def test_every_time_comes_back_to_the_millisecond(world: CentralWorld, ts_ms: int) -> None:
    assert await world.sql("SELECT %(ts)s", ts=Instant(ts_ms)) == [ts_ms]
    assert await world.sql("SELECT unnest(%(ts)s::timestamptz[])", ts=[Instant(ts_ms)]) == [ts_ms]


async def test_times_agree_with_the_servers_own_arithmetic(world: CentralWorld) -> None:
    text = "SELECT (%(ts)s::timestamptz AT TIME ZONE 'UTC')::text"
    assert await world.sql(text, ts=Instant(1_795_435_200_123)) == ["2026-11-23 12:00:00.123"]


async def test_a_time_beyond_the_servers_reach_is_refused_or_clamped(world: CentralWorld) -> None:
    for ts_ms in (INSTANT_MS_MIN - 1, INSTANT_MS_MAX + 1, 2**63 - 1):
        with pytest.raises(StoreError):
            await world.sql("SELECT %(ts)s", ts=Instant(ts_ms))
        nearest = clamped(ts_ms)
        assert await world.sql("SELECT %(ts)s", ts=nearest) == [nearest.ts_ms]


async def test_a_statement_that_takes_too_long_is_ended(world: CentralWorld) -> None:
    config = DatabaseConfig(url=world.url, statement_timeout_s=0.05)
    database = Database(config, application="test")
    with pytest.raises(StoreError, match="57014"):
        await database.rows(SQL("SELECT pg_sleep(5)"), {})
    assert await database.rows(SQL("SELECT 1"), {}) == [(1,)]
    await database.close()


async def test_a_failed_transaction_leaves_nothing_behind(world: CentralWorld) -> None:
    async def fail_halfway() -> None:
        async with world.database.transaction() as connection:
            await connection.execute("INSERT INTO site (name) VALUES ('kaduna')")
            await connection.execute("INSERT INTO site (name) VALUES ('NOT A NAME')")

    with pytest.raises(DataRefusedError, match="23514"):
        await fail_halfway()
    assert await world.sql("SELECT count(*) FROM site") == [0]


async def test_says_why_the_database_is_not_ready() -> None:
    database = Database(DatabaseConfig(url="host=/nonexistent"), application="test")
    assert "connection" in str(await database.probe())
    await database.close()


async def test_tells_a_missing_schema_from_a_newer_one(
    world: CentralWorld, empty_database_url: str
) -> None:
    assert await schema_problem(world.database) is None
    empty = Database(DatabaseConfig(url=empty_database_url), application="test")
    assert "alembic_version" in str(await schema_problem(empty))
    await empty.close()
    await world.sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="9999"):
        await schema_problem(world.database)


async def test_says_when_the_server_would_not_survive_a_power_cut(world: CentralWorld) -> None:
    # The shared test cluster runs with fsync off, for speed.
    assert await durability_problem(world.database) == (
        "the server runs with fsync and full_page_writes off"
    )


def test_the_password_may_come_from_a_file(tmp_path: object) -> None:
    with pytest.raises(ConfigurationError, match="password_file"):
        address_of(DatabaseConfig(url="host=/x", password_file="/nonexistent"))  # pyright: ignore[reportArgumentType] pydantic makes it a path


def test_an_address_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"database\.url"):
        address_of(DatabaseConfig(url="what is this"))


async def test_a_given_options_setting_is_kept(database_url: str) -> None:
    config = DatabaseConfig(url=f"{database_url} options='-c work_mem=7MB'")
    database = Database(config, application="test")
    assert await database.rows(SQL("SHOW work_mem"), {}) == [("7MB",)]
    assert await database.rows(SQL("SHOW search_path"), {}) == [("headframe",)]
    await database.close()


def test_libpq_understands_the_address(database_url: str) -> None:
    with psycopg.connect(address_of(DatabaseConfig(url=database_url))) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
