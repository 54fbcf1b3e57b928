"""The listening socket and everybody who is connected to it. Owns limits, fairness and the stop.

What a publisher may cost is bounded before it has said who it is: how many connections there are,
how fast they come, how long a greeting may take, how much of unfinished packets is kept.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast
from uuid import uuid4

from edge.config import ListenerConfig
from edge.errors import LogError
from edge.ingest.intake import Intake
from edge.ingest.listener.accounts import PublisherAccounts, TooBusyError
from edge.ingest.listener.accounts_file import PublisherAccount
from edge.ingest.listener.connection import Pause, PublisherConnection
from edge.ingest.listener.counts import ListenerCounts
from edge.ingest.listener.endings import Ending
from edge.ingest.listener.packets import Code, Connect
from edge.ingest.listener.rights import PublishRights
from edge.ingest.listener.session import State, Terms
from edge.ingest.listener.session_book import KeptSession, SessionBook, SessionKey
from edge.ingest.listener.session_file import SessionFile
from edge.ingest.listener.settings import open_door, server_context
from edge.ingest.listener.wills import PendingWills
from edge.ingest.stream import MQTT_5, Publish
from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.logs import get_log
from shared.web.limits import WindowLimiter

READ_BUFFER_BYTES: Final = 65_536  # one read, and what is parsed before the loop turns
HELD_BYTES_MAX: Final = 67_108_864  # of unfinished packets, all publishers together
SWEEP_EVERY_S: Final = 1.0
CLOSE_TIMEOUT_S: Final = 5.0  # to take in the last words; then the socket is let go
_ADDRESSES_MAX: Final = 10_000  # whose connects are counted
_RETRY_ACCEPT_S: Final = 0.1
_NEVER_S: Final = float("inf")
_BACKLOG: Final = 1_024
_REMIND_S: Final = 60.0  # a refusal of the same kind is logged this often


class DurableListener:
    """Accepts publishers; run ``run`` in a task. What is answered with PUBACK is on disk."""

    def __init__(
        self,
        config: ListenerConfig,
        terms: Terms,
        *,
        site: str,
        intake: Intake,
        sessions: SessionFile,
        clock: Clock,
    ) -> None:
        """Read the accounts and certificates.

        Raises:
            ConfigurationError: if a file that ``config`` names cannot be used.
        """
        assert config.accounts_file is not None
        self.counts = ListenerCounts()
        self.listening = asyncio.Event()
        self.port = config.port
        self.view = memoryview(bytearray(READ_BUFFER_BYTES))
        self.monotonic_s = clock.monotonic_s
        self._config = config
        self._terms = terms
        self._site = site
        self._intake = intake
        self._clock = clock
        self._accounts = PublisherAccounts(config.accounts_file, clock)
        self._tls = server_context(config)
        self._file = sessions
        self._sessions = SessionBook(sessions.read())
        self._wills = PendingWills()
        self._connections: dict[PublisherConnection, float] = {}  # and when it was told to go
        self._by_key: dict[SessionKey, PublisherConnection] = {}
        self._held_bytes = 0
        self._reads = 0
        self._is_held = False
        self._is_stopped = False
        self._connects = WindowLimiter(
            limit=config.connects_per_minute_max, window_s=60.0, keys_max=_ADDRESSES_MAX
        )
        self._said_s: dict[Ending, float] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._newcomers = 0  # sockets whose TLS is being agreed
        self._reports = get_log("listener")
        intake.on_relief(self._release)

    @property
    def connections(self) -> int:
        """Return how many sockets are open."""
        return len(self._connections)

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            ConfigurationError: if the address cannot be listened on.
        """
        host, port = self._config.host, self._config.port
        try:
            door = open_door(host, port, _BACKLOG)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigurationError(
                f"listener.port: cannot listen on {host}:{port}: {reason}"
            ) from error
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._accepting = tasks.create_task(self._accept_for_ever(door), name="accepting")
                tasks.create_task(self._sweep_for_ever(), name="listener sweep")
                self.listening.set()
                self._reports.info(
                    "listening for publishers", host=host, port=port, tls=self._tls is not None
                )
        finally:
            self._accounts.close()

    def stop_reading(self) -> None:
        """Take no connection and no message more; what was read can still be acknowledged."""
        self._is_stopped = True
        if self._accepting is not None:
            self._accepting.cancel()
        for connection in self._connections:
            connection.pause(Pause.STOP)

    def close(self) -> None:
        """Say goodbye to everybody and keep their sessions."""
        for connection in list(self._connections):
            connection.dismiss(Code.SHUTTING_DOWN, Ending.STOPPED)
        self._save_sessions(self._kept_sessions())

    # What connections ask for.

    def greeted(self, connection: PublisherConnection) -> None:
        """Judge a greeting in a task of its own."""
        assert self._tasks is not None
        connection.judging = self._tasks.create_task(
            self._judge(connection), name="listener sign-in"
        )

    def offer(self, connection: PublisherConnection, messages: Sequence[Publish]) -> None:
        """Hand messages to the intake; when it is full, nobody is read until there is room."""
        self._reads += 1
        connection.read_at = self._reads
        self.counts.messages += len(messages)
        self._intake.offer(messages, connection.acknowledges)
        if self._intake.is_full:
            self._hold()

    def holds(self, connection: PublisherConnection, held_bytes: int) -> None:
        """Keep the sum of unfinished packets within its limit."""
        self._held_bytes += held_bytes - connection.held_bytes
        grows = held_bytes > connection.held_bytes
        connection.held_bytes = held_bytes
        if grows and self._held_bytes > HELD_BYTES_MAX:
            connection.dismiss(Code.QUOTA_EXCEEDED, Ending.BUFFERS_FULL)

    def ended(self, connection: PublisherConnection) -> None:
        """Forget a connection; its last will is published if that is its end."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        self._held_bytes -= connection.held_bytes
        if connection.judging is not None:
            connection.judging.cancel()
        session, key = connection.session, connection.key
        ending = session.ending or Ending.LOST
        self._count_end(connection, ending)
        self.counts.redelivered += session.redelivered
        self.counts.subscriptions_refused += session.refused_subscriptions
        will, greeting = session.take_will(), session.greeting
        if key is None or greeting is None:
            return
        expiry_s = session.session_expiry_s
        if self._by_key.get(key) is connection:
            del self._by_key[key]
            self._sessions.close(key, expiry_s=expiry_s, now_ms=self._clock.utc_ms())
        if will is not None and greeting.will is not None:
            delay_s = min(greeting.will.delay_s, expiry_s)
            self._publish_wills(self._wills.add(key, will, self.monotonic_s() + delay_s))
            self._publish_wills(self._wills.due(self.monotonic_s()))

    # Coming in.

    async def _accept_for_ever(self, door: socket.socket) -> None:
        assert self._tasks is not None
        loop = asyncio.get_running_loop()
        with door:
            while True:
                try:
                    found, peer = await loop.sock_accept(door)
                except OSError as error:  # too many open files, or one that left already
                    self._reports.warning("a publisher cannot be let in", error=str(error))
                    await asyncio.sleep(_RETRY_ACCEPT_S)
                    continue
                connection = PublisherConnection(self, self._terms)
                connection.address = str(peer[0])
                ending = self._objection(connection.address)
                if ending is None:
                    self._newcomers += 1
                    self._tasks.create_task(self._let_in(connection, found), name="letting in")
                else:
                    self._count_end(connection, ending)
                    found.close()

    def _objection(self, address: str) -> Ending | None:
        if len(self._connections) + self._newcomers >= self._config.connections_max:
            return Ending.TOO_MANY_CONNECTIONS
        if not self._connects.take(address, self.monotonic_s()).allowed:
            return Ending.CONNECTS_TOO_FAST
        return None

    async def _let_in(self, connection: PublisherConnection, found: socket.socket) -> None:
        timeout_s = None if self._tls is None else self._config.greeting_timeout_s
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: connection, found, ssl=self._tls, ssl_handshake_timeout=timeout_s
            )
        except OSError:  # TLS that is none, not trusted or too slow, and sockets that are gone
            self._count_end(connection, Ending.NO_GREETING)
        finally:
            self._newcomers -= 1

    def began(self, connection: PublisherConnection, transport: asyncio.Transport) -> None:
        """Take a socket in that is ready for its greeting."""
        if self._is_stopped:
            transport.abort()
            return
        self._connections[connection] = _NEVER_S
        connection.certificate = _common_name(transport)
        if self._is_held:
            connection.pause(Pause.LOG)

    async def _judge(self, connection: PublisherConnection) -> None:
        greeting = connection.session.greeting
        assert greeting is not None
        try:
            account = await self._accounts.judge(
                greeting.username, greeting.password, connection.certificate, connection.address
            )
        except TooBusyError:
            connection.refuse(Code.SERVER_BUSY, Ending.BUSY)
            return
        connection.judging = None
        if account is None:
            connection.refuse(Code.BAD_LOGIN, Ending.BAD_LOGIN)
        elif connection.session.state is State.JUDGED:
            self._welcome(connection, greeting, account)

    def _welcome(
        self, connection: PublisherConnection, greeting: Connect, account: PublisherAccount
    ) -> None:
        rights = PublishRights(self._site, account.publishes_as)
        if greeting.will is not None and not rights.permits(greeting.will.topic):
            connection.refuse(Code.NOT_AUTHORIZED, Ending.NOT_PERMITTED)
            return
        given_id = None if greeting.client_id else f"given-{uuid4()}"
        if given_id is not None and not greeting.clean and greeting.version != MQTT_5:
            connection.refuse(Code.BAD_CLIENT_ID, Ending.BAD_CLIENT_ID)
            return
        key = (account.username, greeting.client_id or str(given_id))
        before = self._by_key.get(key)
        if before is not None:
            before.dismiss(Code.TAKEN_OVER, Ending.TAKEN_OVER)
            self.ended(before)
        self._wills.withdraw(key)
        connection.key = key
        self._by_key[key] = connection
        present = self._sessions.open(
            key,
            clean=greeting.clean,
            expiry_s=greeting.session_expiry_s,
            now_ms=self._clock.utc_ms(),
        )
        self.counts.accepted += 1
        connection.accept(rights, present=present, given_id=given_id)

    # Everybody at once.

    def _hold(self) -> None:
        if not self._is_held:
            self._is_held = True
            self.counts.pauses += 1
            for connection in self._connections:
                connection.pause(Pause.LOG)

    def _release(self) -> None:
        """Read again, first whoever was read longest ago."""
        if self._is_held:
            self._is_held = False
            for connection in sorted(self._connections, key=_read_at):
                connection.resume(Pause.LOG)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now_s = self.monotonic_s()
            self._sweep(now_s)
            self._publish_wills(self._wills.due(now_s))
            if self._sessions.has_changed:
                await asyncio.to_thread(self._save_sessions, self._kept_sessions())

    def _sweep(self, now_s: float) -> None:
        for connection, go_s in list(self._connections.items()):
            if connection.session.state is not State.ENDED and not self._is_stopped:
                if connection.ignores_answers:
                    self._lose_patience(connection, go_s, now_s)
                else:
                    self._connections[connection] = _NEVER_S
                    connection.watch(now_s)
            elif go_s == _NEVER_S:
                self._connections[connection] = now_s + CLOSE_TIMEOUT_S
            elif now_s >= go_s:
                connection.abort()

    def _lose_patience(self, connection: PublisherConnection, go_s: float, now_s: float) -> None:
        if go_s == _NEVER_S:
            self._connections[connection] = now_s + self._terms.packet_timeout_s
        elif now_s >= go_s:
            connection.dismiss(Code.QUOTA_EXCEEDED, Ending.SLOW_READER)

    def _publish_wills(self, wills: Iterable[Publish]) -> None:
        for will in wills:
            self.counts.wills += 1
            self._intake.offer((will,), _no_answer)

    def _kept_sessions(self) -> list[KeptSession]:
        self._sessions.has_changed = False
        return self._sessions.kept(self._clock.utc_ms())

    def _save_sessions(self, kept: list[KeptSession]) -> None:
        try:
            self._file.write(kept)
        except LogError as error:
            self._sessions.has_changed = True
            self._reports.warning("publishers' sessions cannot be kept", error=str(error))

    def _count_end(self, connection: PublisherConnection, ending: Ending) -> None:
        self.counts.end(ending)
        now_s = self.monotonic_s()
        if ending in (Ending.LEFT, Ending.STOPPED, Ending.LOST):
            return
        if now_s - self._said_s.get(ending, float("-inf")) >= _REMIND_S:
            self._said_s[ending] = now_s
            self._reports.warning(
                "a publisher was let go",
                reason=ending.value,
                address=connection.address,
                account=connection.key[0] if connection.key else None,
                such=self.counts.endings[ending.value],
            )


def _read_at(connection: PublisherConnection) -> int:
    return connection.read_at


def _no_answer(packet_ids: Sequence[int]) -> int:
    """Answer nobody: a last will has no sender any more."""
    return len(packet_ids)


def _common_name(transport: asyncio.Transport) -> str | None:
    """Return the common name of the client certificate that was verified, if there is one."""
    certificate: Any = transport.get_extra_info("peercert")
    if not isinstance(certificate, dict):
        return None
    subject = cast("dict[str, Any]", certificate).get("subject", ())
    return next((value for part in subject for name, value in part if name == "commonName"), None)
