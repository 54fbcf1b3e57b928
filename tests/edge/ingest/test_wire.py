"""MQTT bytes in and out: any cut of the stream, both versions, and what is no MQTT."""

import random
from contextlib import suppress
from hashlib import sha256

import pytest

from edge.errors import PacketError
from edge.ingest.stream import MQTT_3_1_1, MQTT_5, Publish, encode_pubacks
from edge.ingest.wire import (
    Connack,
    Packet,
    PacketReader,
    Pingresp,
    ServerDisconnect,
    Suback,
    encode_connect,
    encode_subscribe,
)
from tests.support.mqtt_packets import acknowledged, connack, packet, publish, said, suback

LIMIT_BYTES = 300_000
KEPT_BYTES = 100
TOPIC = "mine/v1/kaduna/sensor/gas-1/telemetry"


def reader(version: int = MQTT_3_1_1) -> PacketReader:
    return PacketReader(
        version=version, payload_size_max_bytes=LIMIT_BYTES, payload_kept_bytes=KEPT_BYTES
    )


def message(payload: bytes, packet_id: int = 0) -> Publish:
    return Publish(TOPIC, payload, packet_id, retain=False, dup=False, size_bytes=len(payload))


def test_reads_a_message_of_each_quality_of_service() -> None:
    stream = publish(TOPIC, b"a") + publish(TOPIC, b"b", packet_id=7)
    assert reader().feed(stream) == [message(b"a"), message(b"b", 7)]


def test_tells_retained_and_redelivered_messages() -> None:
    (found,) = reader().feed(publish(TOPIC, b"", packet_id=1, retain=True, dup=True))
    assert found == Publish(TOPIC, b"", 1, retain=True, dup=True, size_bytes=0)


def test_skips_the_properties_of_mqtt_5() -> None:
    expiry = b"\x02\x00\x00\x00\x3c"  # message expiry interval, 60 s
    stream = publish(TOPIC, b"a", packet_id=7, properties=expiry)
    assert reader(MQTT_5).feed(stream) == [message(b"a", 7)]


def test_a_topic_that_is_not_utf8_reaches_the_topic_rules() -> None:
    (found,) = reader().feed(publish(b"mine/v1/\xff", b"a"))
    assert isinstance(found, Publish)
    assert found.topic == "mine/v1/\ufffd"


def test_reads_the_answers_of_a_broker() -> None:
    stream = connack(session_present=True) + suback(1, 1) + b"\xd0\x00"
    assert reader().feed(stream) == [
        Connack(session_present=True, code=0),
        Suback(1, (1,)),
        Pingresp(),
    ]


def test_reads_the_answers_of_an_mqtt_5_broker() -> None:
    keepalive = b"\x13\x00\x1e"  # server keep alive, 30 s
    reason = b"\x1f\x00\x04full"
    user = b"\x26\x00\x01a\x00\x01b"
    alias = b"\x22\x00\x0a"
    stream = connack(0x97, properties=keepalive + user + reason + alias)
    stream += suback(1, 0x80, properties=b"") + packet(0xE0, b"\x8e\x00") + packet(0xE0, b"")
    assert reader(MQTT_5).feed(stream) == [
        Connack(session_present=False, code=0x97, keepalive_s=30, reason="full"),
        Suback(1, (0x80,)),
        ServerDisconnect(0x8E),
        ServerDisconnect(0),
    ]


@pytest.mark.parametrize("seed", range(10))
def test_any_cut_of_the_stream_gives_the_same_packets(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [0, 1, 90, 127, 128, 20_000, LIMIT_BYTES, LIMIT_BYTES + 1, 3 * LIMIT_BYTES]
    stream = b"".join(
        publish(TOPIC, chance.randbytes(chance.choice(sizes)), packet_id=n) for n in range(1, 30)
    )
    whole = reader().feed(stream)
    cut, found, at = reader(), list[Packet](), 0
    while at < len(stream):
        size = chance.choice((1, 2, 3, 50, 4_096, 65_536, 1_000_000))
        found += cut.feed(stream[at : at + size])
        at += size
    assert found == whole
    assert [one.packet_id for one in whole if isinstance(one, Publish)] == list(range(1, 30))


@pytest.mark.parametrize("size_bytes", [LIMIT_BYTES + 1, LIMIT_BYTES + 200_000, 5_000_000])
def test_keeps_only_the_start_of_a_payload_that_is_too_large(size_bytes: int) -> None:
    payload = random.Random(size_bytes).randbytes(size_bytes)
    under_test = reader()
    stream = publish(TOPIC, payload, packet_id=7) + publish(TOPIC, b"next", packet_id=8)
    found = [
        one
        for at in range(0, len(stream), 32_768)
        for one in under_test.feed(stream[at : at + 32_768])
    ]
    large, following = found
    assert isinstance(large, Publish)
    assert (large.payload, large.size_bytes) == (payload[:KEPT_BYTES], size_bytes)
    assert large.sha256 == sha256(payload).digest()
    assert following == message(b"next", 8)


@pytest.mark.parametrize(
    "stream",
    [
        b"\xff" * 10,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        packet(0x34, b"\x00\x01a\x00\x01payload"),  # QoS 2 was never asked for
        packet(0x32, b"\x00\x05ab"),
        packet(0x32, b""),
        packet(0x20, b""),
        packet(0x90, b"\x00"),
        packet(0x82, b"\x00\x01"),
        packet(0xD0, b"x" * 200_000),
    ],
)
def test_what_is_no_mqtt_is_refused(stream: bytes) -> None:
    with pytest.raises(PacketError):
        reader().feed(stream)


@pytest.mark.parametrize(
    "stream",
    [
        connack(properties=b"\x99\x00"),
        packet(0x20, b"\x00\x00\xff\xff\xff\xff\xff"),
        packet(0x32, b"\x00\x01a\x00\x01\x7fx"),
    ],
)
def test_wrong_properties_are_refused(stream: bytes) -> None:
    with pytest.raises(PacketError):
        reader(MQTT_5).feed(stream)


@pytest.mark.parametrize("seed", range(200))
def test_no_bytes_do_anything_but_a_broker_error(seed: int) -> None:
    chance = random.Random(seed)
    stream = bytearray(publish(TOPIC, chance.randbytes(50), packet_id=9, properties=b"") * 3)
    for _ in range(chance.randrange(1, 6)):
        stream[chance.randrange(len(stream))] = chance.randrange(256)
    with suppress(PacketError):
        reader(chance.choice((MQTT_3_1_1, MQTT_5))).feed(bytes(stream))


def test_connects_with_a_persistent_session_and_a_fixed_name() -> None:
    (sent,) = said(
        encode_connect(
            version=MQTT_3_1_1,
            client_id="edge-1",
            keepalive_s=30,
            receive_maximum=8_192,
            username="u",
            password="p",
        )
    )
    # Flags: user name and password, no will, and above all no clean session.
    assert sent.body == b"\x00\x04MQTT\x04\xc0\x00\x1e\x00\x06edge-1\x00\x01u\x00\x01p"


def test_an_mqtt_5_session_never_expires_and_is_bounded() -> None:
    (sent,) = said(
        encode_connect(
            version=MQTT_5,
            client_id="e",
            keepalive_s=30,
            receive_maximum=8_192,
            username=None,
            password=None,
        )
    )
    assert sent.body == b"\x00\x04MQTT\x05\x00\x00\x1e\x08\x11\xff\xff\xff\xff\x21\x20\x00\x00\x01e"


def test_subscribes_at_quality_of_service_one() -> None:
    (old,) = said(encode_subscribe(version=MQTT_3_1_1, packet_id=1, filters=[("mine/#", 1)]))
    (new,) = said(encode_subscribe(version=MQTT_5, packet_id=1, filters=[("mine/#", 1)]))
    assert old.body == b"\x00\x01\x00\x06mine/#\x01"
    assert new.body == b"\x00\x01\x00\x00\x06mine/#\x11"  # retained messages only if it is new


def test_acknowledges_many_messages_in_one_go_and_in_order() -> None:
    assert acknowledged(encode_pubacks([3, 65_535, 1])) == [3, 65_535, 1]
