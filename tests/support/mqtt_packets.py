"""The broker's side of MQTT as bytes: what a reader under test is fed, and what it said."""

from dataclasses import dataclass

MQTT_5 = 5


def length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def packet(first_byte: int, body: bytes) -> bytes:
    return bytes((first_byte,)) + length(len(body)) + body


def publish(
    topic: bytes | str,
    payload: bytes,
    *,
    packet_id: int = 0,
    retain: bool = False,
    dup: bool = False,
    properties: bytes | None = None,
) -> bytes:
    """``packet_id`` makes it QoS 1; ``properties`` (perhaps empty) make it MQTT 5."""
    name = topic.encode() if isinstance(topic, str) else topic
    body = len(name).to_bytes(2, "big") + name
    if packet_id:
        body += packet_id.to_bytes(2, "big")
    if properties is not None:
        body += length(len(properties)) + properties
    flags = (0x02 if packet_id else 0) | (0x01 if retain else 0) | (0x08 if dup else 0)
    return packet(0x30 | flags, body + payload)


def connack(
    code: int = 0, *, session_present: bool = False, properties: bytes | None = None
) -> bytes:
    body = bytes((int(session_present), code))
    if properties is not None:
        body += length(len(properties)) + properties
    return packet(0x20, body)


def suback(packet_id: int, *codes: int, properties: bytes | None = None) -> bytes:
    body = packet_id.to_bytes(2, "big")
    if properties is not None:
        body += length(len(properties)) + properties
    return packet(0x90, body + bytes(codes))


@dataclass(frozen=True)
class Said:
    """One packet that a client sent."""

    kind: int
    body: bytes


def said(data: bytes) -> list[Said]:
    """Return the packets in ``data``, which must be whole."""
    found: list[Said] = []
    at = 0
    while at < len(data):
        kind, at = data[at] >> 4, at + 1
        size = shift = 0
        while True:
            size |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not data[at - 1] & 0x80:
                break
        found.append(Said(kind, data[at : at + size]))
        at += size
    return found


def acknowledged(data: bytes) -> list[int]:
    """Return the packet identifiers of the PUBACKs in ``data``, in order."""
    return [int.from_bytes(one.body[:2], "big") for one in said(data) if one.kind == 4]
