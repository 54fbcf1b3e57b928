"""One connection: greeting, subscribing, acknowledging, pausing, and every way of being lost."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from edge.ingest import intake as intake_module
from edge.ingest.connection import BrokerConnection, Stage, subscription
from edge.ingest.stream import MQTT_3_1_1, MQTT_5
from edge.ingest.wire import PacketReader
from tests.support.fake_transport import FakeTransport
from tests.support.ingest_bench import GAS, IngestLife, ingest_life
from tests.support.intake_log import IntakeLog
from tests.support.mqtt_packets import acknowledged, connack, packet, publish, said, suback

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


@dataclass
class Line:
    """A connection to a broker that the test plays."""

    life: IngestLife
    connection: BrokerConnection
    transport: FakeTransport

    def greet(self, *, session_present: bool = False) -> None:
        self.transport.feed(connack(session_present=session_present))
        self.transport.feed(suback(1, 1))

    def publish(self, packet_id: int, seq: int, *, dup: bool = False) -> None:
        payload = b'{"ts":1700000000000,"seq":%d,"metrics":{"a":1}}' % seq
        self.transport.feed(publish(GAS, payload, packet_id=packet_id, dup=dup))


def new_line(life: IngestLife, version: int = MQTT_3_1_1, *, watches_drops: bool = False) -> Line:
    connection = BrokerConnection(
        connect=b"CONNECT",
        subscribe=subscription(version, watches_drops=watches_drops),
        reader=PacketReader(version=version, payload_size_max_bytes=1_000, payload_kept_bytes=10),
        intake=life.intake,
        counts=life.counts,
        monotonic_s=life.clock.monotonic_s,
    )
    life.intake.on_relief(connection.resume)
    return Line(life, connection, FakeTransport(connection))


@pytest.fixture
async def life() -> AsyncIterator[IngestLife]:
    async with ingest_life(IntakeLog()) as running:
        yield running


async def test_greets_then_subscribes_to_everything_under_mine_v1(life: IngestLife) -> None:
    line = new_line(life)
    assert line.transport.taken() == b"CONNECT"
    line.transport.feed(connack(session_present=True))
    assert line.connection.session_present
    (subscribe,) = said(line.transport.taken())
    assert subscribe.body == b"\x00\x01\x00\x09mine/v1/#\x01"
    assert line.connection.stage is Stage.SUBSCRIBING
    line.transport.feed(suback(1, 1))
    assert line.connection.stage is Stage.READING


async def test_takes_messages_of_an_old_session_before_it_is_subscribed(life: IngestLife) -> None:
    line = new_line(life)
    line.transport.feed(connack(session_present=True))
    line.publish(5, seq=1)
    line.transport.taken()
    await life.flush()
    assert acknowledged(line.transport.taken()) == [5]


async def test_a_resumed_session_reads_before_its_subscription_is_confirmed(
    life: IngestLife,
) -> None:
    fresh, resumed = new_line(life), new_line(life)
    fresh.transport.feed(connack(session_present=False))
    resumed.transport.feed(connack(session_present=True))
    assert (fresh.connection.is_reading, resumed.connection.is_reading) == (False, True)
    fresh.transport.feed(suback(1, 1))
    assert fresh.connection.is_reading


async def test_acknowledges_after_the_commit_in_one_write(life: IngestLife) -> None:
    line = new_line(life)
    line.greet()
    line.transport.taken()
    for packet_id in (1, 2, 3):
        line.publish(packet_id, seq=packet_id)
    assert line.transport.taken() == b""
    await life.flush()
    assert acknowledged(line.transport.taken()) == [1, 2, 3]
    assert life.counts.acknowledged == 3


async def test_a_copy_of_a_message_on_its_way_is_answered_once(life: IngestLife) -> None:
    # Two answers would acknowledge whatever the broker sends next under that identifier.
    line = new_line(life)
    line.greet()
    line.transport.taken()
    line.publish(1, seq=1)
    line.publish(1, seq=1, dup=True)
    await life.flush()
    assert acknowledged(line.transport.taken()) == [1]
    assert life.counts.redelivered == 1
    line.publish(1, seq=2)  # the identifier is free again
    await life.flush()
    assert acknowledged(line.transport.taken()) == [1]


async def test_a_commit_after_the_loss_answers_nobody(life: IngestLife) -> None:
    # Another connection may use the same identifiers for other messages.
    old, new = new_line(life), new_line(life)
    old.greet()
    new.greet()
    new.transport.taken()
    old.publish(1, seq=1)
    old.transport.lose(ConnectionResetError("reset"))
    await life.flush()
    assert new.transport.taken() == b""
    assert (life.counts.stale_acks, life.counts.acknowledged) == (1, 0)


async def test_stops_reading_when_the_intake_is_full_and_goes_on_after(
    life: IngestLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "WAITING_MESSAGES_MAX", 2)
    line = new_line(life)
    line.greet()
    line.publish(1, seq=1)
    assert line.transport.is_reading_now
    line.publish(2, seq=2)
    assert not line.transport.is_reading_now
    await life.flush()
    assert line.transport.is_reading_now
    assert life.counts.pauses == 1


async def test_a_stop_reads_no_more_but_still_answers(life: IngestLife) -> None:
    line = new_line(life)
    line.greet()
    line.publish(1, seq=1)
    line.connection.stop_reading()
    line.transport.taken()
    await life.flush()
    assert not line.transport.is_reading_now
    assert acknowledged(line.transport.taken()) == [1]
    line.connection.close()
    assert line.transport.taken() == DISCONNECT
    assert line.connection.stage is Stage.LOST


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (connack(5), "code 5: the account is not authorised"),
        (connack(1), "code 1: it does not speak this version of MQTT"),
        (connack(77), "code 77: no reason given"),
        (connack() + suback(1, 0x80), "refused the subscription"),
        (connack() + suback(1, 0), "QoS 0 only"),
        (connack() + connack(), "a second CONNACK"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "this is not MQTT"),
    ],
)
async def test_says_why_it_was_refused(life: IngestLife, answer: bytes, reason: str) -> None:
    line = new_line(life)
    line.transport.feed(answer)
    assert line.connection.stage is Stage.LOST
    assert reason in (line.connection.error or "")


async def test_tells_the_reason_that_an_mqtt_5_broker_gives(life: IngestLife) -> None:
    line = new_line(life, MQTT_5)
    line.transport.feed(connack(properties=b""))
    line.transport.feed(packet(0xE0, b"\x8e\x00"))
    assert "code 0x8e" in (line.connection.error or "")


async def test_pings_a_silent_broker_and_gives_up_after_one_and_a_half_keepalives(
    life: IngestLife,
) -> None:
    line = new_line(life)
    line.greet()
    line.transport.taken()
    life.clock.advance_s(14)
    line.connection.watch(30)
    assert line.transport.taken() == b""
    life.clock.advance_s(1)
    line.connection.watch(30)
    assert line.transport.taken() == PINGREQ
    life.clock.advance_s(31)
    line.connection.watch(30)
    assert line.connection.error == "the broker was silent for 46 s"


async def test_a_talkative_broker_is_pinged_too_when_nothing_is_said_to_it(
    life: IngestLife,
) -> None:
    line = new_line(life)
    line.greet()
    life.clock.advance_s(15)
    line.transport.feed(b"\xd0\x00")
    line.transport.taken()
    line.connection.watch(30)
    assert line.transport.taken() == PINGREQ


async def test_silence_while_not_listening_proves_nothing(
    life: IngestLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "WAITING_MESSAGES_MAX", 1)
    line = new_line(life)
    line.greet()
    line.publish(1, seq=1)
    life.clock.advance_s(600)
    line.connection.watch(30)
    assert line.connection.error is None
    await life.flush()
    line.connection.watch(30)
    assert line.connection.stage is Stage.READING


async def test_hears_from_the_broker_how_much_it_dropped(life: IngestLife) -> None:
    line = new_line(life, watches_drops=True)
    line.transport.taken()
    line.transport.feed(connack())
    (subscribe,) = said(line.transport.taken())
    assert subscribe.body.endswith(b"$SYS/broker/publish/messages/dropped\x00")
    line.transport.feed(suback(1, 1, 0))
    for payload in (b"4245", b"", b"many"):
        line.transport.feed(publish("$SYS/broker/publish/messages/dropped", payload, retain=True))
    await life.flush()
    assert life.counts.broker_dropped == 4_245
    assert (life.counts.messages, life.counts.refused) == (0, {})


async def test_a_broker_that_has_no_such_count_is_read_all_the_same(life: IngestLife) -> None:
    line = new_line(life, watches_drops=True)
    line.transport.feed(connack() + suback(1, 1, 0x80))
    assert line.connection.stage is Stage.READING
