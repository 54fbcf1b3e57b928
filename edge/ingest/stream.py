"""MQTT in both directions: lengths, texts, messages, and a byte stream cut into packets. Pure.

What else than messages may come is the business of whoever reads: ``wire.py`` for what a broker
says, ``listener/packets.py`` for what a publisher says. Section numbers are those of MQTT 5.0.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Generic, TypeVar

import msgspec

from edge.errors import PacketError

MQTT_3_1_1: Final = 4
MQTT_5: Final = 5

_PUBLISH: Final = 3  # control packet type (2.1.2)
QOS_NOT_SUPPORTED: Final = 0x9B
PACKET_TOO_LARGE: Final = 0x95
PACKET_BYTES_MAX: Final = 268_435_455  # 2.1.4: what four length bytes can say
_LENGTH_BYTES_MAX: Final = 4  # 1.5.5: a variable byte integer has at most four bytes
_TOPIC_BYTES_MAX: Final = 65_535  # 1.5.4: UTF-8 strings carry a two byte length
# Head of a PUBLISH that is too large to keep: topic, packet identifier and its properties. Few
# properties are ever sent; with more than this the start that is kept begins inside them.
HEAD_BYTES_MAX: Final = _TOPIC_BYTES_MAX + 2 + 2 + 65_536
MALFORMED: Final = 0x81  # reason code (2.4) of what breaks the grammar

OtherT = TypeVar("OtherT")


class Publish(msgspec.Struct, frozen=True):
    """A message. Only the start of ``payload`` is there when it is shorter than ``size_bytes``."""

    topic: str
    payload: bytes
    packet_id: int  # 0 for QoS 0
    retain: bool
    dup: bool
    size_bytes: int  # of the whole payload as sent
    sha256: bytes = b""  # of the whole payload, where only its start is kept
    is_denied: bool = False  # its sender has no right to the topic: kept as refused, never read


def encode_pubacks(packet_ids: Iterable[int]) -> bytes:
    """Return one PUBACK (3.4, success) for each of ``packet_ids``, in their order."""
    return b"".join([b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids])


class PacketStream(ABC, Generic[OtherT]):
    """Cuts a byte stream into packets; memory is bounded whatever the other side sends.

    Of a PUBLISH whose payload is larger than ``payload_size_max_bytes`` only the first
    ``payload_kept_bytes`` are kept, so that it can be refused and shown.
    """

    def __init__(
        self,
        *,
        version: int,
        payload_size_max_bytes: int,
        payload_kept_bytes: int,
        packet_size_max_bytes: int = PACKET_BYTES_MAX,
    ) -> None:
        """A packet above ``packet_size_max_bytes`` ends the stream; one below never does."""
        self._version = version
        self._packet_size_max_bytes = packet_size_max_bytes
        self._payload_size_max_bytes = payload_size_max_bytes
        self._payload_kept_bytes = payload_kept_bytes
        self._chunks: list[bytes] = []  # joined only when a whole packet is there: linear time
        self._have_bytes = 0
        self._need_bytes = 2
        self._skip_bytes = 0  # of the payload that is too large
        self._held: Publish | None = None  # its head, given out when all of it has passed
        self._digest = sha256()  # over the payload that is passing

    @property
    def held_bytes(self) -> int:
        """Return how much of an unfinished packet is kept."""
        return self._have_bytes

    @property
    def is_within_packet(self) -> bool:
        """Tell whether a packet has begun and is not whole yet."""
        return self._have_bytes > 0 or self._skip_bytes > 0

    def feed(self, data: bytes) -> list[Publish | OtherT]:
        """Return the packets that ``data`` completes, in order.

        Raises:
            PacketError: if the stream is not MQTT; the connection cannot be used any more.
        """
        found: list[Publish | OtherT] = []
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

    def _skip(self, data: bytes, found: list[Publish | OtherT]) -> bytes:
        passed = min(self._skip_bytes, len(data))
        self._skip_bytes -= passed
        self._digest.update(data[:passed])
        if not self._skip_bytes and self._held is not None:
            found.append(msgspec.structs.replace(self._held, sha256=self._digest.digest()))
            self._held = None
        return data[passed:]

    def _cut(self, data: bytes, found: list[Publish | OtherT]) -> int:
        """Append the whole packets at the start of ``data``; return how many bytes they took."""
        start, size = 0, len(data)
        while True:
            header = read_length(data, start + 1, size)
            if header is None:
                self._need_bytes = size - start + 1
                return start
            remaining, body = header
            if remaining > self._packet_size_max_bytes:
                raise PacketError(f"a packet of {remaining} bytes", PACKET_TOO_LARGE)
            end = body + remaining
            is_publish = data[start] >> 4 == _PUBLISH
            if not is_publish:
                self._check_other(data[start], remaining)
            if end <= size:
                found.append(self._parse(data, start, body, end))
                start = end
                continue
            self._need_bytes = end - start
            if is_publish and remaining > self._payload_size_max_bytes + HEAD_BYTES_MAX:
                return self._take_head(data, start, body, end)
            return start

    def _take_head(self, data: bytes, start: int, body: int, end: int) -> int:
        """Keep the head of a message that is too large, once it is there; return what was used."""
        size = len(data)
        self._need_bytes = min(end, body + self._head_bytes) - start
        if size < start + self._need_bytes:
            return start
        self._held = self._parse_publish(data, data[start], body, end)
        self._skip_bytes = end - size
        self._need_bytes = 2
        return size

    @property
    def _head_bytes(self) -> int:
        return HEAD_BYTES_MAX + self._payload_kept_bytes

    def _parse(self, data: bytes, start: int, body: int, end: int) -> Publish | OtherT:
        first_byte = data[start]
        try:
            if first_byte >> 4 == _PUBLISH:
                return self._parse_publish(data, first_byte, body, end)
            return self._parse_other(first_byte, data[body:end])
        except (IndexError, UnicodeDecodeError) as error:
            raise PacketError(f"malformed packet of type {first_byte >> 4}: {error}") from error

    def _parse_publish(self, data: bytes, first_byte: int, body: int, end: int) -> Publish:
        qos = (first_byte >> 1) & 3
        if qos > 1:
            code = QOS_NOT_SUPPORTED if qos == 2 else MALFORMED
            raise PacketError(f"PUBLISH with QoS {qos}, which was not granted", code)
        at = body + 2 + (data[body] << 8 | data[body + 1])
        # A topic that is not UTF-8 becomes one that the topic rules refuse, and is kept as such.
        topic = data[body + 2 : at].decode("utf-8", "replace")
        packet_id = 0
        if qos:
            packet_id = data[at] << 8 | data[at + 1]
            if not packet_id:
                raise PacketError("packet identifier 0")
            at += 2
        if self._version == MQTT_5:
            at = self._skip_properties(data, at, end)
        if at > end:
            raise PacketError("PUBLISH is shorter than its topic and properties")
        size_bytes = end - at
        flags = (bool(first_byte & 1), bool(first_byte & 8))
        if size_bytes <= self._payload_size_max_bytes:
            return Publish(topic, data[at:end], packet_id, *flags, size_bytes)
        self._digest = sha256(data[at:end])
        kept = data[at : at + self._payload_kept_bytes]
        return Publish(topic, kept, packet_id, *flags, size_bytes, self._digest.digest())

    def _skip_properties(self, data: bytes, at: int, end: int) -> int:
        """Return where the payload begins; properties of a message change nothing here."""
        properties = read_length(data, at, end)
        if properties is None:
            raise PacketError("PUBLISH ends inside its properties")
        return properties[1] + properties[0]

    @abstractmethod
    def _check_other(self, first_byte: int, size_bytes: int) -> None:
        """Refuse at once what may not come, rather than wait for the rest of it.

        Raises:
            PacketError: if it may not.
        """

    @abstractmethod
    def _parse_other(self, first_byte: int, body: bytes) -> OtherT:
        """Return a packet that is no PUBLISH; IndexError and UnicodeDecodeError mean malformed."""


def encode_text(text: str) -> bytes:
    """Return ``text`` as MQTT writes it (1.5.4); ValueError if it is too long."""
    encoded = text.encode()
    if len(encoded) > _TOPIC_BYTES_MAX:
        raise ValueError(f"MQTT strings have at most {_TOPIC_BYTES_MAX} bytes")
    return len(encoded).to_bytes(2, "big") + encoded


def encode_length(value: int) -> bytes:
    """Return a variable byte integer (1.5.5)."""
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def read_length(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return the variable byte integer at ``start`` and where it ends; ``None`` if it is cut."""
    if start < end and data[start] < 0x80:  # as most are: one byte
        return data[start], start + 1
    value = shift = 0
    for at in range(start, min(end, start + _LENGTH_BYTES_MAX)):
        value |= (data[at] & 0x7F) << shift
        if not data[at] & 0x80:
            return value, at + 1
        shift += 7
    if end - start >= _LENGTH_BYTES_MAX:
        raise PacketError("length field longer than four bytes: this is not MQTT")
    return None
