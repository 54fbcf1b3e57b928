"""One conversation with a publisher: greeting, publishing, what is refused, and every ending."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.listener.endings import Ending
from edge.ingest.listener.packets import CONNECT_SIZE_MAX_BYTES, Code
from edge.ingest.listener.rights import PublishRights
from edge.ingest.listener.session import TRANSITIONS, PublisherSession, Signal, State, Terms
from edge.ingest.stream import MQTT_3_1_1, MQTT_5, Publish
from tests.support.mqtt_packets import Said, acknowledged, packet, publish, said
from tests.support.publishers import connect

TERMS = Terms(
    payload_size_max_bytes=1_000,
    packet_size_max_bytes=500_000,
    in_flight_max=10,
    keepalive_max_s=600,
    idle_timeout_s=3_600.0,
    greeting_timeout_s=10.0,
    packet_timeout_s=60.0,
)
OWN = "mine/v1/kaduna/sensor/gas-1/telemetry"
FOREIGN = "mine/v1/kaduna/sensor/gas-2/telemetry"
RIGHTS = PublishRights("kaduna", ["gas-1"])
BOTH = pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])


class Publisher:
    """A publisher in front of a session: says things and hears the answers."""

    def __init__(self, version: int = MQTT_3_1_1, terms: Terms = TERMS) -> None:
        self.version = version
        self.now_s = 100.0
        self.session = PublisherSession(terms, self.now_s)
        self.messages: list[Publish] = []

    def say(self, *packets: bytes) -> list[Said]:
        self.messages += self.session.receive(b"".join(packets), self.now_s)
        return self.heard()

    def heard(self) -> list[Said]:
        return said(self.session.take_output())

    def greet(self, *more: bytes, **greeting: object) -> list[Said]:
        """Connect and be let in; ``more`` follows the CONNECT in the same breath."""
        self.say(connect(version=self.version, **greeting), *more)  # pyright: ignore[reportArgumentType]
        self.messages += self.session.accept(
            RIGHTS, session_present=False, given_id=None, now_s=self.now_s
        )
        return self.heard()

    def publish(self, topic: str = OWN, packet_id: int = 0, **more: bool) -> bytes:
        properties = b"" if self.version == MQTT_5 else None
        return publish(topic, b"{}", packet_id=packet_id, properties=properties, **more)

    def commit(self, *packet_ids: int) -> bytes:
        self.session.acknowledge(packet_ids)
        return self.session.take_output()


@BOTH
def test_a_message_is_answered_when_it_is_durable_and_not_before(version: int) -> None:
    device = Publisher(version)
    device.greet()
    assert device.say(device.publish(packet_id=1), device.publish(packet_id=2)) == []
    assert [message.packet_id for message in device.messages] == [1, 2]
    assert acknowledged(device.commit(1, 2)) == [1, 2]
    assert device.session.in_flight == 0


@BOTH
def test_what_follows_the_greeting_at_once_waits_for_its_judgement(version: int) -> None:
    device = Publisher(version)
    (connack,) = device.greet(device.publish(packet_id=1), device.publish())
    assert connack.kind == 2
    assert len(device.messages) == 2


def test_a_v5_publisher_is_told_the_terms() -> None:
    (connack,) = Publisher(MQTT_5).greet(keepalive_s=0)
    assert connack.body[:2] == b"\x00\x00"
    assert b"\x21\x00\x0a" in connack.body  # receive maximum 10
    assert b"\x24\x01" in connack.body  # QoS 1 at most
    assert b"\x27" + (500_000).to_bytes(4, "big") in connack.body
    assert b"\x13\x02\x58" in connack.body  # keepalive 600 s, for it asked for none


def test_no_session_is_promised_where_there_was_none() -> None:
    (connack,) = Publisher().greet(clean=False)
    assert connack.body == b"\x00\x00"


@pytest.mark.parametrize(
    ("version", "code", "answer"),
    [
        (MQTT_3_1_1, Code.BAD_LOGIN, b"\x00\x04"),
        (MQTT_3_1_1, Code.NOT_AUTHORIZED, b"\x00\x05"),
        (MQTT_3_1_1, Code.SERVER_BUSY, b"\x00\x03"),
        (MQTT_5, Code.BAD_LOGIN, b"\x00\x86\x00"),
        (MQTT_5, Code.SERVER_BUSY, b"\x00\x89\x00"),
    ],
)
def test_a_refused_publisher_hears_why(version: int, code: Code, answer: bytes) -> None:
    device = Publisher(version)
    device.say(connect(version=version))
    device.session.refuse(code, Ending.BAD_LOGIN)
    assert [one.body for one in device.heard()] == [answer]
    assert device.session.state is State.ENDED


@BOTH
def test_subscriptions_are_refused_filter_by_filter_and_end_nothing(version: int) -> None:
    device = Publisher(version)
    device.greet()
    properties = b"\x00" if version == MQTT_5 else b""
    filters = b"\x00\x01#\x01" + b"\x00\x04mine\x00"
    (suback,) = device.say(packet(0x82, b"\x00\x07" + properties + filters))
    refusal = b"\x87\x87" if version == MQTT_5 else b"\x80\x80"
    assert suback.body == b"\x00\x07" + properties + refusal
    (unsuback,) = device.say(packet(0xA2, b"\x00\x08" + properties + b"\x00\x01#"))
    assert unsuback.body == b"\x00\x08" + (b"\x00\x11" if version == MQTT_5 else b"")
    assert device.session.refused_subscriptions == 2
    assert device.session.state is State.OPEN


def test_qos_2_is_refused_as_each_version_can_say_it() -> None:
    old, new = Publisher(MQTT_3_1_1), Publisher(MQTT_5)
    for device, properties in ((old, b""), (new, b"\x00")):
        device.greet()
        topic = OWN.encode()
        body = len(topic).to_bytes(2, "big") + topic + b"\x00\x01" + properties
        heard = device.say(packet(0x34, body))
        assert [one.body for one in heard] == ([b"\x9b"] if device is new else [])
        assert device.session.ending is Ending.QOS_NOT_SUPPORTED
        assert device.messages == []


@BOTH
def test_a_foreign_topic_is_handed_on_as_denied(version: int) -> None:
    device = Publisher(version)
    device.greet()
    device.say(device.publish(FOREIGN, 1), device.publish(OWN, 2))
    assert [message.is_denied for message in device.messages] == [True, False]
    answers = said(device.commit(1, 2))
    expected = [b"\x00\x01\x87", b"\x00\x02"] if version == MQTT_5 else [b"\x00\x01", b"\x00\x02"]
    assert [one.body for one in answers] == expected


def test_a_retained_flag_is_ignored() -> None:
    device = Publisher()
    device.greet()
    device.say(device.publish(packet_id=1, retain=True))
    assert [message.retain for message in device.messages] == [False]


def test_a_copy_of_a_message_on_its_way_is_answered_once() -> None:
    device = Publisher()
    device.greet()
    device.say(device.publish(packet_id=1), device.publish(packet_id=1, dup=True))
    assert len(device.messages) == 1
    assert device.session.redelivered == 1
    assert acknowledged(device.commit(1)) == [1]


def test_another_message_under_an_identifier_in_use_is_never_answered_for_the_first() -> None:
    device = Publisher()
    device.greet()
    device.say(device.publish(packet_id=1))
    device.say(publish(OWN, b'{"other":1}', packet_id=1, dup=True))
    assert device.session.ending is Ending.BAD_PACKET
    assert device.commit(1) == b""


def test_a_v5_publisher_that_sends_more_than_agreed_is_told() -> None:
    device = Publisher(MQTT_5)
    device.greet()
    (disconnect,) = device.say(*(device.publish(packet_id=n) for n in range(1, 12)))
    assert disconnect.body == b"\x93"
    assert device.session.ending is Ending.IN_FLIGHT_EXCEEDED


def test_a_3_1_1_publisher_may_have_more_in_flight_until_it_is_not_read() -> None:
    device = Publisher()
    device.greet()
    assert device.say(*(device.publish(packet_id=n) for n in range(1, 12))) == []
    assert device.session.in_flight == 11


def test_a_ping_is_answered() -> None:
    device = Publisher()
    device.greet()
    assert [one.kind for one in device.say(b"\xc0\x00")] == [13]


@pytest.mark.parametrize(
    ("said_first", "ending"),
    [
        (b"GET / HTTP/1.1\r\n", Ending.BAD_PACKET),
        (publish(OWN, b"{}"), Ending.BAD_PACKET),
        (connect(version=3, protocol="MQIsdp"), Ending.BAD_VERSION),
        (connect(version=6), Ending.BAD_VERSION),
        (connect(protocol="AMQP"), Ending.BAD_PACKET),
        (connect(username=None), Ending.BAD_PACKET),  # a password alone, in 3.1.1
        (connect(version=5, properties=b"\x15\x00\x05SCRAM"), Ending.BAD_LOGIN),
        (connect(version=5, will=(OWN, b""), will_qos=2), Ending.QOS_NOT_SUPPORTED),
        (connect(client_id="gas\x00"), Ending.BAD_PACKET),
        (b"\x10\xff\xff\x7f", Ending.PAYLOAD_TOO_LARGE),
        (b"\x10\xff\xff\xff\xff", Ending.BAD_PACKET),
    ],
)
def test_what_is_no_greeting_ends_at_once(said_first: bytes, ending: Ending) -> None:
    device = Publisher()
    device.say(said_first)
    assert (device.session.state, device.session.ending) == (State.ENDED, ending)


def test_an_unknown_version_hears_that_it_is() -> None:
    assert [one.body for one in Publisher().say(connect(version=6))] == [b"\x00\x01"]


@pytest.mark.parametrize(
    "after",
    [
        connect(),  # a second one
        packet(0x50, b"\x00\x01"),  # PUBREC
        packet(0x20, b"\x00\x00"),  # CONNACK
        packet(0xF0, b""),  # AUTH
        packet(0x80, b"\x00\x01\x00\x01#\x00"),  # SUBSCRIBE without its flag
        packet(0x82, b"\x00\x01"),  # no filter
        packet(0x82, b"\x00\x01\x00\x09#\x00"),  # a filter that is cut short
        packet(0x36, b"\x00\x01a\x00\x01"),  # QoS 3
        packet(0x32, b"\x00\x01a\x00\x00"),  # packet identifier 0
    ],
)
def test_what_may_not_come_then_ends_the_conversation(after: bytes) -> None:
    device = Publisher()
    device.greet()
    device.say(after)
    assert device.session.ending is Ending.BAD_PACKET


def test_a_topic_alias_was_not_offered() -> None:
    device = Publisher(MQTT_5)
    device.greet()
    (disconnect,) = device.say(publish("", b"{}", packet_id=1, properties=b"\x23\x00\x01"))
    assert disconnect.body == b"\x94"


def test_a_payload_that_is_too_large_is_handed_on_cut_and_a_packet_that_is_ends_it() -> None:
    device = Publisher()
    device.greet()
    for at in range(0, 400_000, 50_000):  # as it comes from the socket
        device.say(publish(OWN, b"x" * 400_000, packet_id=1)[at : at + 50_000])
    device.say(publish(OWN, b"x" * 400_000, packet_id=1)[400_000:])
    (message,) = device.messages
    assert (len(message.payload), message.size_bytes) == (65_536, 400_000)
    device.say(publish(OWN, b"x" * 600_000, packet_id=2)[:100])
    assert device.session.ending is Ending.PAYLOAD_TOO_LARGE


def test_messages_before_a_goodbye_in_the_same_breath_are_taken() -> None:
    device = Publisher()
    device.greet()
    device.say(device.publish(), packet(0xE0, b""))
    assert len(device.messages) == 1
    assert device.session.ending is Ending.LEFT


def test_after_the_end_nothing_is_answered_any_more() -> None:
    device = Publisher()
    device.greet()
    device.say(device.publish(packet_id=1), packet(0xE0, b""))
    assert device.commit(1) == b""
    device.session.lose()
    assert device.session.ending is Ending.LEFT  # the first reason holds


# Time.


@BOTH
def test_silence_of_one_and_a_half_keepalives_ends_it(version: int) -> None:
    device = Publisher(version)
    device.greet(keepalive_s=60)
    device.session.watch(device.now_s + 90)
    assert device.session.state is State.OPEN
    device.session.watch(device.now_s + 91)
    assert device.session.ending is Ending.SILENT
    assert [one.body for one in device.heard()] == ([b"\x8d"] if version == MQTT_5 else [])


def test_a_drip_of_bytes_is_no_sign_of_life() -> None:
    device = Publisher()
    device.greet(keepalive_s=30)
    for byte in publish(OWN, b"x" * 100, packet_id=1)[:70]:
        device.now_s += 1
        device.say(bytes((byte,)))
        device.session.watch(device.now_s)
    assert device.session.ending is Ending.SILENT


def test_a_greeting_that_never_comes_and_one_that_never_ends_are_given_up() -> None:
    for begun in (b"", connect()[:-1]):
        device = Publisher()
        device.say(begun)
        device.session.watch(device.now_s + 10)
        assert device.session.state is State.GREETING
        device.session.watch(device.now_s + 11)
        assert device.session.ending is Ending.NO_GREETING


def test_one_that_is_judged_too_long_hears_that_we_are_busy() -> None:
    device = Publisher()
    device.say(connect())
    device.session.watch(device.now_s + 11)
    assert device.session.ending is Ending.BUSY
    assert [one.body for one in device.heard()] == [b"\x00\x03"]


def test_silence_while_nobody_listened_proves_nothing() -> None:
    device = Publisher()
    device.greet(keepalive_s=60)
    device.session.resumed(device.now_s + 200)
    device.session.watch(device.now_s + 210)
    assert device.session.state is State.OPEN


# Last wills.


def test_a_broken_connection_leaves_its_will_once() -> None:
    device = Publisher()
    device.greet(will=("mine/v1/kaduna/sensor/gas-1/death", b"{}"))
    device.session.lose()
    will = device.session.take_will()
    assert will is not None
    assert (will.topic, will.packet_id) == ("mine/v1/kaduna/sensor/gas-1/death", 0)
    assert device.session.take_will() is None


@pytest.mark.parametrize(
    ("goodbye", "has_will"), [(packet(0xE0, b""), False), (packet(0xE0, b"\x04"), True)]
)
def test_an_orderly_end_leaves_none_unless_asked(goodbye: bytes, has_will: bool) -> None:
    device = Publisher(MQTT_5)
    device.greet(will=("mine/v1/kaduna/sensor/gas-1/death", b"{}"))
    device.say(goodbye)
    assert (device.session.take_will() is not None) == has_will
    assert device.session.take_will() is None


def test_the_edges_own_stop_is_no_death_of_a_device() -> None:
    device = Publisher()
    device.greet(will=("mine/v1/kaduna/sensor/gas-1/death", b"{}"))
    device.session.dismiss(Code.SHUTTING_DOWN, Ending.STOPPED)
    assert device.session.take_will() is None


def test_one_that_was_never_let_in_leaves_none() -> None:
    device = Publisher()
    device.say(connect(will=("mine/v1/kaduna/sensor/gas-1/death", b"{}")))
    device.session.lose()
    assert device.session.take_will() is None


# The table, and bytes of all kinds.


def test_nothing_leads_out_of_the_end() -> None:
    assert {TRANSITIONS[key] for key in TRANSITIONS if key[0] is State.ENDED} == {State.ENDED}
    assert all((state, Signal.ENDED) in TRANSITIONS for state in State)


def cut(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    return [*pieces, stream]


@BOTH
@given(sizes=st.lists(st.integers(1, 40), max_size=40))
def test_any_cut_of_the_stream_says_the_same(version: int, sizes: list[int]) -> None:
    whole, pieces = Publisher(version), Publisher(version)
    stream = b"".join(whole.publish(packet_id=n % 5, dup=False) for n in range(5))
    for device, parts in ((whole, [stream]), (pieces, cut(stream, sizes))):
        device.greet()
        for part in parts:
            device.say(part)
    assert pieces.messages == whole.messages
    assert len(whole.messages) == 5


@given(data=st.binary(max_size=300), begins_well=st.booleans(), version=st.sampled_from([4, 5]))
def test_no_bytes_make_it_raise_or_keep_much(data: bytes, begins_well: bool, version: int) -> None:
    device = Publisher(version)
    if begins_well:
        device.greet()
    device.say(data)
    assert device.session.held_bytes <= CONNECT_SIZE_MAX_BYTES + len(data)
    device.session.watch(device.now_s + 10_000)
    assert device.session.state is State.ENDED


@given(data=st.data())
def test_a_bent_packet_never_makes_it_raise(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from([MQTT_3_1_1, MQTT_5]))
    device = Publisher(version)
    greeting = connect(version=version, properties=b"\x11\x00\x00\x00\x05")
    stream = bytearray(greeting + device.publish(packet_id=1) + packet(0xE0, b"\x00\x00"))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    device.say(bytes(stream))
    if device.session.state is State.JUDGED:
        device.session.accept(RIGHTS, session_present=False, given_id=None, now_s=0.0)
    device.session.take_output()


def test_terms_are_held_to_whatever_they_are() -> None:
    device = Publisher(MQTT_5, replace(TERMS, in_flight_max=1))
    device.greet()
    device.say(device.publish(packet_id=1))
    device.commit(1)
    device.say(device.publish(packet_id=2))
    assert device.session.state is State.OPEN
