"""The command line: exit codes, output for people and machines, mistakes all at once."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.__main__ import app
from edge.config import LogConfig
from edge.log.journal import Journal
from edge.log.records import QuarantineEntry
from edge.runtime.report import write_report
from shared.clock import SystemClock
from tests.edge.runtime.test_report import REPORT

runner = CliRunner()


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "edge.toml"
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    file.write_text(
        f'site = "kaduna"\nedge_id = "edge-1"\nstate_dir = "{state_dir}"\n[api]\nport = 1\n'
    )
    return file


@pytest.fixture
async def quarantine(config_file: Path) -> None:
    journal = Journal.open(
        config_file.parent / "state", "kaduna", "edge-1", LogConfig(), SystemClock()
    )
    for reason, payload in (("bad_json", b"{oops \xff"), ("bad_topic", b"{}")):
        entry = QuarantineEntry(
            at_ms=1_700_000_000_000,
            topic="mine/v1/x",
            reason=reason,
            field="payload",
            detail="expected better",
            payload=payload,
        )
        await journal.quarantine([entry])
    await journal.close()


def call(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    "command", [[], ["run"], ["check"], ["status"], ["quarantine", "list"], ["quarantine", "show"]]
)
def test_every_command_helps_with_an_example(command: list[str]) -> None:
    code, text, _ = call(*command, "--help")
    assert code == 0
    if command:
        assert "Example: headframe-edge" in " ".join(text.split())


def test_version_for_people_and_for_machines() -> None:
    assert call("version")[1].startswith("headframe-edge ")
    assert call("--version") == call("version")
    assert set(json.loads(call("version", "--json")[1])) == {"version"}


def test_a_sound_configuration_passes_the_check(config_file: Path) -> None:
    assert call("check", "--config", str(config_file))[0] == 0
    code, text, _ = call("check", "--config", str(config_file), "--json")
    assert (code, json.loads(text)) == (0, {"ok": True, "failures": [], "warnings": []})


def test_a_failed_check_names_every_key_that_is_wrong(config_file: Path) -> None:
    config_file.write_text(
        config_file.read_text() + 'jwks_file = "/absent/jwks.json"\ntls_cert_file = "/absent/c"\n'
        '[mqtt]\npassword_file = "/absent/password"\n[uplink]\nurl = "http://x"\n'
    )
    code, _, errors = call("check", "--config", str(config_file))
    assert code == 1
    for key in ("api.jwks_file", "api.tls_cert_file", "mqtt.password_file", "uplink.url"):
        assert key in errors
    assert "tls_cert_file and tls_key_file must be given together" in errors


def test_a_wrong_configuration_is_a_usage_error_that_lists_every_mistake(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text('site = "Kaduna"\nedge_id = "e"\nstate_dir = "s"\n[ingest]\nlinger_ms = 0\n')
    for command in ("check", "run", "status"):
        code, _, errors = call(command, "--config", str(file))
        assert code == 2
        assert "site" in errors
        assert "ingest.linger_ms" in errors


@pytest.mark.parametrize("mqtt", ["broker", ":1883", "h:port"])
def test_a_broker_must_be_host_and_port(config_file: Path, mqtt: str) -> None:
    code, _, errors = call("run", "--config", str(config_file), "--mqtt", mqtt)
    assert code == 2
    assert "mqtt" in errors


def test_status_shows_what_an_edge_left_behind_and_fails(config_file: Path) -> None:
    write_report(config_file.parent / "state", REPORT)
    code, text, _ = call("status", "--config", str(config_file))
    assert code == 1
    assert "NOT RUNNING" in text
    code, text, _ = call("status", "--config", str(config_file), "--json")
    assert (code, json.loads(text)["running"]) == (1, False)


def test_status_of_an_edge_that_never_ran_says_so(config_file: Path) -> None:
    code, _, errors = call("status", "--config", str(config_file))
    assert code == 1
    assert "no edge answers" in errors


@pytest.mark.usefixtures("quarantine")
def test_the_quarantine_is_listed_newest_first(config_file: Path) -> None:
    code, text, _ = call("quarantine", "list", "--config", str(config_file))
    first, second = text.splitlines()
    assert code == 0
    assert "bad_topic  mine/v1/x  payload: expected better" in first
    assert "bad_json" in second
    code, text, _ = call(
        "quarantine", "list", "--config", str(config_file), "--reason", "bad_json", "--json"
    )
    (entry,) = [json.loads(line) for line in text.splitlines()]
    assert (entry["id"], entry["payload"], entry["size_bytes"]) == (1, "{oops \\xff", 7)


@pytest.mark.usefixtures("quarantine")
def test_a_refused_payload_is_shown_as_it_came(config_file: Path) -> None:
    result = runner.invoke(app, ["quarantine", "show", "1", "--config", str(config_file)])
    assert result.exit_code == 0
    assert result.stdout_bytes == b"{oops \xff"
    assert "expected better" in result.stderr
    assert call("quarantine", "show", "99", "--config", str(config_file))[0] == 1


def test_a_state_directory_without_a_quarantine_is_an_error(config_file: Path) -> None:
    code, _, errors = call("quarantine", "list", "--config", str(config_file))
    assert code == 1
    assert "no quarantine here" in errors
