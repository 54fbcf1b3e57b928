"""`headframe` finds its commands by entry points and survives one that is broken."""

from importlib.metadata import EntryPoint

import pytest
from typer.testing import CliRunner

from deploy import cli

RUNNER = CliRunner()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "up": EntryPoint("up", "deploy.site.command:app", cli.GROUP),
        "later": EntryPoint("later", "deploy.no_such_part:app", cli.GROUP),
    }
    monkeypatch.setattr(cli, "_points", lambda: points)


@pytest.mark.usefixtures("broken")
def test_help_lists_every_command_even_with_a_broken_one() -> None:
    told = RUNNER.invoke(cli.app, ["--help"])
    assert told.exit_code == 0
    assert "Start a complete site" in told.output
    assert "later" in told.output


@pytest.mark.usefixtures("broken")
def test_a_broken_command_says_so() -> None:
    told = RUNNER.invoke(cli.app, ["later"])
    assert told.exit_code == 1
    assert "not part of this installation" in told.output


@pytest.mark.usefixtures("broken")
def test_an_unknown_command_is_a_usage_error() -> None:
    assert RUNNER.invoke(cli.app, ["no-such-command"]).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [(), ("up",), ("sim",), ("replay",), ("bench",)]
    + [("bench", name) for name in ("ingest", "live", "query", "sync")],
)
def test_every_help_has_an_example(command: tuple[str, ...]) -> None:
    told = RUNNER.invoke(cli.app, [*command, "--help"])
    assert f"headframe {' '.join(command)}".strip() in told.output.split("Example")[1]


def test_the_version_is_told() -> None:
    assert RUNNER.invoke(cli.app, ["--version"]).output.startswith("headframe ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--tls-cert and --tls-key, or --insecure"),
        (["--rate-limit", "lots"], "--rate-limit lots: expected a number"),
        (["--mqtt", "nowhere"], "expected HOST:PORT"),
        (["--tls-cert", "/gone.pem"], "belong together"),
        (["--central-port", "70000"], "central-port"),
    ],
)
@pytest.mark.usefixtures("broken")
def test_up_refuses_wrong_options_in_one_line(arguments: list[str], said: str) -> None:
    told = RUNNER.invoke(cli.app, ["up", "--state", "/no/such/place", *arguments])
    assert (told.exit_code, said in told.output) == (2, True)
