"""One connection to the broker, from CONNECT until it is lost. Owns the socket and nothing else.

It hands messages to the intake and sends acknowledgements when told to; whether and when to connect
again is the reader's business (``mqtt.py``).
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, assert_never, cast

from edge.errors import BrokerError, PacketError
from edge.ingest.intake import Intake
from edge.ingest.routing import DROPPED_TOPIC, SUBSCRIPTION
from edge.ingest.stream import Publish, encode_pubacks
from edge.ingest.wire import (
    DISCONNECT,
    PINGREQ,
    Connack,
    Packet,
    PacketReader,
    Pingresp,
    ServerDisconnect,
    Suback,
    encode_subscribe,
)
from edge.metrics import IngestCounts

# One read is at most this, and so is what is parsed before the loop turns: about 300 messages.
READ_BUFFER_BYTES: Final = 32_768
_SUBSCRIBE_ID: Final = 1  # the only packet identifier that the edge itself ever uses
REFUSED_FROM: Final = 0x80  # a SUBACK code of this or more is a refusal

_COUNT_DIGITS_MAX: Final = 18

CONNACK_REFUSALS: Final = {
    1: "it does not speak this version of MQTT",
    2: "it rejects the client identifier",
    3: "it is unavailable",
    4: "user name or password is wrong",
    5: "the account is not authorised",
    0x84: "it does not speak this version of MQTT",
    0x85: "it rejects the client identifier",
    0x86: "user name or password is wrong",
    0x87: "the account is not authorised",
    0x88: "it is unavailable",
    0x89: "it is busy",
    0x8A: "the client is banned",
    0x97: "its quota is exceeded",
    0x9F: "connections come too fast",
}


def subscription(version: int, *, watches_drops: bool) -> bytes:
    """Return the SUBSCRIBE of the edge; ``watches_drops``: also to the broker's own count."""
    filters = [(SUBSCRIPTION, 1)]
    if watches_drops:
        filters.append((DROPPED_TOPIC, 0))
    return encode_subscribe(version=version, packet_id=_SUBSCRIBE_ID, filters=filters)


class Stage(StrEnum):
    """How far a connection has come."""

    GREETING = "greeting"  # CONNECT is sent
    SUBSCRIBING = "subscribing"  # accepted; messages of an old session may already arrive
    READING = "reading"
    LOST = "lost"


class BrokerConnection(asyncio.BufferedProtocol):
    """Speaks MQTT over one transport. All methods run on the loop; none blocks or raises."""

    def __init__(
        self,
        *,
        connect: bytes,
        subscribe: bytes,
        reader: PacketReader,
        intake: Intake,
        counts: IngestCounts,
        monotonic_s: Callable[[], float],
    ) -> None:
        """``connect`` and ``subscribe`` are the packets to greet with; see ``subscription``."""
        self.stage = Stage.GREETING
        self.error: str | None = None  # why it was lost
        self.session_present = False
        self.keepalive_s: int | None = None  # the broker's own wish
        self.connack: Connack | None = None  # its whole answer
        self.progress = asyncio.Event()  # set at every change of stage
        self._connect = connect
        self._subscribe = subscribe
        self._reader = reader
        self._intake = intake
        self._counts = counts
        self._monotonic_s = monotonic_s
        self._buffer = bytearray(READ_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._transport: asyncio.Transport | None = None
        self._unacknowledged: set[int] = set()
        self._is_paused = False
        self._is_stopped = False
        self._received_s = self._sent_s = monotonic_s()
        self._acknowledge = self.acknowledge  # one bound method: receipts are grouped by it

    @property
    def is_reading(self) -> bool:
        """Tell whether messages come in.

        A broker that resumes a session sends its backlog at once and may put the SUBACK behind it:
        minutes later, where the backlog is long.
        """
        resumes = self.stage is Stage.SUBSCRIBING and self.session_present
        return resumes or self.stage is Stage.READING

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send CONNECT."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._send(self._connect)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer that the next read fills."""
        del sizehint
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        self._received_s = self._monotonic_s()
        try:
            messages = list(self._messages_of(self._reader.feed(bytes(self._view[:nbytes]))))
        except (BrokerError, PacketError) as error:
            self.fail(str(error))
            return
        if messages:
            self._intake.offer(messages, self._acknowledge)
            if self._intake.is_full:
                self._pause()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why; everything unacknowledged will be delivered again."""
        if self.error is None:
            self.error = str(exc) if exc is not None else "the broker closed the connection"
        self._advance(Stage.LOST)

    def acknowledge(self, packet_ids: Sequence[int]) -> int:
        """Send PUBACKs; return how many, 0 if this connection is gone."""
        if self.stage is Stage.LOST or self._transport is None:
            self._counts.stale_acks += len(packet_ids)
            return 0
        self._unacknowledged.difference_update(packet_ids)
        self._send(encode_pubacks(packet_ids))
        return len(packet_ids)

    def resume(self) -> None:
        """Read again after the intake was full."""
        if self._is_paused and not self._is_stopped and self._transport is not None:
            self._is_paused = False
            self._received_s = self._monotonic_s()  # silence while not listening proves nothing
            self._transport.resume_reading()

    def stop_reading(self) -> None:
        """Read no more; what was read can still be acknowledged."""
        self._is_stopped = True
        if not self._is_paused and self._transport is not None and self.stage is not Stage.LOST:
            self._is_paused = True
            self._transport.pause_reading()

    def watch(self, keepalive_s: float) -> None:
        """Send PINGREQ when it is time; give up after one and a half keepalives of silence."""
        now_s = self._monotonic_s()
        if not self._is_paused and now_s - self._received_s > keepalive_s * 1.5:
            self.fail(f"the broker was silent for {now_s - self._received_s:.0f} s")
        elif now_s - min(self._sent_s, self._received_s) >= keepalive_s / 2:
            self._send(PINGREQ)

    def close(self) -> None:
        """Say goodbye; the session stays at the broker."""
        self._is_stopped = True
        if self._transport is not None and self.stage is not Stage.LOST:
            self._send(DISCONNECT)
            self._transport.close()

    def fail(self, error: str) -> None:
        """Give the connection up because of ``error``."""
        if self.error is None:
            self.error = error
        if self._transport is not None:
            self._transport.abort()

    def _messages_of(self, packets: Iterable[Packet]) -> Iterator[Publish]:
        """Yield the messages for the intake; react to everything else."""
        for packet in packets:
            match packet:
                case Publish():
                    if self._is_for_intake(packet):
                        yield packet
                case Connack():
                    self._take_connack(packet)
                case Suback():
                    self._take_suback(packet)
                case ServerDisconnect():
                    raise BrokerError(f"the broker ended the connection, code {packet.code:#x}")
                case Pingresp():
                    pass
                case _:
                    assert_never(packet)

    def _is_for_intake(self, message: Publish) -> bool:
        """Tell a new message from a copy of one that waits for its commit, and from a count.

        Answering a copy too would acknowledge the next message with its identifier, unread.
        """
        if message.packet_id in self._unacknowledged:
            self._counts.redelivered += 1
            return False
        if message.packet_id:
            self._unacknowledged.add(message.packet_id)
        elif message.topic == DROPPED_TOPIC:
            self._take_dropped(message)
            return False
        return True

    def _take_connack(self, packet: Connack) -> None:
        if self.stage is not Stage.GREETING:
            raise BrokerError("a second CONNACK")
        if packet.code != 0:
            meaning = packet.reason or CONNACK_REFUSALS.get(packet.code, "no reason given")
            raise BrokerError(f"the broker refused the edge with code {packet.code}: {meaning}")
        self.session_present, self.keepalive_s = packet.session_present, packet.keepalive_s
        self.connack = packet
        self._send(self._subscribe)
        self._advance(Stage.SUBSCRIBING)

    def _take_suback(self, packet: Suback) -> None:
        granted = packet.codes[0] if packet.codes else REFUSED_FROM
        if granted >= REFUSED_FROM:
            raise BrokerError(f"the broker refused the subscription to {SUBSCRIPTION}")
        if granted == 0:
            raise BrokerError("the broker grants QoS 0 only: it could lose messages unseen")
        self._advance(Stage.READING)

    def _take_dropped(self, packet: Publish) -> None:
        if packet.payload.isdigit():
            self._counts.broker_dropped = int(packet.payload[:_COUNT_DIGITS_MAX])
            self._counts.drops_told += 1

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._counts.pauses += 1
            self._transport.pause_reading()

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._sent_s = self._monotonic_s()
            self._transport.write(data)

    def _advance(self, stage: Stage) -> None:
        self.stage = stage
        self.progress.set()
