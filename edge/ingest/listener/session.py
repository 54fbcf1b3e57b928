"""The conversation with one publisher: bytes in, messages and bytes out. Pure.

Owns the states and what may be said in each. It knows neither sockets nor accounts: who may connect
is told to it (``accept``, ``refuse``), and it is told what is on disk (``acknowledge``). A PUBACK
leaves it for no other reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

import msgspec

from edge.errors import PacketError
from edge.ingest.listener.endings import Ending, ending_of
from edge.ingest.listener.packets import (
    PINGRESP,
    Code,
    Connect,
    Disconnect,
    Pingreq,
    PublisherStream,
    Request,
    Subscribe,
    Unsubscribe,
    Welcome,
    encode_connack,
    encode_denials,
    encode_disconnect,
    encode_refusal,
    encode_suback,
    encode_unsuback,
    read_connect,
)
from edge.ingest.listener.rights import PublishRights
from edge.ingest.stream import MQTT_3_1_1, MQTT_5, Publish, encode_pubacks

PAYLOAD_KEPT_BYTES: Final = 65_536  # of a payload that is too large, for the quarantine
_VERDICTS_MAX: Final = 256  # topics of one publisher whose rights are remembered


class State(StrEnum):
    """How far the conversation has come."""

    GREETING = "greeting"  # nothing or part of a CONNECT was said
    JUDGED = "judged"  # its CONNECT is being judged; what it says meanwhile waits
    OPEN = "open"
    ENDED = "ended"  # nothing is read or answered any more


class Signal(StrEnum):
    """What moves a conversation from one state to the next."""

    CONNECT = "connect"
    ACCEPTED = "accepted"
    ENDED = "ended"  # by either side, for whatever reason


TRANSITIONS: Final[dict[tuple[State, Signal], State]] = {
    (State.GREETING, Signal.CONNECT): State.JUDGED,
    (State.GREETING, Signal.ENDED): State.ENDED,
    (State.JUDGED, Signal.ACCEPTED): State.OPEN,
    (State.JUDGED, Signal.ENDED): State.ENDED,
    (State.OPEN, Signal.ENDED): State.ENDED,
    (State.ENDED, Signal.ENDED): State.ENDED,  # the first reason holds
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What every publisher is held to."""

    payload_size_max_bytes: int  # larger ones are refused into the quarantine
    packet_size_max_bytes: int  # larger ones end the connection
    in_flight_max: int  # messages that are not acknowledged
    keepalive_max_s: int
    idle_timeout_s: float  # of a publisher without keepalive
    greeting_timeout_s: float
    packet_timeout_s: float  # a packet that has begun is whole within this, or a keepalive


class PublisherSession:
    """One conversation; times are monotonic seconds."""

    def __init__(self, terms: Terms, now_s: float) -> None:
        self.state = State.GREETING
        self.ending: Ending | None = None
        self.greeting: Connect | None = None
        self.refused_subscriptions = 0
        self.redelivered = 0  # copies of messages on their way, dropped
        self.session_expiry_s = 0
        self._terms = terms
        self._version = MQTT_3_1_1
        self._unread = b""  # before and behind the CONNECT
        self._stream: PublisherStream | None = None
        self._rights: PublishRights | None = None
        self._verdicts: dict[str, bool] = {}
        self._in_flight: dict[int, Publish] = {}
        self._denied: set[int] = set()
        self._output: list[bytes] = []
        self._heard_s = now_s
        self._silence_max_s = terms.greeting_timeout_s
        self._has_will = False

    @property
    def has_output(self) -> bool:
        """Tell whether there is something to be written."""
        return bool(self._output)

    @property
    def in_flight(self) -> int:
        """Return how many messages are not acknowledged yet."""
        return len(self._in_flight)

    @property
    def held_bytes(self) -> int:
        """Return how many bytes of unfinished packets it keeps."""
        return len(self._unread) if self._stream is None else self._stream.held_bytes

    def receive(self, data: bytes, now_s: float) -> Sequence[Publish]:
        """Take bytes; return the messages they complete, to be made durable."""
        if self.state is State.OPEN:
            return self._read(data, now_s)
        if self.state is not State.ENDED:
            self._unread += data
        if self.state is State.GREETING:
            self._read_greeting()
        return ()

    def take_output(self) -> bytes:
        """Return what is to be written."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def accept(
        self, rights: PublishRights, *, session_present: bool, given_id: str | None, now_s: float
    ) -> Sequence[Publish]:
        """Let the publisher in; return the messages that it had sent behind its CONNECT."""
        greeting = self.greeting
        assert greeting is not None
        self._move(Signal.ACCEPTED)
        self._rights = rights
        self._has_will = greeting.will is not None
        self._agree_keepalive(greeting)
        self._stream = PublisherStream(
            version=self._version,
            payload_size_max_bytes=self._terms.payload_size_max_bytes,
            payload_kept_bytes=PAYLOAD_KEPT_BYTES,
            packet_size_max_bytes=self._terms.packet_size_max_bytes,
        )
        self._output.append(
            encode_connack(
                self._version,
                Welcome(
                    session_present=session_present,
                    in_flight_max=self._terms.in_flight_max,
                    packet_size_max_bytes=self._terms.packet_size_max_bytes,
                    keepalive_s=self._other_keepalive(greeting),
                    client_id=given_id,
                ),
            )
        )
        unread, self._unread = self._unread, b""
        return self._read(unread, now_s)

    def refuse(self, code: Code, ending: Ending) -> None:
        """Turn the publisher away, with the reason as far as its version can say it."""
        if self.state is State.ENDED:
            return
        self._output.append(encode_refusal(self._version, code))
        self._end(ending)

    def acknowledge(self, packet_ids: Sequence[int]) -> int:
        """Answer what is durable; return how many were answered, 0 after the end."""
        if self.state is State.ENDED:
            return 0
        for packet_id in packet_ids:
            self._in_flight.pop(packet_id, None)
        if self._denied and self._version == MQTT_5:
            self._acknowledge_with_denials(packet_ids)
        else:
            self._output.append(encode_pubacks(packet_ids))
        return len(packet_ids)

    def dismiss(self, code: Code, ending: Ending) -> None:
        """End the conversation from this side, with the reason as far as MQTT can say it."""
        if self.state is State.OPEN:
            self._output.append(encode_disconnect(self._version, code))
        elif self.state is State.JUDGED:
            self._output.append(encode_refusal(self._version, code))
        self._end(ending)

    def lose(self) -> None:
        """Take note that the connection broke."""
        self._end(Ending.LOST)

    def resumed(self, now_s: float) -> None:
        """Take note that it is read again: silence while nobody listened proves nothing."""
        self._heard_s = now_s

    def watch(self, now_s: float) -> None:
        """End the conversation if the publisher has been silent, or unfinished, for too long."""
        if self.state is State.ENDED:
            return
        limit_s = self._silence_max_s
        if self._stream is not None and self._stream.is_within_packet:
            limit_s = max(limit_s, self._terms.packet_timeout_s)
        if now_s - self._heard_s <= limit_s:
            return
        if self.state is State.OPEN:
            self.dismiss(Code.KEEP_ALIVE_TIMEOUT, Ending.SILENT)
        else:
            busy = self.state is State.JUDGED
            self.dismiss(Code.SERVER_BUSY, Ending.BUSY if busy else Ending.NO_GREETING)

    def take_will(self) -> Publish | None:
        """Return the last will that is now to be published, once; none after an orderly end.

        The edge's own stop is no death of a device.
        """
        greeting = self.greeting
        if not self._has_will or greeting is None or greeting.will is None:
            return None
        self._has_will = False
        if self.state is not State.ENDED or self.ending in (Ending.LEFT, Ending.STOPPED):
            return None
        payload = greeting.will.payload
        return Publish(greeting.will.topic, payload, 0, False, False, len(payload))

    def _read_greeting(self) -> None:
        try:
            found = read_connect(self._unread)
        except PacketError as error:
            if error.mqtt_code == Code.UNSUPPORTED_VERSION:
                self.refuse(Code.UNSUPPORTED_VERSION, Ending.BAD_VERSION)
            else:
                self._end(ending_of(error))
            return
        if found is not None:
            self.greeting, self._unread = found
            self._version = self.greeting.version
            self.session_expiry_s = self.greeting.session_expiry_s
            self._move(Signal.CONNECT)

    def _read(self, data: bytes, now_s: float) -> Sequence[Publish]:
        assert self._stream is not None
        messages: list[Publish] = []
        try:
            packets = self._stream.feed(data)
            if packets:
                self._heard_s = now_s
            for packet in packets:
                if type(packet) is Publish:
                    self._take_message(packet, messages)
                elif self.state is State.OPEN:
                    self._take_request(packet)  # pyright: ignore[reportArgumentType] `type() is` narrows nothing
        except PacketError as error:
            # What came before it in the same read is not acknowledged and comes again.
            self.dismiss(Code(error.mqtt_code), ending_of(error))
        return messages

    def _take_message(self, message: Publish, messages: list[Publish]) -> None:
        if self.state is not State.OPEN:
            raise PacketError("a message after DISCONNECT", Code.PROTOCOL_ERROR)
        is_permitted = self._verdicts.get(message.topic)
        if is_permitted is None:
            is_permitted = self._judge_topic(message.topic)
        # Nobody can subscribe here, so there is nobody to keep a message for.
        if message.retain or not is_permitted:
            message = msgspec.structs.replace(message, retain=False, is_denied=not is_permitted)
        packet_id = message.packet_id
        if packet_id:
            known = self._in_flight.get(packet_id)
            if known is not None:
                self._take_copy(message, known)
                return
            self._in_flight[packet_id] = message
            if not is_permitted:
                self._denied.add(packet_id)
            if len(self._in_flight) > self._terms.in_flight_max and self._version == MQTT_5:
                raise PacketError("more in flight than agreed", Code.RECEIVE_MAXIMUM_EXCEEDED)
        messages.append(message)

    def _take_copy(self, message: Publish, known: Publish) -> None:
        """Drop a copy of a message that waits for its commit; one answer serves both.

        Two answers would acknowledge whatever the publisher sends next under the identifier; and
        another message under an identifier in use would be acknowledged for this one.
        """
        same = (message.topic, message.payload) == (known.topic, known.payload)
        if not (message.dup and same):
            raise PacketError("a packet identifier that is in use", Code.PROTOCOL_ERROR)
        self.redelivered += 1

    def _judge_topic(self, topic: str) -> bool:
        assert self._rights is not None
        if len(self._verdicts) >= _VERDICTS_MAX:
            self._verdicts.clear()
        verdict = self._verdicts[topic] = self._rights.permits(topic)
        return verdict

    def _take_request(self, request: Request) -> None:
        match request:
            case Pingreq():
                self._output.append(PINGRESP)
            case Subscribe():
                self.refused_subscriptions += request.filters
                self._output.append(encode_suback(self._version, request))
            case Unsubscribe():
                self._output.append(encode_unsuback(self._version, request))
            case Disconnect():
                if request.session_expiry_s is not None:
                    self.session_expiry_s = request.session_expiry_s
                self._end(Ending.LOST if request.with_will else Ending.LEFT)
            case _:
                assert_never(request)

    def _acknowledge_with_denials(self, packet_ids: Sequence[int]) -> None:
        """Answer in order, some with success, some with what stood in the way."""
        for packet_id in packet_ids:
            if packet_id in self._denied:
                self._denied.discard(packet_id)
                self._output.append(encode_denials((packet_id,)))
            else:
                self._output.append(encode_pubacks((packet_id,)))

    def _agree_keepalive(self, greeting: Connect) -> None:
        keepalive_s = self._other_keepalive(greeting) or greeting.keepalive_s
        self._silence_max_s = 1.5 * keepalive_s if keepalive_s else self._terms.idle_timeout_s

    def _other_keepalive(self, greeting: Connect) -> int | None:
        """Return the keepalive instead of the one asked for; 3.1.1 cannot be told of one."""
        longest_s = self._terms.keepalive_max_s
        if greeting.version != MQTT_5 or 0 < greeting.keepalive_s <= longest_s:
            return None
        return longest_s

    def _end(self, ending: Ending) -> None:
        if self.state is not State.ENDED:
            self.ending = ending
            self._unread = b""
            self._in_flight.clear()
        self._move(Signal.ENDED)

    def _move(self, signal: Signal) -> None:
        following = TRANSITIONS.get((self.state, signal))
        if following is None:
            raise ValueError(f"{signal} has no meaning while {self.state}")
        self.state = following
