"""The command line of headquarters, in this process and on a real database."""

import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from central.__main__ import app
from shared.access.tokens import load_jwks
from tests.support.central_site import PASSWORD, CentralSite, central_site
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, entry

ANN = "ann@mine.example"


class CommandLine:
    """Runs commands against one site's configuration."""

    def __init__(self, site: CentralSite) -> None:
        self.site = site

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        config = ("--config", str(self.site.config_file))
        return CliRunner().invoke(app, [*arguments, *config], input=stdin)

    def add(self, username: str = ANN, role: str = "analyst", password: str = PASSWORD) -> Result:
        account = ("user", "add", username, "--role", role, "--site", "kaduna")
        return self(*account, "--password-stdin", stdin=password + "\n")

    def listed(self, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self("user", "list", "--json", *options).stdout)
        return found


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """A command sets up logs for its whole process: here, for one test's captured output."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def command(tmp_path: Path, database_url: str) -> CommandLine:
    return CommandLine(central_site(tmp_path, database_url))


def test_an_account_is_added_and_listed(command: CommandLine) -> None:
    assert command.add("Ann@Mine.example").exit_code == 0
    (account,) = command.listed()
    assert account.keys() == {"username", "user_id", "roles", "sites", "state"}
    assert (account["username"], account["roles"], account["sites"]) == (
        ANN,
        ["analyst"],
        ["kaduna"],
    )
    assert command.listed("--with-hashes")[0]["password_hash"].startswith("$argon2id$")
    assert ANN in command("user", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "complaint"),
    [
        (("ann", "--role", "analyst", "--site", "x", "--password-stdin"), PASSWORD, "email"),
        ((ANN, "--role", "analyst", "--site", "NO SITE", "--password-stdin"), PASSWORD, "site"),
        ((ANN, "--role", "analyst", "--site", "x", "--password-stdin"), "short", "at least 10"),
        ((ANN, "--role", "analyst", "--site", "x"), "", "--password-stdin"),
        ((ANN, "--role", "emperor", "--site", "x", "--password-stdin"), PASSWORD, "emperor"),
        ((ANN, "--role", "analyst", "--password-stdin"), PASSWORD, "--site"),
    ],
)
def test_wrong_usage_is_said_and_adds_nothing(
    command: CommandLine, arguments: tuple[str, ...], stdin: str, complaint: str
) -> None:
    result = command("user", "add", *arguments, stdin=stdin)
    assert (result.exit_code, complaint in result.stderr) == (2, True), result.stderr
    assert command.listed() == []


def test_a_taken_username_is_refused(command: CommandLine) -> None:
    command.add()
    again = command.add(ANN.upper(), role="admin")
    assert (again.exit_code, "taken" in again.stderr) == (1, True)
    assert [account["roles"] for account in command.listed()] == [["analyst"]]


def test_the_password_may_come_from_a_file(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\nsecond line")
    add = ("user", "add", ANN, "--role", "analyst", "--site", "*", "--password-file")
    assert command(*add, str(tmp_path / "missing")).exit_code == 1
    assert command(*add, str(file), "--password-stdin", stdin=PASSWORD).exit_code == 2
    assert command(*add, str(file)).exit_code == 0


def test_passwords_and_states_are_changed(command: CommandLine) -> None:
    command.add()
    before = command.listed("--with-hashes")[0]["password_hash"]
    changed = command("user", "passwd", ANN, "--password-stdin", stdin="another-password")
    assert (changed.exit_code, changed.stdout) == (0, f"changed the password of {ANN}\n")
    assert command.listed("--with-hashes")[0]["password_hash"] != before
    for verb, state in (("disable", "disabled"), ("enable", "active")):
        assert json.loads(command("user", verb, ANN, "--json").stdout)["state"] == state
        assert command.listed()[0]["state"] == state
    nobody = command("user", "disable", "nobody@mine.example")
    assert (nobody.exit_code, "no account" in nobody.stderr) == (1, True)


def test_edges_get_only_accounts_that_may_sign_in_there(
    command: CommandLine, tmp_path: Path
) -> None:
    command.add()
    command.add("bob@mine.example")
    command("user", "disable", "bob@mine.example")
    cache = tmp_path / "accounts.json"
    assert command("user", "export", "--output", str(cache)).exit_code == 0
    (exported,) = json.loads(cache.read_text())
    assert (exported["username"], exported["password_hash"][:10]) == (ANN, "$argon2id$")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert json.loads(command("user", "export", "--site", "obuasi").stdout) == []


def test_public_keys_are_exported_without_the_private_half(
    command: CommandLine, tmp_path: Path
) -> None:
    jwks = tmp_path / "jwks.json"
    assert command("jwks", "export", "--output", str(jwks)).exit_code == 0
    assert len(load_jwks(jwks)) == 1
    assert set(json.loads(jwks.read_text())["keys"][0]) == {"kty", "n", "e", "kid", "use", "alg"}


def test_migrates_and_says_the_revision(tmp_path: Path, empty_database_url: str) -> None:
    command = CommandLine(central_site(tmp_path, empty_database_url))
    assert json.loads(command("migrate", "--json").stdout) == {"revision": "0008"}
    assert command("migrate").stdout == "schema revision 0008\n"


async def test_what_is_kept_aside_is_listed_shown_and_released(
    tmp_path: Path, world: CentralWorld
) -> None:
    await world.sql("ALTER TABLE sample ADD CONSTRAINT mild CHECK (v < 100)")
    samples = [Sample(1, NOW_MS, 1.0), Sample(1, NOW_MS + 1, 200.0)]
    await world.deliver(batch(1, samples), series=[entry(1)])
    command = CommandLine(central_site(tmp_path, world.url))

    def run(*arguments: str) -> Result:
        with ThreadPoolExecutor(1) as thread:  # a command has a loop of its own
            return thread.submit(command, "quarantine", *arguments).result()

    (held,) = json.loads(run("list", "--json").stdout)
    assert (held["reason"], held["rows"], held["state"]) == ("refused_by_database", 1, "held")
    number = held["entry_id"]
    assert "refused_by_database" in run("list", "--site", "kaduna").stdout
    assert "sensor/ch4-01/ch4_pct" in run("show", number, "--body", str(tmp_path / "b")).stdout
    assert (tmp_path / "b").read_bytes() == batch(1, samples).body
    assert json.loads(run("show", number, "--json").stdout)["held_rows"][0]["value"] == 200.0
    assert run("release", number).exit_code == 1  # still refused
    await world.sql("ALTER TABLE sample DROP CONSTRAINT mild")
    done = run("release", "--all", "--json")
    assert (done.exit_code, json.loads(done.stdout)["rows"]) == (0, 1)
    assert await world.sql("SELECT v FROM sample ORDER BY ts") == [1.0, 200.0]
    assert run("show", "999").exit_code == 1
    assert run("release").exit_code == 2
    assert run("release", "nonsense").exit_code == 2


def test_a_server_that_is_away_fails_a_command_with_one_line(tmp_path: Path) -> None:
    command = CommandLine(central_site(tmp_path, f"host={tmp_path} dbname=headframe"))
    for arguments in (("user", "list"), ("migrate",)):
        result = command(*arguments)
        assert (result.exit_code, result.stderr[:7]) == (1, "store: ")
        assert result.stderr.count("\n") == 1


def test_every_mistake_of_a_configuration_is_named(tmp_path: Path) -> None:
    command = CommandLine(central_site(tmp_path, "host=/x"))
    command.site.config_file.write_text("[database]\nurl = 5\n[worker]\ninbox_keep_days = 0\n")
    result = command("migrate")
    assert result.exit_code == 2
    for key in ("database.url", "worker.inbox_keep_days", "auth", "sync"):
        assert key in result.stderr


def test_version_is_told() -> None:
    assert json.loads(CliRunner().invoke(app, ["version", "--json"]).stdout)["version"]
    told = CliRunner().invoke(app, ["--version"]).stdout
    assert told == CliRunner().invoke(app, ["version"]).stdout
