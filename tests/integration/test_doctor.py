"""`headframe-edge doctor` and `check` against a real broker and a real disk."""

import json
import subprocess
from pathlib import Path

import pytest

from edge.ingest.findings import Grade
from edge.runtime.doctor import judge_flushes
from tests.support.brokers import run_mosquitto
from tests.support.edge_process import EdgeProcess
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

Told = dict[str, list[tuple[str, str, str]]]


def examined(edge: EdgeProcess) -> tuple[int, Told]:
    """Return the exit code of doctor and (grade, told, remedy) by what was looked at."""
    done = edge.command("doctor", "--json")
    told: Told = {}
    for line in done.stdout.splitlines():
        one = json.loads(line)
        told.setdefault(one["name"], []).append((one["grade"], one["told"], one["remedy"]))
    assert told, done.stderr
    return done.returncode, told


@pytest.mark.needs_mosquitto
@pytest.mark.parametrize("version", ["4", "5"])
def test_a_well_broker_is_found_well_beside_a_running_edge(tmp_path: Path, version: str) -> None:
    with run_mosquitto(tmp_path / "broker", "sys_interval 1\n") as broker:
        edge = EdgeProcess(tmp_path, broker.port, {"HEADFRAME_MQTT__VERSION": version})
        edge.start()
        code, told = examined(edge)
        assert (code, {grade for grade, _, _ in told["broker"]}) == (0, {"ok"})
        assert any("mine/v1/#" in sentence for _, sentence, _ in told["broker"])
        assert edge.metric("broker_disconnects_total") == 0  # the running edge was not disturbed
        assert edge.stop()[0] == 0


def test_a_broker_that_is_not_there_is_said(tmp_path: Path) -> None:
    edge = EdgeProcess(tmp_path, free_port())
    code, told = examined(edge)
    ((grade, sentence, remedy),) = told["broker"]
    assert (code, grade, remedy) == (1, "failed", "check mqtt.host and port")
    assert str(edge.mqtt_port) in sentence


@pytest.mark.needs_mosquitto
def test_a_missing_right_and_a_wrong_password_are_told_with_what_to_grant(tmp_path: Path) -> None:
    passwords, rights = tmp_path / "passwords", tmp_path / "rights"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "edge", "s3cret"], check=True)
    rights.write_text("user edge\ntopic read mine/v1/#\n")  # nothing of $SYS
    (tmp_path / "password").write_text("s3cret\n")
    more = f"allow_anonymous false\npassword_file {passwords}\nacl_file {rights}\n"
    with run_mosquitto(tmp_path / "broker", more) as broker:
        edge = EdgeProcess(tmp_path, broker.port)
        edge.extra |= {
            "HEADFRAME_MQTT__USERNAME": "edge",
            "HEADFRAME_MQTT__PASSWORD_FILE": str(tmp_path / "password"),
        }
        code, told = examined(edge)
        assert code == 0
        (warning,) = [one for one in told["broker"] if one[0] == "warning"]
        assert "topic read $SYS/broker/publish/messages/dropped" in warning[2]
        (tmp_path / "password").write_text("wrong\n")
        code, told = examined(edge)
        assert code == 1
        assert any("code 5" in sentence for _, sentence, _ in told["broker"])


def test_a_file_of_the_broker_is_judged_by_check_and_doctor(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "own.conf").write_text("max_queued_messages 100\n")
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"persistence true\nautosave_interval 30\ninclude_dir {tmp_path / 'more'}\n")
    edge = EdgeProcess(tmp_path, 1, {"HEADFRAME_MQTT__BROKER_CONFIG_FILE": str(conf)})
    checked = edge.command("check", "--json")
    assert checked.returncode == 1
    (failure,) = json.loads(checked.stdout)["failures"]
    assert failure.startswith("max_queued_messages is 100")
    _, told = examined(edge)
    assert told["broker settings"][0][0] == "failed"


def test_central_and_listener_that_are_not_there_are_warnings(tmp_path: Path) -> None:
    edge = EdgeProcess(tmp_path, 1, {"HEADFRAME_UPLINK__URL": "wss://127.0.0.1:1/sync/v1"})
    _, told = examined(edge)
    assert told["central"][0][0] == "warning"


def test_slow_disks_are_told_apart_from_failing_ones() -> None:
    assert judge_flushes(0.03, 0.002).grade is Grade.OK
    assert judge_flushes(0.2, 0.06).grade is Grade.WARNING
    assert judge_flushes(1.5, 0.002).grade is Grade.FAILED
