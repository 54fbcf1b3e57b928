"""MQTT as bytes: what a subscriber needs of 3.1.1 and 5, and nothing else. Pure (sans-IO).

Owns packets and their encoding: CONNECT, SUBSCRIBE, PUBACK, PINGREQ and DISCONNECT out; CONNACK,
SUBACK, PUBLISH (QoS 0 and 1), PINGRESP and DISCONNECT in. It must not decide when anything is sent.
QoS 2 is never granted because it is never asked for. Section numbers are those of MQTT 5.0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

import msgspec

from edge.errors import BrokerError

MQTT_3_1_1: Final = 4
MQTT_5: Final = 5

PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"

SESSION_EXPIRY_NEVER_S: Final = 0xFFFF_FFFF  # the edge may be off for weeks and wants its queue

_LENGTH_BYTES_MAX: Final = 4  # 1.5.5: a variable byte integer has at most four bytes
_TOPIC_BYTES_MAX: Final = 65_535  # 1.5.4: UTF-8 strings carry a two byte length
# Head of a PUBLISH that is too large to keep: topic, packet identifier and its properties. Brokers
# send few properties; one that sent more than this would be cut in the middle of them.
_HEAD_BYTES_MAX: Final = _TOPIC_BYTES_MAX + 2 + 2 + 65_536


class PacketType(IntEnum):
    """Control packet types (2.1.2) that the edge reads."""

    CONNACK = 2
    PUBLISH = 3
    SUBACK = 9
    PINGRESP = 13
    DISCONNECT = 14


_ANSWERS: Final = frozenset(PacketType) - {PacketType.PUBLISH}


@dataclass(frozen=True, slots=True)
class Connack:
    """The broker's answer to CONNECT; ``code`` 0 is success."""

    session_present: bool
    code: int
    keepalive_s: int | None = None  # 3.2.2.3.14: the broker's word overrides ours
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Suback:
    """The broker's answer to SUBSCRIBE, one code per filter; 0x80 and above are refusals."""

    packet_id: int
    codes: tuple[int, ...]


class Publish(msgspec.Struct, frozen=True):
    """A message. Only the start of ``payload`` is there when it is shorter than ``size_bytes``."""

    topic: str
    payload: bytes
    packet_id: int  # 0 for QoS 0
    retain: bool
    dup: bool
    size_bytes: int  # of the whole payload as sent
    sha256: bytes = b""  # of the whole payload, where only its start is kept


@dataclass(frozen=True, slots=True)
class Pingresp:
    """The broker is alive."""


@dataclass(frozen=True, slots=True)
class ServerDisconnect:
    """MQTT 5 only: the broker ends the connection and says why."""

    code: int


Packet = Connack | Suback | Publish | Pingresp | ServerDisconnect


def encode_connect(
    *,
    version: int,
    client_id: str,
    keepalive_s: int,
    receive_maximum: int,
    username: str | None,
    password: str | None,
) -> bytes:
    """Return a CONNECT that asks for a persistent session (3.1).

    MQTT 5 also announces how many unacknowledged messages the edge takes; 3.1.1 cannot say so.
    Maximum Packet Size is not announced: a broker would drop larger messages without a word.
    """
    flags = (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    body = bytearray(_text("MQTT"))
    body += bytes((version, flags)) + keepalive_s.to_bytes(2, "big")
    if version == MQTT_5:
        properties = b"\x11" + SESSION_EXPIRY_NEVER_S.to_bytes(4, "big")
        properties += b"\x21" + receive_maximum.to_bytes(2, "big")
        body += _length(len(properties)) + properties
    body += _text(client_id)
    for secret in (username, password):
        if secret is not None:
            body += _text(secret)
    return b"\x10" + _length(len(body)) + body


def encode_subscribe(*, version: int, packet_id: int, filters: Sequence[tuple[str, int]]) -> bytes:
    """Return a SUBSCRIBE (3.8) for ``filters``, pairs of filter and QoS (0 or 1).

    MQTT 5 asks for retained messages only with a new subscription, so that a reconnect does not
    deliver them again.
    """
    retain_handling = 0x10 if version == MQTT_5 else 0
    body = bytearray(packet_id.to_bytes(2, "big"))
    if version == MQTT_5:
        body += b"\x00"
    for text, qos in filters:
        body += _text(text) + bytes((qos | retain_handling,))
    return b"\x82" + _length(len(body)) + body


def encode_pubacks(packet_ids: Iterable[int]) -> bytes:
    """Return one PUBACK (3.4, success) for each of ``packet_ids``, in their order."""
    return b"".join([b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids])


class PacketReader:
    """Cuts a byte stream into packets; memory is bounded whatever the broker sends.

    Of a PUBLISH whose payload is larger than ``payload_size_max_bytes`` only the first
    ``payload_kept_bytes`` are kept, so that it can be refused and shown.
    """

    def __init__(
        self, *, version: int, payload_size_max_bytes: int, payload_kept_bytes: int
    ) -> None:
        self._version = version
        self._payload_size_max_bytes = payload_size_max_bytes
        self._payload_kept_bytes = payload_kept_bytes
        self._chunks: list[bytes] = []  # joined only when a whole packet is there: linear time
        self._have_bytes = 0
        self._need_bytes = 2
        self._skip_bytes = 0  # of the payload that is too large
        self._held: Publish | None = None  # its head, given out when all of it has passed
        self._digest = sha256()  # over the payload that is passing

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets that ``data`` completes, in order.

        Raises:
            BrokerError: if the stream is not MQTT; the connection cannot be used any more.
        """
        found: list[Packet] = []
        if self._skip_bytes:
            data = self._skip(data, found)
        self._chunks.append(data)
        self._have_bytes += len(data)
        while self._have_bytes >= self._need_bytes and not self._skip_bytes:
            whole = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            used = self._cut(whole, found)
            self._chunks = [whole[used:]]
            self._have_bytes = len(whole) - used
            if self._skip_bytes:
                rest = self._skip(self._chunks.pop(), found)
                self._chunks = [rest]
                self._have_bytes = len(rest)
        return found

    def _skip(self, data: bytes, found: list[Packet]) -> bytes:
        passed = min(self._skip_bytes, len(data))
        self._skip_bytes -= passed
        self._digest.update(data[:passed])
        if not self._skip_bytes and self._held is not None:
            found.append(msgspec.structs.replace(self._held, sha256=self._digest.digest()))
            self._held = None
        return data[passed:]

    def _cut(self, data: bytes, found: list[Packet]) -> int:
        """Append the whole packets at the start of ``data``; return how many bytes they took."""
        start, size = 0, len(data)
        while True:
            header = _read_length(data, start + 1, size)
            if header is None:
                self._need_bytes = size - start + 1
                return start
            remaining, body = header
            end = body + remaining
            is_publish = data[start] >> 4 == PacketType.PUBLISH
            if not is_publish:
                _check_answer(data[start] >> 4, remaining)
            if end <= size:
                found.append(self._parse(data, start, body, end))
                start = end
                continue
            self._need_bytes = end - start
            if is_publish and remaining > self._payload_size_max_bytes + _HEAD_BYTES_MAX:
                self._need_bytes = min(end, body + self._head_bytes) - start
                if size >= start + self._need_bytes:
                    self._held = self._parse_publish(data, data[start], body, end)
                    self._skip_bytes = end - size
                    self._need_bytes = 2
                    return size
            return start

    @property
    def _head_bytes(self) -> int:
        return _HEAD_BYTES_MAX + self._payload_kept_bytes

    def _parse(self, data: bytes, start: int, body: int, end: int) -> Packet:
        first_byte = data[start]
        try:
            if first_byte >> 4 == PacketType.PUBLISH:
                return self._parse_publish(data, first_byte, body, end)
            return self._parse_other(first_byte >> 4, data[body:end])
        except (IndexError, UnicodeDecodeError) as error:
            raise BrokerError(f"malformed packet of type {first_byte >> 4}: {error}") from error

    def _parse_publish(self, data: bytes, first_byte: int, body: int, end: int) -> Publish:
        qos = (first_byte >> 1) & 3
        if qos > 1:
            raise BrokerError(f"PUBLISH with QoS {qos}, which was not granted")
        at = body + 2 + (data[body] << 8 | data[body + 1])
        # A topic that is not UTF-8 becomes one that the topic rules refuse, and is kept as such.
        topic = data[body + 2 : at].decode("utf-8", "replace")
        packet_id = 0
        if qos:
            packet_id = data[at] << 8 | data[at + 1]
            at += 2
        if self._version == MQTT_5:
            properties = _read_length(data, at, end)
            if properties is None:
                raise BrokerError("PUBLISH ends inside its properties")
            at = properties[1] + properties[0]
        if at > end:
            raise BrokerError("PUBLISH is shorter than its topic and properties")
        size_bytes = end - at
        flags = (bool(first_byte & 1), bool(first_byte & 8))
        if size_bytes <= self._payload_size_max_bytes:
            return Publish(topic, data[at:end], packet_id, *flags, size_bytes)
        self._digest = sha256(data[at:end])
        kept = data[at : at + self._payload_kept_bytes]
        return Publish(topic, kept, packet_id, *flags, size_bytes, self._digest.digest())

    def _parse_other(self, kind: int, body: bytes) -> Packet:
        match kind:
            case PacketType.CONNACK:
                return self._parse_connack(body)
            case PacketType.SUBACK:
                codes = body[2:]
                if self._version == MQTT_5:
                    properties = _read_length(body, 2, len(body))
                    if properties is None:
                        raise BrokerError("SUBACK ends inside its properties")
                    codes = body[properties[1] + properties[0] :]
                return Suback(body[0] << 8 | body[1], tuple(codes))
            case PacketType.PINGRESP:
                return Pingresp()
            case PacketType.DISCONNECT:
                return ServerDisconnect(body[0] if body else 0)
            case _:
                raise AssertionError(f"type {kind} passed the check of the header")

    def _parse_connack(self, body: bytes) -> Connack:
        session_present, code = bool(body[0] & 1), body[1]
        if self._version != MQTT_5 or len(body) <= 2:
            return Connack(session_present, code)
        keepalive_s, reason = _read_connack_properties(body)
        return Connack(session_present, code, keepalive_s, reason)


def _check_answer(kind: int, size_bytes: int) -> None:
    """Refuse at once what is no answer to a subscriber, rather than wait for the rest of it."""
    if kind not in _ANSWERS or size_bytes > _HEAD_BYTES_MAX:
        raise BrokerError(f"packet of type {kind} with {size_bytes} bytes: this is not MQTT")


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > _TOPIC_BYTES_MAX:
        raise ValueError(f"MQTT strings have at most {_TOPIC_BYTES_MAX} bytes")
    return len(encoded).to_bytes(2, "big") + encoded


def _length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def _read_length(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return the variable byte integer at ``start`` and where it ends; ``None`` if it is cut."""
    value = shift = 0
    for at in range(start, min(end, start + _LENGTH_BYTES_MAX)):
        value |= (data[at] & 0x7F) << shift
        if not data[at] & 0x80:
            return value, at + 1
        shift += 7
    if end - start >= _LENGTH_BYTES_MAX:
        raise BrokerError("length field longer than four bytes: this is not MQTT")
    return None


# 2.2.2.2: sizes of the fixed-size properties that may stand in a CONNACK.
_FIXED_PROPERTY_BYTES: Final = {
    0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
_TEXT_PROPERTIES: Final = frozenset({0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
_USER_PROPERTY: Final = 0x26
_SERVER_KEEP_ALIVE: Final = 0x13
_REASON_STRING: Final = 0x1F


def _read_connack_properties(body: bytes) -> tuple[int | None, str | None]:
    header = _read_length(body, 2, len(body))
    if header is None:
        raise BrokerError("CONNACK ends inside its properties")
    at, end = header[1], header[1] + header[0]
    keepalive_s: int | None = None
    reason: str | None = None
    while at < end:
        name, at = body[at], at + 1
        if name in _FIXED_PROPERTY_BYTES:
            size = _FIXED_PROPERTY_BYTES[name]
            if name == _SERVER_KEEP_ALIVE:
                keepalive_s = int.from_bytes(body[at : at + size], "big")
        elif name in _TEXT_PROPERTIES:
            size = 2 + (body[at] << 8 | body[at + 1])
            if name == _REASON_STRING:
                reason = body[at + 2 : at + size].decode()
        elif name == _USER_PROPERTY:
            size = 2 + (body[at] << 8 | body[at + 1])
            size += 2 + (body[at + size] << 8 | body[at + size + 1])
        else:
            raise BrokerError(f"CONNACK with unknown property {name:#x}")
        at += size
    return keepalive_s, reason
