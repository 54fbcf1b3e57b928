"""The real edge at real brokers: what it takes, refuses, survives and says."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.runtime.report import read_report
from shared.clock import SystemClock
from tests.support.brokers import Broker, run_mosquitto, run_nats
from tests.support.certificates import Authority
from tests.support.edge_process import EdgeProcess, Stored
from tests.support.mqtt_device import device

pytestmark = pytest.mark.slow  # each starts processes; a minute or two in all

GAS = "mine/v1/kaduna/sensor/gas-1/telemetry"
OTHER_GAS = "mine/v1/kaduna/sensor/gas-2/telemetry"
MOSQUITTO = pytest.param("mosquitto", marks=pytest.mark.needs_mosquitto)
BOTH = pytest.mark.parametrize("broker", ["nats", MOSQUITTO], indirect=True)


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    run = run_nats if request.param == "nats" else run_mosquitto
    with run(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def edge(broker: Broker, tmp_path: Path) -> Iterator[EdgeProcess]:
    node = EdgeProcess(tmp_path, broker.port)
    yield node
    if node.process is not None:
        node.kill()


def now_ms() -> int:
    return SystemClock().utc_ms()


def reading(seq: int, **metrics: Any) -> bytes:
    return json.dumps({"ts": now_ms(), "seq": seq, "metrics": metrics}).encode()


@BOTH
async def test_stores_what_a_device_sends_and_stops_in_order(edge: EdgeProcess) -> None:
    edge.start()
    async with device(edge.mqtt_port) as gas:
        for seq in range(1_000):
            await gas.publish(GAS, reading(seq, ch4_pct=seq / 10))
        gas.publish_unacknowledged(OTHER_GAS, reading(0, ch4_pct=1.0))
        await gas.drain()
    edge.wait_until(lambda: edge.metric("messages_total") == 1_001, "everything read")
    code, took_s = edge.stop()
    assert code == 0
    assert took_s < 4.0
    stored = await edge.stored()
    of_gas = [sample.value for sample in stored if sample.series == "sensor/gas-1/ch4_pct"]
    assert of_gas == [seq / 10 for seq in range(1_000)]
    assert len(stored) == 1_001
    assert {sample.quality for sample in stored} == {0}


@BOTH
async def test_every_kind_of_rubbish_is_found_in_the_quarantine(edge: EdgeProcess) -> None:
    rubbish: dict[str, tuple[str, bytes]] = {
        "bad_json": (GAS, b"{oops"),
        "bad_msgpack": (GAS, b"\x81\xa1"),
        "bad_structure": (GAS, b"[1,2]"),
        "bad_value": (GAS, b'{"metrics":{"ch4_pct":NaN}}'),
        "bad_metric": (GAS, b'{"metrics":{"CH4":1}}'),
        "bad_ts": (GAS, b'{"ts":"yesterday","metrics":{"a":1}}'),
        "bad_seq": (GAS, b'{"seq":-1,"metrics":{"a":1}}'),
        "future_time": (GAS, json.dumps({"ts": now_ms() + 10**9, "metrics": {"a": 1}}).encode()),
        "payload_too_large": (GAS, b'{"metrics":{"a":"' + b"x" * 1_000_000 + b'"}}'),
        "bad_topic": ("mine/v1/kaduna/sensor/gas-1/telemetri", b"{}"),
        "foreign_site": ("mine/v1/elsewhere/sensor/gas-1/telemetry", b"{}"),
    }
    edge.start()
    async with device(edge.mqtt_port) as gas:
        for topic, payload in rubbish.values():
            await gas.publish(topic, payload)
        await gas.publish(GAS, reading(1, ch4_pct=1.0))
        await gas.drain()
    edge.wait_until(lambda: edge.metric("values_total") == 1, "the good one stored")
    for reason, (topic, payload) in rubbish.items():
        (entry,) = [entry for entry in edge.quarantined() if entry.reason == reason]
        assert (entry.topic, entry.size_bytes) == (topic, len(payload))
        assert edge.metric("refused_total", f'"{reason}"') == 1
    listed = edge.command("quarantine", "list", "--reason", "bad_json", "--json")
    assert json.loads(listed.stdout)["payload"] == "{oops"
    assert edge.stop()[0] == 0


@BOTH
async def test_what_comes_while_the_edge_is_away_is_there_when_it_is_back(
    edge: EdgeProcess,
) -> None:
    edge.start()
    edge.stop()
    async with device(edge.mqtt_port) as gas:
        for seq in range(500):
            await gas.publish(GAS, reading(seq, a=seq))
        await gas.drain()
    edge.start()
    edge.wait_until(lambda: edge.metric("values_total") == 500, "the backlog stored")
    edge.stop()
    assert [sample.value for sample in await edge.stored()] == list(range(500))
    assert "the broker kept no session" not in edge.log_text


@BOTH
async def test_a_retained_message_is_stored_once_however_often_it_is_delivered(
    edge: EdgeProcess,
) -> None:
    async with device(edge.mqtt_port) as gas:
        await gas.publish(GAS, reading(1, a=1), retain=True)
        await gas.drain()
    for _ in range(3):
        edge.start()
        edge.wait_until(lambda: edge.metric("messages_retained_total") == 1, "it came again")
        edge.stop()
    assert len(await edge.stored()) == 1


@BOTH
async def test_goes_on_when_the_broker_comes_back(edge: EdgeProcess, broker: Broker) -> None:
    edge.start()
    broker.stop()
    edge.wait_until(lambda: edge.ready().get("broker", "ok") != "ok", "noticed")
    assert "log" not in edge.ready()  # of the checks only the failed ones are listed
    broker.start()
    edge.wait_until(lambda: edge.ready().get("broker") == "ok", "connected again")
    async with device(edge.mqtt_port) as gas:
        await gas.publish(GAS, reading(1, a=1))
        await gas.drain()
    edge.wait_until(lambda: edge.metric("values_total") == 1, "reading again")
    assert edge.stop()[0] == 0


@pytest.mark.parametrize("broker", [MOSQUITTO], indirect=True)
async def test_speaks_mqtt_5(edge: EdgeProcess) -> None:
    edge.extra["HEADFRAME_MQTT__VERSION"] = "5"
    edge.start()
    async with device(edge.mqtt_port) as gas:
        for seq in range(2_000):
            await gas.publish(GAS, reading(seq, a=seq))
        await gas.drain()
    edge.wait_until(lambda: edge.metric("values_total") == 2_000, "everything stored")
    edge.kill()
    edge.start()  # the session and its expiry are the broker's now
    edge.stop()
    assert len(await edge.stored()) == 2_000
    assert "the broker kept no session" not in edge.log_text


@pytest.mark.needs_mosquitto
def test_signs_in_over_tls_and_trusts_only_its_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    own = authority.issue("broker", host="127.0.0.1")
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "edge", "s3cret"], check=True)
    (tmp_path / "password").write_text("s3cret\n")
    more = (
        f"allow_anonymous false\npassword_file {passwords}\ncafile {authority.ca_file}\n"
        f"certfile {own.cert_file}\nkeyfile {own.key_file}\n"
    )
    with run_mosquitto(tmp_path / "broker", more) as broker:
        edge = EdgeProcess(tmp_path, broker.port)
        edge.extra |= {
            "HEADFRAME_MQTT__USERNAME": "edge",
            "HEADFRAME_MQTT__PASSWORD_FILE": str(tmp_path / "password"),
            "HEADFRAME_MQTT__CA_FILE": str(Authority(tmp_path / "stranger").ca_file),
        }
        edge.start(until_ready=False)
        edge.wait_until(lambda: "certificate" in edge.ready().get("broker", ""), "distrusted")
        edge.stop()
        edge.extra["HEADFRAME_MQTT__CA_FILE"] = str(authority.ca_file)
        edge.start()
        subprocess.run(
            [
                *("mosquitto_pub", "--cafile", authority.ca_file, "-p", str(broker.port)),
                *("-h", "127.0.0.1", "-u", "edge", "-P", "s3cret"),
                *("-q", "1", "-t", GAS, "-m", reading(1, a=1).decode()),
            ],
            check=True,
        )
        edge.wait_until(lambda: edge.metric("values_total") == 1, "stored")
        assert edge.stop()[0] == 0


@pytest.mark.needs_mosquitto
async def test_shows_what_the_broker_dropped_for_a_full_queue(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path / "broker", "max_queued_messages 10\nsys_interval 1\n") as broker:
        edge = EdgeProcess(tmp_path, broker.port)
        edge.start()
        edge.stop()
        async with device(broker.port) as gas:
            for seq in range(500):
                await gas.publish(GAS, reading(seq, a=seq))
            await gas.drain()  # every one of them acknowledged, and most of them gone
        edge.start()
        edge.wait_until(lambda: edge.metric("broker_dropped_total") > 400, "told by the broker")
        edge.stop()
    report = read_report(edge.state_dir)
    assert report is not None
    assert report.broker_refused["queue_full"] > 400


@pytest.mark.parametrize("broker", ["nats"], indirect=True)
async def test_large_payloads_up_to_8_mb_reach_the_edge(edge: EdgeProcess) -> None:
    edge.extra["HEADFRAME_INGEST__PAYLOAD_SIZE_MAX_BYTES"] = "8388608"
    edge.extra["HEADFRAME_INGEST__SAMPLES_PER_MESSAGE_MAX"] = "1000000"
    start_ms = now_ms() - 30_000
    samples = [{"ts": start_ms + n // 5, "seq": n, "metrics": {"a": n}} for n in range(130_000)]
    payload = json.dumps({"samples": samples}).encode()
    assert 8_000_000 < len(payload) < 8_388_608
    edge.start()
    async with device(edge.mqtt_port) as gas:
        await gas.publish(GAS, payload)
        await gas.drain()
    edge.wait_until(lambda: edge.metric("values_total") == 130_000, "the batch stored")
    assert edge.stop()[0] == 0
    assert [sample.value for sample in await edge.stored()] == list(range(130_000))


def births(stored: list[Stored]) -> list[tuple[str, object]]:
    return [(sample.series, sample.value) for sample in stored]


@BOTH
async def test_births_declare_units_and_deaths_have_the_last_word(edge: EdgeProcess) -> None:
    edge.start()
    birth = {"ts": now_ms(), "seq": 0, "boot_id": "b1", "metrics": {"flow": "l/s"}}
    async with device(edge.mqtt_port) as pump:
        await pump.publish("mine/v1/kaduna/equipment/p-1/birth", json.dumps(birth).encode())
        await pump.publish("mine/v1/kaduna/equipment/p-1/telemetry", reading(0, flow=3))
        await pump.publish("mine/v1/kaduna/equipment/p-1/death", b"")
        await pump.drain()
    edge.wait_until(lambda: edge.metric("values_total") == 4, "all stored")
    edge.stop()
    stored = sorted(await edge.stored(), key=lambda sample: (sample.series, sample.ts_ms))
    assert births(stored) == [
        ("equipment/p-1/boot_id", "b1"),
        ("equipment/p-1/flow", 3.0),
        ("equipment/p-1/online", True),
        ("equipment/p-1/online", False),
    ]
