"""Headquarters' processes, as an operator starts and stops them."""

from pathlib import Path

import psycopg

from tests.support.central_site import central_site, running, serving

ANN = "ann@mine.example"


async def test_migrates_becomes_ready_and_stops_cleanly(
    tmp_path: Path, empty_database_url: str
) -> None:
    site = central_site(tmp_path, empty_database_url)
    async with serving(site) as web, running(site, "worker") as worker:
        await worker.says("ready")
        assert await web.stopped() == 0
        assert await worker.stopped() == 0
        assert "cut off" not in web.log


async def test_waits_for_a_server_that_is_not_there_yet(tmp_path: Path) -> None:
    site = central_site(tmp_path, f"host={tmp_path} dbname=headframe user=headframe")
    async with running(site, "run") as web, running(site, "worker") as worker:
        await web.says("waiting for PostgreSQL")
        await worker.says("waiting for PostgreSQL")
        assert (await site.get("/healthz"))[0] == 200
        status, body = await site.get("/readyz")
        assert (status, "database" in body["detail"]) == (503, True)
        assert await web.stopped() == 0
        assert await worker.stopped() == 0


async def test_a_database_of_a_newer_program_is_one_clear_line(
    tmp_path: Path, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE headframe.alembic_version SET version_num = '9999'")
    site = central_site(tmp_path, database_url)
    for command in ("run", "worker"):
        async with running(site, command) as process:
            assert await process.process.wait() == 1
            assert "schema: the database has schema revision 9999" in process.log
            assert "Traceback" not in process.log


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path, database_url: str) -> None:
    site = central_site(tmp_path, database_url)
    async with serving(site), running(site, "run") as second:
        assert await second.process.wait() == 1
        assert str(site.api_port) in second.log
        assert "Traceback" not in second.log


async def test_an_account_made_by_command_signs_in(tmp_path: Path, database_url: str) -> None:
    site = central_site(tmp_path, database_url)
    await site.add_account(ANN, "analyst")
    async with serving(site):
        token = await site.token(ANN)
        status, body = await site.get("/api/v1/sync/status?site=kaduna", token)
        assert (status, body["data"]["edges"]) == (200, [])
