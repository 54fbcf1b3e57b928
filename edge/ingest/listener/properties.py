"""Properties of MQTT 5 (2.2.2) as a publisher sends them. Pure.

Owns their grammar: which numbers there are and how long each is. What is read and not used is
skipped; what is unknown or stands twice ends the connection, as the protocol demands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from edge.errors import PacketError
from edge.ingest.stream import read_length

_BAD_AUTHENTICATION_METHOD: Final = 0x8C
_PROTOCOL_ERROR: Final = 0x82

_FIXED_BYTES: Final = {
    0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2,
    0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
_SIZED: Final = frozenset({0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
_SUBSCRIPTION_ID: Final = 0x0B
_USER_PROPERTY: Final = 0x26
SESSION_EXPIRY: Final = 0x11
_AUTHENTICATION_METHOD: Final = 0x15
_WILL_DELAY: Final = 0x18

Properties = Mapping[int, bytes]  # number -> value as it stands; user properties are left out


def read_properties(data: bytes, at: int, end: int | None = None) -> tuple[Properties, int]:
    """Return the properties that begin at ``at``, and where they end.

    Raises:
        PacketError: if they are malformed or reach beyond ``end`` (the end of ``data`` if absent).
        IndexError: if they are cut short.
    """
    limit = len(data) if end is None else end
    header = read_length(data, at, limit)
    if header is None or header[1] + header[0] > limit:
        raise PacketError("properties that are cut short")
    at, stop = header[1], header[1] + header[0]
    found: dict[int, bytes] = {}
    while at < stop:
        number = data[at]
        begin, at = at + 1, _end_of(data, at, stop)
        if number == _USER_PROPERTY:
            continue
        if number in found:
            raise PacketError(f"property {number:#x} twice", _PROTOCOL_ERROR)
        found[number] = data[begin:at]
    if at != stop:
        raise PacketError("properties that are longer than they say")
    return found, stop


def _end_of(data: bytes, at: int, stop: int) -> int:
    number, at = data[at], at + 1
    if number in _FIXED_BYTES:
        return at + _FIXED_BYTES[number]
    if number in _SIZED:
        return at + 2 + (data[at] << 8 | data[at + 1])
    if number == _USER_PROPERTY:
        at += 2 + (data[at] << 8 | data[at + 1])
        return at + 2 + (data[at] << 8 | data[at + 1])
    if number == _SUBSCRIPTION_ID:
        header = read_length(data, at, stop)
        if header is not None:
            return header[1]
    raise PacketError(f"unknown property {number:#x}")


@dataclass(frozen=True, slots=True)
class ConnectProperties:
    """What of a CONNECT's properties is used."""

    session_expiry_s: int = 0

    @classmethod
    def of(cls, found: Properties) -> Self:
        """Return them; PacketError if another way of signing in than a password is asked for."""
        if _AUTHENTICATION_METHOD in found:
            raise PacketError("an authentication method", _BAD_AUTHENTICATION_METHOD)
        return cls(int.from_bytes(found.get(SESSION_EXPIRY, b""), "big"))


@dataclass(frozen=True, slots=True)
class WillProperties:
    """What of a last will's properties is used."""

    delay_s: int = 0

    @classmethod
    def of(cls, found: Properties) -> Self:
        """Return them."""
        return cls(int.from_bytes(found.get(_WILL_DELAY, b""), "big"))
