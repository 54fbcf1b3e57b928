"""Headquarters' processes, as an operator starts, uses and stops them."""

import json
import stat
from pathlib import Path

import psycopg

from shared.access.tokens import load_jwks
from tests.support.central_site import PASSWORD, central_site, running, serving

ANN = "ann@mine.example"


async def test_migrates_becomes_ready_and_stops_cleanly(
    tmp_path: Path, empty_database_url: str
) -> None:
    site = central_site(tmp_path, empty_database_url)
    async with serving(site) as web, running(site, "worker") as worker:
        await worker.says("ready")
        assert await web.stopped() == 0
        assert await worker.stopped() == 0
        assert "stopped" in web.log
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


async def test_accounts_are_made_listed_exported_and_sign_in(
    tmp_path: Path, database_url: str
) -> None:
    site = central_site(tmp_path, database_url)
    await site.add_account(ANN, "analyst")
    code, out, _ = await site.command("user", "list", "--json")
    (listed,) = json.loads(out)
    assert (code, listed["username"], listed["roles"]) == (0, ANN, ["analyst"])
    assert "password_hash" not in listed
    cache = tmp_path / "accounts.json"
    code, _, _ = await site.command("user", "export", "--site", "kaduna", "--output", str(cache))
    (exported,) = json.loads(cache.read_text())
    assert (code, exported["password_hash"][:10]) == (0, "$argon2id$")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    async with serving(site):
        token = await site.token(ANN)
        status, body = await site.get("/api/v1/sync/status?site=kaduna", token)
        assert (status, body["data"]["edges"]) == (200, [])


async def test_wrong_usage_is_said_and_changes_nothing(tmp_path: Path, database_url: str) -> None:
    site = central_site(tmp_path, database_url)
    add = ("user", "add", "--role", "analyst", "--site")
    for arguments, stdin, complaint in (
        ((*add, "kaduna", "ann", "--password-stdin"), PASSWORD, "email address"),
        ((*add, "NOT A SITE", ANN, "--password-stdin"), PASSWORD, "site"),
        ((*add, "kaduna", ANN, "--password-stdin"), "short", "at least 10"),
        ((*add, "kaduna", ANN), "", "--password-stdin"),
        (("user", "add", ANN, "--role", "emperor", "--site", "kaduna"), "", "emperor"),
    ):
        code, _, err = await site.command(*arguments, stdin=stdin)
        assert (code, complaint in err) == (2, True), err
    code, _, err = await site.command("user", "passwd", ANN, "--password-stdin", stdin=PASSWORD)
    assert (code, "no account" in err) == (1, True)
    assert (await site.command("user", "list", "--json"))[1].strip() == "[]"


async def test_a_taken_username_is_refused(tmp_path: Path, database_url: str) -> None:
    site = central_site(tmp_path, database_url)
    await site.add_account(ANN, "analyst")
    again = ("user", "add", ANN.upper(), "--role", "admin", "--site", "*", "--password-stdin")
    code, _, err = await site.command(*again, stdin=PASSWORD)
    assert (code, "taken" in err) == (1, True)


async def test_a_server_that_is_away_fails_a_command_at_once(tmp_path: Path) -> None:
    site = central_site(tmp_path, f"host={tmp_path} dbname=headframe")
    for arguments in (("user", "list"), ("migrate",)):
        code, _, err = await site.command(*arguments)
        assert (code, err.startswith("store: ")) == (1, True), err


async def test_public_keys_are_exported_for_edges(tmp_path: Path, database_url: str) -> None:
    site = central_site(tmp_path, database_url)
    jwks = tmp_path / "jwks.json"
    code, _, _ = await site.command("jwks", "export", "--output", str(jwks))
    assert (code, len(load_jwks(jwks))) == (0, 1)
    assert set(json.loads(jwks.read_text())["keys"][0]) == {"kty", "n", "e", "kid", "use", "alg"}


async def test_a_foreign_configuration_names_every_mistake(tmp_path: Path) -> None:
    site = central_site(tmp_path, "host=/x")
    site.config_file.write_text("[database]\nurl = 5\n[worker]\ninbox_keep_days = 0\n")
    code, _, err = await site.command("migrate")
    assert code == 2
    for key in ("database.url", "worker.inbox_keep_days", "auth", "sync"):
        assert key in err
