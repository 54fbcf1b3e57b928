"""The trap: a broker with its default limits, a reader that lags, and silence about the loss.

The publishers hear a PUBACK for every message; part of them never reaches the edge. The edge must
say so, with the right number. The same load through its own listener loses nothing.
"""

import json
import signal
from pathlib import Path
from time import sleep

import pytest

from edge.log.declared import GapReason
from edge.log.gap_file import read_gaps
from shared.clock import SystemClock
from tests.support.brokers import run_mosquitto
from tests.support.edge_process import EdgeProcess
from tests.support.listening_edge import listener_port, listening_edge, start_listening
from tests.support.mqtt_device import Device, device
from tests.support.mqtt_packets import publish
from tests.support.publisher_socket import publisher_socket

pytestmark = pytest.mark.slow

STOP, CONTINUE = signal.SIGSTOP, signal.SIGCONT
DEVICES = 10
MESSAGES = 15_000
# As in the distribution's package: nothing is said of queues, and the counts come every second
# only so that the test need not wait.
DEFAULT_LIMITS = "max_queued_messages 1000\nsys_interval 1\n"


def reading(number: int) -> tuple[str, bytes]:
    ts_ms = SystemClock().utc_ms()
    payload = b'{"ts":%d,"seq":%d,"metrics":{"a":%d}}' % (ts_ms, number // DEVICES, number)
    return f"mine/v1/kaduna/sensor/gas-{number % DEVICES}/telemetry", payload


async def publish_load(mine: Device) -> None:
    """Publish the load behind the first readings, and wait for every PUBACK."""
    for number in range(DEVICES, MESSAGES):
        await mine.publish(*reading(number))
    await mine.drain()


def lost(edge: EdgeProcess) -> float:
    return edge.metric("declared_missing", '"sequence_gap"')


def dropped(edge: EdgeProcess) -> float:
    return edge.metric("declared_missing", '"broker_dropped"')


def settled(edge: EdgeProcess) -> bool:
    """Tell whether the edge has taken all that the broker still had for it."""
    before = edge.metric("values_total")
    sleep(1.0)  # its linger is less than half of that
    return before > DEVICES and edge.metric("values_total") == before


async def overload(edge: EdgeProcess) -> None:
    """Publish the load while the edge lags, then one reading more of everybody."""
    async with device(edge.mqtt_port, window=1_000) as mine:
        for number in range(DEVICES):  # everybody is known before the load
            await mine.publish(*reading(number))
        await mine.drain()
        edge.wait_until(lambda: edge.metric("values_total") == DEVICES, "the first")
        assert edge.process is not None
        edge.process.send_signal(STOP)  # it lags: nothing is read for the length of the load
        try:
            await publish_load(mine)
        finally:
            edge.process.send_signal(CONTINUE)
        assert len(mine.acknowledged) == MESSAGES  # the publisher was told: all is well
        edge.wait_until(lambda: settled(edge), "everything that is left")
        for number in range(MESSAGES, MESSAGES + DEVICES):  # the next reading of everybody
            await mine.publish(*reading(number))
        await mine.drain()
        edge.wait_until(
            lambda: edge.metric("values_total") + lost(edge) == MESSAGES + DEVICES, "declared"
        )
        edge.wait_until(lambda: dropped(edge) == lost(edge), "told by the broker, too")


@pytest.mark.needs_mosquitto
async def test_what_a_broker_drops_in_silence_is_declared_with_the_right_number(
    tmp_path: Path,
) -> None:
    with run_mosquitto(tmp_path / "broker", DEFAULT_LIMITS) as broker:
        # A slow disk, and a moment of silence: what is in flight is taken every 400 ms.
        edge = EdgeProcess(tmp_path, broker.port, {"HEADFRAME_INGEST__LINGER_MS": "400"})
        edge.start()
        await overload(edge)
        assert edge.command("status").returncode == 0
        assert edge.stop()[0] == 0
    stored = {int(sample.value) for sample in await edge.stored()}
    gone = set(range(MESSAGES + DEVICES)) - stored
    assert len(gone) > 1_000
    gaps = read_gaps(edge.state_dir, 1_000)
    by_numbers = [gap for gap in gaps if gap.reason is GapReason.SEQUENCE_GAP]
    declared = {
        seq * DEVICES + int(gap.topic.split("/")[4].removeprefix("gas-"))
        for gap in by_numbers
        for seq in range(gap.first_seq, gap.last_seq + 1)
    }
    assert declared == gone
    assert sum(g.missing for g in gaps if g.reason is GapReason.BROKER_DROPPED) == len(gone)
    assert "messages never arrived" in edge.log_text
    listed = edge.command("gaps", "--json", "--limit", "1000").stdout.splitlines()
    assert sum(json.loads(line)["missing"] for line in listed) == 2 * len(gone)


async def test_the_same_load_through_the_durable_listener_loses_nothing(tmp_path: Path) -> None:
    edge = listening_edge(tmp_path)
    edge.extra["HEADFRAME_INGEST__LINGER_MS"] = "400"
    start_listening(edge)
    async with publisher_socket(listener_port(edge)) as mine:
        await mine.greet(username="device")
        answered = 0
        assert edge.process is not None
        edge.process.send_signal(STOP)
        for number in range(MESSAGES):
            topic, payload = reading(number)
            mine.say(publish(topic, payload, packet_id=number % 60_000 + 1))
        edge.process.send_signal(CONTINUE)
        while answered < MESSAGES:
            assert await mine.hear() is not None
            answered += 1
    assert edge.metric("declared_missing") == 0
    assert edge.stop()[0] == 0
    assert sorted(int(s.value) for s in await edge.stored()) == list(range(MESSAGES))
