"""MQTT as bytes: what a subscriber needs of 3.1.1 and 5, and nothing else. Pure (sans-IO).

Owns packets and their encoding: CONNECT, SUBSCRIBE, PUBACK, PINGREQ and DISCONNECT out; CONNACK,
SUBACK, PUBLISH (QoS 0 and 1), PINGRESP and DISCONNECT in. It must not decide when anything is sent.
QoS 2 is never granted because it is never asked for. Section numbers are those of MQTT 5.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge.errors import PacketError
from edge.ingest.stream import (
    HEAD_BYTES_MAX,
    MQTT_5,
    PacketStream,
    Publish,
    encode_length,
    encode_text,
    read_length,
)

PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"

SESSION_EXPIRY_NEVER_S: Final = 0xFFFF_FFFF  # the edge may be off for weeks and wants its queue


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
    # What an MQTT 5 broker says of its limits; ``None``: none that it says.
    session_expiry_s: int | None = None
    qos_max: int | None = None
    packet_size_max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Suback:
    """The broker's answer to SUBSCRIBE, one code per filter; 0x80 and above are refusals."""

    packet_id: int
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pingresp:
    """The broker is alive."""


@dataclass(frozen=True, slots=True)
class ServerDisconnect:
    """MQTT 5 only: the broker ends the connection and says why."""

    code: int


Answer = Connack | Suback | Pingresp | ServerDisconnect
Packet = Publish | Answer


def encode_connect(  # noqa: PLR0913 the fields of one packet
    *,
    version: int,
    client_id: str,
    keepalive_s: int,
    receive_maximum: int,
    username: str | None,
    password: str | None,
    keeps_session: bool = True,
) -> bytes:
    """Return a CONNECT (3.1) that asks for a persistent session unless told otherwise.

    MQTT 5 also announces how many unacknowledged messages the edge takes; 3.1.1 cannot say so.
    Maximum Packet Size is not announced: a broker would drop larger messages without a word.
    """
    flags = (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    flags |= 0 if keeps_session else 0x02
    body = bytearray(encode_text("MQTT"))
    body += bytes((version, flags)) + keepalive_s.to_bytes(2, "big")
    if version == MQTT_5:
        expiry_s = SESSION_EXPIRY_NEVER_S if keeps_session else 0
        properties = b"\x11" + expiry_s.to_bytes(4, "big")
        properties += b"\x21" + receive_maximum.to_bytes(2, "big")
        body += encode_length(len(properties)) + properties
    body += encode_text(client_id)
    for secret in (username, password):
        if secret is not None:
            body += encode_text(secret)
    return b"\x10" + encode_length(len(body)) + body


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
        body += encode_text(text) + bytes((qos | retain_handling,))
    return b"\x82" + encode_length(len(body)) + body


class PacketReader(PacketStream[Answer]):
    """What a broker says to a subscriber; see `PacketStream`."""

    def _check_other(self, first_byte: int, size_bytes: int) -> None:
        """Refuse at once what is no answer to a subscriber, rather than wait for the rest of it."""
        kind = first_byte >> 4
        if kind not in _ANSWERS or size_bytes > HEAD_BYTES_MAX:
            raise PacketError(f"packet of type {kind} with {size_bytes} bytes: this is not MQTT")

    def _parse_other(self, first_byte: int, body: bytes) -> Answer:
        kind = first_byte >> 4
        match kind:
            case PacketType.CONNACK:
                return self._parse_connack(body)
            case PacketType.SUBACK:
                codes = body[2:]
                if self._version == MQTT_5:
                    properties = read_length(body, 2, len(body))
                    if properties is None:
                        raise PacketError("SUBACK ends inside its properties")
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
        numbers, reason = _read_connack_properties(body)
        return Connack(
            session_present,
            code,
            keepalive_s=numbers.get(_SERVER_KEEP_ALIVE),
            reason=reason,
            session_expiry_s=numbers.get(_SESSION_EXPIRY),
            qos_max=numbers.get(_QOS_MAX),
            packet_size_max_bytes=numbers.get(_PACKET_SIZE_MAX),
        )


# 2.2.2.2: sizes of the fixed-size properties that may stand in a CONNACK.
_FIXED_PROPERTY_BYTES: Final = {
    0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
_TEXT_PROPERTIES: Final = frozenset({0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
_USER_PROPERTY: Final = 0x26
_SERVER_KEEP_ALIVE: Final = 0x13
_SESSION_EXPIRY: Final = 0x11
_QOS_MAX: Final = 0x24
_PACKET_SIZE_MAX: Final = 0x27
_REASON_STRING: Final = 0x1F


def _read_connack_properties(body: bytes) -> tuple[dict[int, int], str | None]:
    header = read_length(body, 2, len(body))
    if header is None:
        raise PacketError("CONNACK ends inside its properties")
    at, end = header[1], header[1] + header[0]
    numbers: dict[int, int] = {}
    reason: str | None = None
    while at < end:
        name, at = body[at], at + 1
        if name in _FIXED_PROPERTY_BYTES:
            size = _FIXED_PROPERTY_BYTES[name]
            numbers[name] = int.from_bytes(body[at : at + size], "big")
        elif name in _TEXT_PROPERTIES:
            size = 2 + (body[at] << 8 | body[at + 1])
            if name == _REASON_STRING:
                reason = body[at + 2 : at + size].decode()
        elif name == _USER_PROPERTY:
            size = 2 + (body[at] << 8 | body[at + 1])
            size += 2 + (body[at + size] << 8 | body[at + size + 1])
        else:
            raise PacketError(f"CONNACK with unknown property {name:#x}")
        at += size
    return numbers, reason
