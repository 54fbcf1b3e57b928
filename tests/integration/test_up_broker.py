"""The embedded broker as `up` configures it: rights, sizes, and what a kill leaves."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.publisher import BrokerAddress, open_publisher
from deploy.site.broker import (
    BrokerPlan,
    broker_launch,
    configuration_text,
    device_user,
    edge_user,
)
from deploy.site.broker_refusals import refusal_reason
from deploy.site.private_files import write_private
from deploy.site.probes import http_answers
from tests.support.eventually import eventually
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.needs_mosquitto]

TELEMETRY = "mine/v1/kaduna/sensor/s1/telemetry"


@dataclass
class Broker:
    """A running broker and its log."""

    plan: BrokerPlan
    folder: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        configuration = self.folder / "broker.conf"
        write_private(configuration, configuration_text(self.plan))
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *broker_launch(configuration).argv(), stdout=log, stderr=log
            )
        monitor = self.plan.monitor_port
        await eventually(lambda: http_answers("127.0.0.1", monitor, "/healthz"))

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    def refusals(self) -> list[str]:
        lines = (self.folder / "log").read_text().splitlines()
        return [reason for line in lines if (reason := refusal_reason(line))]

    def publish(self, topic: str, payload: str, *options: str, user: str = "device") -> int:
        return self._tool("mosquitto_pub", user, "-t", topic, "-m", payload, *options)

    def publish_file(self, topic: str, file: Path) -> int:
        return self._tool("mosquitto_pub", "device", "-t", topic, "-f", str(file))

    def listen(
        self, topics: list[str], *options: str, user: str = "edge"
    ) -> "subprocess.Popen[bytes]":
        named = [word for topic in topics for word in ("-t", topic)]
        return subprocess.Popen(
            [*self._words("mosquitto_sub", user), *named, "-v", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _tool(self, tool: str, user: str, *rest: str) -> int:
        return subprocess.run(
            [*self._words(tool, user), *rest], capture_output=True, check=False, timeout=30
        ).returncode

    def _words(self, tool: str, user: str) -> list[str]:
        address = ["-h", "127.0.0.1", "-p", str(self.plan.port)]
        return [tool, *address, "-u", user, "-P", f"{user}-password", "-q", "1"]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    plan = BrokerPlan(
        host="127.0.0.1",
        port=free_port(),
        monitor_port=free_port(),
        folder=tmp_path / "store",
        store_size_max_bytes=1024**3,
        users=(
            edge_user("edge", "edge-password"),
            device_user("device", "device-password", "kaduna"),
        ),
    )
    made = Broker(plan, tmp_path)
    await made.start()
    yield made
    await made.kill()


def heard(listener: "subprocess.Popen[bytes]") -> list[str]:
    output, _ = listener.communicate(timeout=30)
    return output.decode().splitlines()


async def session_kept(broker: Broker) -> None:
    """Let the edge's persistent session exist, then leave."""
    listener = broker.listen(["mine/v1/#"], "-c", "-i", "headframe-edge-1", "-E")
    assert heard(listener) == []


async def test_a_device_reaches_the_edge_but_gives_no_orders(broker: Broker) -> None:
    await session_kept(broker)
    assert broker.publish(TELEMETRY, "fine") == 0
    assert broker.publish("mine/v1/kaduna/equipment/fan/cmd", "stop") == 0  # 3.1.1 cannot refuse
    assert broker.publish("mine/v1/kaduna/worker/w1/alert", "run") == 0
    assert broker.publish("mine/v1/kaduna/sensor/s1/nonsense", "for the quarantine") == 0
    listener = broker.listen(["mine/v1/#"], "-c", "-i", "headframe-edge-1", "-C", "2")
    assert heard(listener) == [
        f"{TELEMETRY} fine",
        "mine/v1/kaduna/sensor/s1/nonsense for the quarantine",
    ]
    assert broker.refusals() == ["not_permitted", "not_permitted"]


async def test_a_device_hears_orders_and_nothing_else(broker: Broker) -> None:
    topics = ["mine/v1/kaduna/equipment/fan/cmd", "mine/v1/kaduna/worker/+/vitals"]
    listener = broker.listen(topics, "-W", "2", user="device")
    for _ in range(10):  # until the subscription stands
        broker.publish(topics[0], "stop", user="edge")
        broker.publish("mine/v1/kaduna/worker/w1/vitals", "private")
    lines = heard(listener)
    assert any("stop" in line for line in lines)
    assert not any("private" in line for line in lines)


async def test_the_edge_cannot_pose_as_a_device(broker: Broker) -> None:
    broker.publish(TELEMETRY, "forged", user="edge")
    assert broker.refusals() == ["not_permitted"]


async def test_a_stranger_is_turned_away_and_counted(broker: Broker) -> None:
    assert broker.publish(TELEMETRY, "x", user="stranger") != 0
    assert broker.refusals() == ["bad_login"]


async def test_eight_megabytes_pass_and_more_is_refused_and_counted(
    broker: Broker, tmp_path: Path
) -> None:
    await session_kept(broker)
    largest, larger = tmp_path / "largest", tmp_path / "larger"
    largest.write_bytes(b"a" * 8 * 1024**2)
    larger.write_bytes(b"a" * 9 * 1024**2)
    assert broker.publish_file(TELEMETRY, largest) == 0
    assert broker.publish_file(TELEMETRY, larger) != 0
    listener = broker.listen(["mine/v1/#"], "-c", "-i", "headframe-edge-1", "-C", "1")
    assert [len(line) for line in heard(listener)] == [len(TELEMETRY) + 1 + 8 * 1024**2]
    assert broker.refusals() == ["payload_too_large"]


async def test_a_topic_with_a_space_is_refused_and_counted(broker: Broker) -> None:
    assert broker.publish("mine/v1/kaduna/sensor/s 1/telemetry", "x") != 0
    assert broker.refusals() == ["bad_topic"]


async def test_nothing_acknowledged_is_lost_when_the_broker_is_killed(broker: Broker) -> None:
    await session_kept(broker)
    address = BrokerAddress("127.0.0.1", broker.plan.port, "device", "device-password")
    async with open_publisher(address, client_id="burst") as publisher:
        for number in range(2_000):
            await publisher.publish(TELEMETRY, f"{number}".encode())
        await publisher.drain(10)
        assert publisher.acknowledged == 2_000
        await broker.kill()
    await broker.start()
    listener = broker.listen(["mine/v1/#"], "-c", "-i", "headframe-edge-1", "-C", "2000")
    assert heard(listener) == [f"{TELEMETRY} {number}" for number in range(2_000)]
