"""The real edge killed at full speed, before a full log, alone: nothing is lost or doubled."""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from shared.clock import SystemClock
from tests.support.brokers import Broker, run_mosquitto, run_nats
from tests.support.edge_process import EdgeProcess
from tests.support.mqtt_device import Device, device

pytestmark = pytest.mark.slow  # each starts processes; a minute or two in all

DEVICES = 20
KILLS = 3
MOSQUITTO = pytest.param("mosquitto", marks=pytest.mark.needs_mosquitto)
BOTH = pytest.mark.parametrize("broker", ["nats", MOSQUITTO], indirect=True)


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    run = run_nats if request.param == "nats" else run_mosquitto
    with run(tmp_path / "broker") as running:
        yield running


@pytest.fixture
async def edge(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    node = EdgeProcess(tmp_path, broker.port)
    yield node
    if node.process is not None:
        node.kill()


def reading(number: int) -> tuple[str, bytes]:
    """Return topic and payload of reading ``number`` of the whole mine."""
    ts_ms = SystemClock().utc_ms()
    payload = b'{"ts":%d,"seq":%d,"metrics":{"a":%d}}' % (ts_ms, number // DEVICES, number)
    return f"mine/v1/kaduna/sensor/gas-{number % DEVICES}/telemetry", payload


async def publish_until(stopped: asyncio.Event, mine: Device) -> int:
    """Publish as fast as the broker takes it; return how many readings there were."""
    number = 0
    while not stopped.is_set():
        for _ in range(50):
            await mine.publish(*reading(number))
            number += 1
        await asyncio.sleep(0.02)  # leaves some of two cores to the edge that is tested
    return number


@BOTH
async def test_kills_at_full_speed_lose_and_double_nothing(edge: EdgeProcess) -> None:
    chance = random.Random(edge.mqtt_port)
    stopped = asyncio.Event()
    edge.start()
    async with device(edge.mqtt_port) as mine, asyncio.TaskGroup() as group:
        publishing = group.create_task(publish_until(stopped, mine))
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.5, 1.5))
            edge.kill()
            await asyncio.to_thread(edge.start)
        stopped.set()
        sent = await publishing
        await mine.drain()
        assert len(mine.acknowledged) == sent
    # A broker may hold back what the dead edge had taken until its own patience ends.
    before = Counter[int]()
    edge.stop()
    for _ in range(12):
        before = Counter(int(sample.value) for sample in await edge.stored())
        if len(before) == sent:
            break
        edge.start()
        await asyncio.sleep(5)
        edge.stop()
    assert before == Counter(range(sent))


@BOTH
async def test_a_full_log_takes_nothing_and_loses_nothing(edge: EdgeProcess) -> None:
    edge.start()
    edge.stop()
    edge.extra["HEADFRAME_LOG__FREE_SPACE_MIN_BYTES"] = str(10**15)  # no disk has that much free
    edge.start(until_ready=False)
    async with device(edge.mqtt_port) as mine:
        for number in range(300):
            await mine.publish(*reading(number))
        await mine.drain()
    edge.wait_until(lambda: edge.metric("log_refusing") == 1, "the log refuses")
    assert "log" in edge.ready()
    assert edge.metric("acknowledged_total") == 0
    code, took_s = edge.stop()
    assert (code, took_s < 4.0) == (0, True)
    assert await edge.stored() == []
    del edge.extra["HEADFRAME_LOG__FREE_SPACE_MIN_BYTES"]
    edge.start()
    edge.wait_until(lambda: edge.metric("values_total") == 300, "all of it stored")
    edge.stop()
    assert sorted(sample.value for sample in await edge.stored()) == list(range(300))


@pytest.mark.parametrize("broker", ["nats"], indirect=True)
async def test_works_without_central_and_says_so(edge: EdgeProcess) -> None:
    edge.extra["HEADFRAME_UPLINK__URL"] = "wss://127.0.0.1:1/sync/v1"
    edge.start()
    async with device(edge.mqtt_port) as mine:
        await mine.publish(*reading(0))
        await mine.drain()
    edge.wait_until(lambda: edge.metric("values_total") == 1, "stored")
    edge.wait_until(lambda: "no link to central" in edge.log_text, "said in the log")
    assert edge.metric("backlog_samples") == 1
    status = edge.command("status")
    assert status.returncode == 0
    assert "1 samples in 1 batches" in status.stdout
    assert edge.stop()[0] == 0


async def test_starts_and_serves_without_a_broker(tmp_path: Path) -> None:
    edge = EdgeProcess(tmp_path, mqtt_port=1)
    edge.start(until_ready=False)
    edge.wait_until(lambda: "Connection refused" in edge.ready().get("broker", ""), "said why")
    assert edge.metric("broker_link", '"connected"') == 0
    assert edge.stop()[0] == 0


@pytest.mark.parametrize("broker", ["nats"], indirect=True)
def test_tells_a_supervisor_that_it_is_ready_alive_and_stopping(
    edge: EdgeProcess, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(30)
        edge.extra |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "6000000"}
        edge.start()
        heard: list[str] = []
        while heard.count("WATCHDOG=1") < 3:  # an idle work loop beats, too
            heard.append(supervisor.recv(4096).decode())
        assert edge.stop()[0] == 0
        supervisor.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                heard.append(supervisor.recv(4096).decode())
    assert any(message.startswith("READY=1\nSTATUS=broker ") for message in heard)
    assert any(message.startswith("STOPPING=1") for message in heard)
