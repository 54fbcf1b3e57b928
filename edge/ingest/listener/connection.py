"""One publisher's socket: bytes to the session and back. Owns when it is read, nothing else."""

import asyncio
from collections.abc import Sequence
from enum import IntFlag
from typing import Protocol, cast

from edge.ingest.listener.endings import Ending
from edge.ingest.listener.packets import Code
from edge.ingest.listener.rights import PublishRights
from edge.ingest.listener.session import PublisherSession, State, Terms
from edge.ingest.listener.session_book import SessionKey
from edge.ingest.stream import Publish

# PUBACKs that a publisher does not read: 16,000 of them, then it is not read either.
UNREAD_ANSWERS_MAX_BYTES = 65_536


class Pause(IntFlag):
    """Why a publisher is not read; it is read when none is left."""

    LOG = 1  # everybody waits for the disk
    IN_FLIGHT = 2  # enough of its messages wait for their commit
    ANSWERS = 4  # it does not read what it is told
    JUDGED = 8  # its greeting is being judged
    STOP = 16


class Surroundings(Protocol):
    """What a connection asks of the listener."""

    view: memoryview  # one read buffer for all: a read is taken in before the next one begins

    def monotonic_s(self) -> float:
        """Return the time."""
        ...

    def began(self, connection: "PublisherConnection", transport: asyncio.Transport) -> None:
        """Let the socket in as far as its greeting, or close it."""
        ...

    def greeted(self, connection: "PublisherConnection") -> None:
        """Judge the greeting; later call ``accept`` or ``refuse``."""
        ...

    def offer(self, connection: "PublisherConnection", messages: Sequence[Publish]) -> None:
        """Make ``messages`` durable; later call ``acknowledge``."""
        ...

    def holds(self, connection: "PublisherConnection", held_bytes: int) -> None:
        """Note how much of an unfinished packet is kept for the connection."""
        ...

    def ended(self, connection: "PublisherConnection") -> None:
        """Forget the connection."""
        ...


class PublisherConnection(asyncio.BufferedProtocol):
    """One socket. All methods run on the loop; none blocks or raises."""

    def __init__(self, around: Surroundings, terms: Terms) -> None:
        self.session = PublisherSession(terms, around.monotonic_s())
        self.address = ""
        self.certificate: str | None = None  # common name of a verified client certificate
        self.key: SessionKey | None = None
        self.held_bytes = 0
        self.read_at = 0  # in the order of all reads: who was read longest ago goes first
        self.acknowledges = self.acknowledge  # one bound method: receipts are grouped by it
        self.judging: asyncio.Task[None] | None = None
        self._around = around
        self._in_flight_max = terms.in_flight_max
        self._transport: asyncio.Transport | None = None
        self._pauses = Pause(0)
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the socket, or its encrypted form."""
        is_new = self._transport is None
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._transport.set_write_buffer_limits(high=UNREAD_ANSWERS_MAX_BYTES)
        if is_new:
            self._around.began(self, self._transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer that the next read fills."""
        del sizehint
        return self._around.view

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        session, around = self.session, self._around
        was_greeting = session.state is State.GREETING
        messages = session.receive(bytes(around.view[:nbytes]), around.monotonic_s())
        if messages:
            around.offer(self, messages)
        if was_greeting and session.state is State.JUDGED:
            self.pause(Pause.JUDGED)
            around.greeted(self)
        self._settle()

    def accept(self, rights: PublishRights, *, present: bool, given_id: str | None) -> None:
        """Let the publisher in."""
        if self.session.state is not State.JUDGED:
            return
        messages = self.session.accept(
            rights, session_present=present, given_id=given_id, now_s=self._around.monotonic_s()
        )
        if messages:
            self._around.offer(self, messages)
        self.resume(Pause.JUDGED)
        self._settle()

    def refuse(self, code: Code, ending: Ending) -> None:
        """Turn the publisher away."""
        self.session.refuse(code, ending)
        self._settle()

    def dismiss(self, code: Code, ending: Ending) -> None:
        """End the connection and say why."""
        self.session.dismiss(code, ending)
        self._settle()

    def watch(self, now_s: float) -> None:
        """End the connection if nothing came for too long, though it was listened to."""
        if self._pauses & ~Pause.JUDGED == 0:
            self.session.watch(now_s)
            self._settle()

    def acknowledge(self, packet_ids: Sequence[int]) -> int:
        """Answer what is durable; return how many were answered."""
        session = self.session
        answered = session.acknowledge(packet_ids)
        if answered:
            self._write()
            if (
                self._pauses & Pause.IN_FLIGHT
                and self.session.in_flight <= self._in_flight_max // 2
            ):
                self.resume(Pause.IN_FLIGHT)
        return answered

    def pause(self, why: Pause) -> None:
        """Read no more until ``resume`` is called for the same reason."""
        if not self._pauses and self._transport is not None and not self._is_over:
            self._transport.pause_reading()
        self._pauses |= why

    def resume(self, why: Pause) -> None:
        """Read again, unless there is another reason not to."""
        if not self._pauses & why:
            return
        self._pauses &= ~why
        if not self._pauses and self._transport is not None and not self._is_over:
            self.session.resumed(self._around.monotonic_s())
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Wait with a publisher that does not read what it is told."""
        self.pause(Pause.ANSWERS)

    def resume_writing(self) -> None:
        """Go on with it."""
        self.resume(Pause.ANSWERS)

    @property
    def ignores_answers(self) -> bool:
        """Tell whether the publisher does not read what it is told."""
        return bool(self._pauses & Pause.ANSWERS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        del exc
        self._is_over = True
        self.session.lose()
        self._around.ended(self)

    def abort(self) -> None:
        """Let go of the socket at once, whatever is still to be written."""
        if self._transport is not None:
            self._transport.abort()

    def _settle(self) -> None:
        """Write what is to be said; note what is held; close after the end."""
        session = self.session
        if session.has_output:
            self._write()
        if session.state is State.ENDED:
            if not self._is_over and self._transport is not None:
                self._is_over = True
                self._transport.close()
            return
        if session.held_bytes != self.held_bytes:
            self._around.holds(self, session.held_bytes)
        if session.in_flight >= self._in_flight_max:
            self.pause(Pause.IN_FLIGHT)

    def _write(self) -> None:
        output = self.session.take_output()
        if output and self._transport is not None and not self._transport.is_closing():
            self._transport.write(output)
