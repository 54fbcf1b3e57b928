"""MQTT as a publisher says it and as it is answered, for 3.1.1 and 5. Pure (sans-IO).

Owns the packets and their encoding: CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT
in; CONNACK, PUBACK, SUBACK, UNSUBACK, PINGRESP and DISCONNECT out. It must not decide anything.
Section numbers are those of MQTT 5.0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge.errors import PacketError
from edge.ingest.listener.properties import (
    SESSION_EXPIRY,
    ConnectProperties,
    WillProperties,
    read_properties,
)
from edge.ingest.stream import (
    MQTT_3_1_1,
    MQTT_5,
    PacketStream,
    encode_length,
    encode_text,
    read_length,
)

PINGRESP: Final = b"\xd0\x00"
_TOPIC_ALIAS: Final = 0x23
_OTHER_SIZE_MAX_BYTES: Final = 65_536  # of a SUBSCRIBE, UNSUBSCRIBE or DISCONNECT


class Code(IntEnum):
    """Reason codes of MQTT 5 (2.4) that the listener uses."""

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_SUBSCRIPTION = 0x11
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_VERSION = 0x84
    BAD_CLIENT_ID = 0x85
    BAD_LOGIN = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_BUSY = 0x89
    SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    TAKEN_OVER = 0x8E
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    QOS_NOT_SUPPORTED = 0x9B


# 3.1.1 has six CONNACK codes; what has none is told by closing.
_OLD_CONNACK: Final = {
    Code.SUCCESS: 0,
    Code.UNSUPPORTED_VERSION: 1,
    Code.BAD_CLIENT_ID: 2,
    Code.SERVER_BUSY: 3,
    Code.QUOTA_EXCEEDED: 3,
    Code.BAD_LOGIN: 4,
    Code.NOT_AUTHORIZED: 5,
}


class PacketType(IntEnum):
    """Control packet types (2.1.2) that a publisher sends."""

    CONNECT = 1
    PUBLISH = 3
    SUBSCRIBE = 8
    UNSUBSCRIBE = 10
    PINGREQ = 12
    DISCONNECT = 14


@dataclass(frozen=True, slots=True)
class Will:
    """What is to be published if the connection breaks."""

    topic: str
    payload: bytes
    delay_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """A greeting, whole and well formed."""

    version: int
    client_id: str
    clean: bool
    keepalive_s: int
    session_expiry_s: int  # 0: the session ends with the connection
    username: str | None
    password: bytes | None
    will: Will | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A wish to read, which is refused filter by filter."""

    packet_id: int
    filters: int  # how many


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The end of a wish that was never granted."""

    packet_id: int
    filters: int


@dataclass(frozen=True, slots=True)
class Pingreq:
    """The publisher asks for a sign of life."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The publisher goes; ``with_will``: as if the connection had broken."""

    with_will: bool
    session_expiry_s: int | None = None  # instead of what CONNECT said


Request = Subscribe | Unsubscribe | Pingreq | Disconnect

# Type -> the flags it must carry (2.1.3).
_FLAGS: Final = {
    PacketType.SUBSCRIBE: 0x02,
    PacketType.UNSUBSCRIBE: 0x02,
    PacketType.PINGREQ: 0x00,
    PacketType.DISCONNECT: 0x00,
}


class PublisherStream(PacketStream[Request]):
    """What a publisher says after its CONNECT; see `PacketStream`."""

    def _check_other(self, first_byte: int, size_bytes: int) -> None:
        kind = first_byte >> 4
        flags = _FLAGS.get(kind)  # pyright: ignore[reportArgumentType] an int that is a key or not
        if flags is None:
            raise PacketError(f"packet of type {kind} after CONNECT", Code.PROTOCOL_ERROR)
        if first_byte & 0x0F != flags:
            raise PacketError(f"packet of type {kind} with flags {first_byte & 0x0F:#x}")
        if size_bytes > _OTHER_SIZE_MAX_BYTES:
            raise PacketError(f"packet of type {kind}: {size_bytes} bytes", Code.PACKET_TOO_LARGE)

    def _parse_other(self, first_byte: int, body: bytes) -> Request:
        kind = first_byte >> 4
        if kind == PacketType.PINGREQ:
            return Pingreq()
        if kind == PacketType.DISCONNECT:
            return self._parse_disconnect(body)
        packet_id, at = body[0] << 8 | body[1], 2
        if not packet_id:
            raise PacketError("packet identifier 0")
        if self._version == MQTT_5:
            _, at = read_properties(body, at)
        is_subscribe = kind == PacketType.SUBSCRIBE
        filters = _count_filters(body, at, options_bytes=int(is_subscribe))
        return Subscribe(packet_id, filters) if is_subscribe else Unsubscribe(packet_id, filters)

    def _parse_disconnect(self, body: bytes) -> Disconnect:
        if not body:
            return Disconnect(with_will=False)
        expiry_s = None
        if len(body) > 1:
            found, _ = read_properties(body, 1)
            value = found.get(SESSION_EXPIRY)
            expiry_s = None if value is None else int.from_bytes(value, "big")
        return Disconnect(body[0] == Code.DISCONNECT_WITH_WILL, expiry_s)

    def _skip_properties(self, data: bytes, at: int, end: int) -> int:
        if data[at] == 0:
            return at + 1
        properties, begin = read_properties(data, at, end)
        if _TOPIC_ALIAS in properties:
            raise PacketError("a topic alias, which was not offered", Code.TOPIC_ALIAS_INVALID)
        return begin


def _count_filters(body: bytes, at: int, *, options_bytes: int) -> int:
    count = 0
    while at < len(body):
        size = body[at] << 8 | body[at + 1]
        body[at + 2 : at + 2 + size].decode()
        at += 2 + size + options_bytes
        count += 1
    if at != len(body) or not count:
        raise PacketError("filters that are cut short or missing")
    return count


def read_connect(data: bytes) -> tuple[Connect, bytes] | None:
    """Return the CONNECT (3.1) at the start of ``data`` and what follows; ``None`` if not whole.

    Raises:
        PacketError: if it is none; ``UNSUPPORTED_VERSION`` where only the version is in the way.
    """
    if data[:1] and data[0] != PacketType.CONNECT << 4:
        raise PacketError("the first packet is no CONNECT", Code.PROTOCOL_ERROR)
    header = read_length(data, 1, len(data)) if data else None
    if header is None:
        return None
    size, at = header
    if size > CONNECT_SIZE_MAX_BYTES:
        raise PacketError(f"a CONNECT of {size} bytes", Code.PACKET_TOO_LARGE)
    if len(data) < at + size:
        return None
    try:
        return _parse_connect(data[at : at + size]), data[at + size :]
    except (IndexError, UnicodeDecodeError) as error:
        raise PacketError(f"malformed CONNECT: {error}") from error


CONNECT_SIZE_MAX_BYTES: Final = 32_768  # identifiers, a password, a last will: a few hundred bytes
_RESERVED, _CLEAN, _WILL, _PASSWORD, _USERNAME = 0x01, 0x02, 0x04, 0x40, 0x80


def _parse_connect(body: bytes) -> Connect:
    name, at = _field(body, 0)
    if name not in (b"MQTT", b"MQIsdp"):
        raise PacketError("a CONNECT for another protocol", Code.PROTOCOL_ERROR)
    version, flags = body[at], body[at + 1]
    if name != b"MQTT" or version not in (MQTT_3_1_1, MQTT_5):
        raise PacketError(f"version {version} of MQTT", Code.UNSUPPORTED_VERSION)
    _check_connect_flags(version, flags)
    keepalive_s, at = body[at + 2] << 8 | body[at + 3], at + 4
    properties = ConnectProperties()
    if version == MQTT_5:
        found, at = read_properties(body, at)
        properties = ConnectProperties.of(found)
    client_id, at = _field(body, at)
    will = None
    if flags & _WILL:
        will, at = _parse_will(body, at, version)
    username = password = None
    if flags & _USERNAME:
        username, at = _field(body, at)
    if flags & _PASSWORD:
        password, at = _field(body, at)
    if at != len(body):
        raise PacketError("a CONNECT with more in it than it says")
    clean = bool(flags & _CLEAN)
    expiry_s = properties.session_expiry_s if version == MQTT_5 else 0 if clean else _FOR_EVER_S
    return Connect(
        version=version,
        client_id=_text(client_id),
        clean=clean,
        keepalive_s=keepalive_s,
        session_expiry_s=expiry_s,
        username=None if username is None else _text(username),
        password=password,
        will=will,
    )


_FOR_EVER_S: Final = 0xFFFF_FFFF


def _check_connect_flags(version: int, flags: int) -> None:
    will_qos = flags >> 3 & 3
    if flags & _RESERVED or will_qos == 3 or (not flags & _WILL and flags & 0x38):
        raise PacketError(f"CONNECT with flags {flags:#x}")
    if version != MQTT_5 and flags & _PASSWORD and not flags & _USERNAME:
        raise PacketError("a password without a user name")
    if version == MQTT_5 and will_qos == 2:
        raise PacketError("a last will with QoS 2", Code.QOS_NOT_SUPPORTED)


def _parse_will(body: bytes, at: int, version: int) -> tuple[Will, int]:
    delay_s = 0
    if version == MQTT_5:
        found, at = read_properties(body, at)
        delay_s = WillProperties.of(found).delay_s
    topic, at = _field(body, at)
    payload, at = _field(body, at)
    return Will(_text(topic), payload, delay_s), at


def _field(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + (body[at] << 8 | body[at + 1])
    if end > len(body):
        raise PacketError("a field that is cut short")
    return body[at + 2 : end], end


def _text(field: bytes) -> str:
    text = field.decode()
    if "\x00" in text:
        raise PacketError("a text with NUL in it")
    return text


@dataclass(frozen=True, slots=True)
class Welcome:
    """What CONNACK says of the listener; all but ``session_present`` in MQTT 5 only."""

    session_present: bool
    in_flight_max: int
    packet_size_max_bytes: int
    keepalive_s: int | None = None  # instead of what was asked
    client_id: str | None = None  # given to a publisher that has none
    session_expiry_s: int | None = None  # instead of what was asked


def encode_connack(version: int, welcome: Welcome) -> bytes:
    """Return the CONNACK (3.2) of an accepted publisher."""
    flags = int(welcome.session_present)
    if version != MQTT_5:
        return bytes((0x20, 2, flags, 0))
    properties = b"\x21" + welcome.in_flight_max.to_bytes(2, "big")
    properties += b"\x24\x01"  # maximum QoS
    properties += b"\x27" + welcome.packet_size_max_bytes.to_bytes(4, "big")
    if welcome.keepalive_s is not None:
        properties += b"\x13" + welcome.keepalive_s.to_bytes(2, "big")
    if welcome.client_id is not None:
        properties += b"\x12" + encode_text(welcome.client_id)
    if welcome.session_expiry_s is not None:
        properties += b"\x11" + welcome.session_expiry_s.to_bytes(4, "big")
    body = bytes((flags, 0)) + encode_length(len(properties)) + properties
    return b"\x20" + encode_length(len(body)) + body


def encode_refusal(version: int, code: int) -> bytes:
    """Return the CONNACK that refuses; empty where 3.1.1 has no code for it."""
    if version == MQTT_5:
        return bytes((0x20, 3, 0, code, 0))
    old = _OLD_CONNACK.get(code)  # pyright: ignore[reportArgumentType] an int that is a key or not
    return b"" if old is None else bytes((0x20, 2, 0, old))


def encode_suback(version: int, packet: Subscribe) -> bytes:
    """Return the SUBACK (3.9) that refuses every filter."""
    code = Code.NOT_AUTHORIZED if version == MQTT_5 else 0x80
    return _answer(0x90, version, packet.packet_id, [code] * packet.filters)


def encode_unsuback(version: int, packet: Unsubscribe) -> bytes:
    """Return the UNSUBACK (3.11); MQTT 5 says that there was no subscription."""
    codes = [Code.NO_SUBSCRIPTION] * packet.filters if version == MQTT_5 else []
    return _answer(0xB0, version, packet.packet_id, codes)


def encode_denials(packet_ids: Iterable[int]) -> bytes:
    """Return one PUBACK of MQTT 5 (3.4, not authorized) for each of ``packet_ids``."""
    code = bytes((Code.NOT_AUTHORIZED,))
    return b"".join([b"\x40\x03" + number.to_bytes(2, "big") + code for number in packet_ids])


def encode_disconnect(version: int, code: int) -> bytes:
    """Return the DISCONNECT (3.14) by which MQTT 5 says why; 3.1.1 has none."""
    return bytes((0xE0, 1, code)) if version == MQTT_5 else b""


def _answer(first_byte: int, version: int, packet_id: int, codes: Sequence[int]) -> bytes:
    properties = b"\x00" if version == MQTT_5 else b""
    body = packet_id.to_bytes(2, "big") + properties + bytes(codes)
    return bytes((first_byte,)) + encode_length(len(body)) + body
