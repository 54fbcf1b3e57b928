"""The real edge and its durable listener: real clients, TLS, kills at full speed."""

import asyncio
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from shared.clock import SystemClock
from tests.support.certificates import Authority
from tests.support.edge_process import EdgeProcess
from tests.support.listening_edge import listener_port, listening_edge, start_listening
from tests.support.mqtt_packets import publish
from tests.support.publisher_socket import PublisherSocket, publisher_socket
from tests.support.publishers import PASSWORD, account, connect

pytestmark = pytest.mark.slow  # each starts processes

GAS = "mine/v1/kaduna/sensor/gas-1/telemetry"
DEVICES = 40
WINDOW = 50
KILLS = 3


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[EdgeProcess]:
    node = listening_edge(tmp_path, account("device", "*"), account("gas-1"))
    yield node
    if node.process is not None:
        node.kill()


def reading(seq: int, value: int) -> bytes:
    ts_ms = SystemClock().utc_ms()
    return b'{"ts":%d,"seq":%d,"metrics":{"a":%d}}' % (ts_ms, seq, value)


class PersistentDevice:
    """A device that keeps what was not answered and sends it again, as the protocol wants."""

    def __init__(self, number: int) -> None:
        self.topic = f"mine/v1/kaduna/sensor/gas-{number}/telemetry"
        self.client_id = f"gas-{number}"
        self.payloads: list[bytes] = []
        self.answered = 0

    async def run(self, port: int, stopped: asyncio.Event) -> None:
        """Publish until told to stop, and then until everything is answered."""
        while not stopped.is_set() or self.answered < len(self.payloads):
            with suppress(OSError):
                async with publisher_socket(port) as socket:
                    if await socket.greet(username="device", client_id=self.client_id):
                        await self._publish(socket, stopped)
            await asyncio.sleep(0.05)

    async def _publish(self, socket: PublisherSocket, stopped: asyncio.Event) -> None:
        sent = self.answered
        while not stopped.is_set() or self.answered < len(self.payloads):
            while sent < self.answered + WINDOW and not (
                stopped.is_set() and sent >= len(self.payloads)
            ):
                is_new = sent == len(self.payloads)
                if is_new:
                    self.payloads.append(reading(sent, sent))
                packet_id = sent % 60_000 + 1
                data = publish(self.topic, self.payloads[sent], packet_id=packet_id, dup=not is_new)
                socket.say(data)
                sent += 1
            heard = await socket.hear()
            if heard is None:
                return
            assert int.from_bytes(heard.body[:2], "big") == self.answered % 60_000 + 1
            self.answered += 1


async def test_kills_at_full_speed_lose_nothing_that_was_answered_and_double_nothing(
    edge: EdgeProcess,
) -> None:
    start_listening(edge)
    devices = [PersistentDevice(number) for number in range(DEVICES)]
    stopped = asyncio.Event()
    answered_at_kill: list[list[int]] = []
    async with asyncio.TaskGroup() as group:
        for device in devices:
            group.create_task(device.run(listener_port(edge), stopped))
        for _ in range(KILLS):
            await asyncio.sleep(1.0)
            edge.kill()
            answered_at_kill.append([device.answered for device in devices])
            await asyncio.to_thread(start_listening, edge)
        await asyncio.sleep(0.5)
        stopped.set()
    assert all(sum(counts) > 0 for counts in answered_at_kill)
    assert edge.stop()[0] == 0
    stored = Counter((sample.series, int(sample.value)) for sample in await edge.stored())
    expected = Counter(
        (f"sensor/{device.client_id}/a", number)
        for device in devices
        for number in range(len(device.payloads))
    )
    assert stored == expected


async def test_what_was_answered_before_a_kill_is_in_the_log_without_any_redelivery(
    edge: EdgeProcess,
) -> None:
    start_listening(edge)
    devices = [PersistentDevice(number) for number in range(DEVICES)]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(device.run(listener_port(edge), asyncio.Event()))
            for device in devices
        ]
        await asyncio.sleep(1.5)
        edge.kill()
        answered = {device.client_id: device.answered for device in devices}
        for task in tasks:
            task.cancel()
    stored = Counter((sample.series, int(sample.value)) for sample in await edge.stored())
    assert sum(answered.values()) > 0
    for client_id, count in answered.items():
        missing = [n for n in range(count) if stored[f"sensor/{client_id}/a", n] != 1]
        assert missing == []
    assert set(stored.values()) == {1}


@pytest.mark.parametrize("version", [MQTTv311, MQTTv50])
async def test_an_ordinary_client_publishes_and_hears_its_answers(
    edge: EdgeProcess, version: int
) -> None:
    start_listening(edge)
    client: Any = Client("gas-1", clean_session=True)  # the library is untyped
    client.set_auth_credentials("gas-1", PASSWORD)
    await client.connect("127.0.0.1", listener_port(edge), version=version, keepalive=10)
    for seq in range(500):
        client.publish(GAS, reading(seq, seq), qos=1)
    edge.wait_until(lambda: edge.metric("values_total") == 500, "stored")
    await client.disconnect()
    edge.stop()
    assert [sample.value for sample in await edge.stored()] == list(range(500))


@pytest.mark.needs_mosquitto
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_over_tls_with_a_certificate_or_a_password(tmp_path: Path, version: str) -> None:
    authority = Authority(tmp_path / "ca")
    own = authority.issue("edge", host="127.0.0.1")
    truck = authority.issue("truck-1.kaduna")
    stranger = Authority(tmp_path / "other", "other").issue("truck-1.kaduna")
    by_certificate = {"username": "truck-1", "certificate": "truck-1.kaduna"}
    edge = listening_edge(tmp_path, account("gas-1"), by_certificate)
    edge.extra |= {
        "HEADFRAME_LISTENER__TLS_CERT_FILE": str(own.cert_file),
        "HEADFRAME_LISTENER__TLS_KEY_FILE": str(own.key_file),
        "HEADFRAME_LISTENER__CLIENT_CA_FILE": str(authority.ca_file),
    }
    start_listening(edge)

    def publish_as(topic: str, *proof: object) -> subprocess.CompletedProcess[str]:
        command = ["mosquitto_pub", "-V", version, "--cafile", str(authority.ca_file)]
        command += ["-h", "127.0.0.1", "-p", str(listener_port(edge)), "-q", "1", "-t", topic]
        command += ["-m", reading(1, 1).decode(), *map(str, proof)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    with_password = ("-u", "gas-1", "-P", PASSWORD)
    assert publish_as(GAS, *with_password).returncode == 0
    topic = "mine/v1/kaduna/vehicle/truck-1/telemetry"
    assert publish_as(topic, "--cert", truck.cert_file, "--key", truck.key_file).returncode == 0
    assert publish_as(topic).returncode != 0
    foreign = ("--cert", stranger.cert_file, "--key", stranger.key_file)
    assert publish_as(topic, *foreign).returncode != 0
    edge.wait_until(lambda: edge.metric("values_total") == 2, "stored")
    assert edge.metric("listener_endings", '"no_greeting"') == 1
    assert edge.stop()[0] == 0


async def test_half_a_handshake_is_let_go_and_hinders_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    own = authority.issue("edge", host="127.0.0.1")
    edge = listening_edge(tmp_path, account("gas-1"))
    edge.extra |= {
        "HEADFRAME_LISTENER__TLS_CERT_FILE": str(own.cert_file),
        "HEADFRAME_LISTENER__TLS_KEY_FILE": str(own.key_file),
        "HEADFRAME_LISTENER__GREETING_TIMEOUT_S": "1",
    }
    start_listening(edge)
    port = listener_port(edge)
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    async with publisher_socket(port) as half, publisher_socket(port) as wrong:
        half.say(b"\x16\x03\x01\x02\x00\x01")
        wrong.say(connect())
        async with publisher_socket(port, context) as good:
            assert await good.greet() is not None
            assert edge.metric("listener_connections") >= 1
            assert await half.hear() is None
            assert await wrong.hear() is None
            good.say(b"\xc0\x00")
            assert await good.hear() is not None
            edge.wait_until(lambda: edge.metric("listener_connections") == 1, "forgotten")
    assert edge.stop()[0] == 0


def test_a_configuration_that_would_bare_passwords_does_not_start(edge: EdgeProcess) -> None:
    edge.extra["HEADFRAME_LISTENER__HOST"] = "0.0.0.0"
    checked, run = edge.command("check"), edge.command("run")
    assert (checked.returncode, run.returncode) == (1, 2)
    assert "listener.host: 0.0.0.0 can be reached by others" in checked.stderr
    assert "listener.host: 0.0.0.0 can be reached by others" in run.stderr
