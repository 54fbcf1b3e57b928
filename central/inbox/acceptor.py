"""Where edges dial in: a WebSocket route on its own TLS server, and who is connected.

Owns TLS, the identity taken from the client certificate, and the table of live sessions. What
is said on a connection is performed in central.inbox.conversation.
"""

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final, assert_never, cast

from aiohttp import WSMsgType, web

from central.config import SyncConfig
from central.errors import CentralError, ConnectionEndedError
from central.inbox import events
from central.inbox.admission import (
    AdmissionLimits,
    Holder,
    Place,
    Verdict,
    alive_after_s,
    judge_newcomer,
)
from central.inbox.conversation import Conversation, Surroundings
from central.inbox.events import EdgeIdentity
from central.inbox.ports import InboxStore
from central.inbox.session import InboxSession, SessionLimits
from central.metrics import SyncMetrics
from shared.clock import Clock
from shared.ids import is_name
from shared.logs import get_log
from shared.sync.frames import FRAME_SIZE_MAX_BYTES, Hello, RefuseCode
from shared.tcp import TcpTuning, tune

SYNC_PATH: Final = "/sync/v1"
CONNECTIONS_PER_EDGE = 2  # an urgent and a bulk one
GREETING_CONNECTIONS_MAX = 64  # connections without a session yet, beside those that have one
TLS_HANDSHAKE_TIMEOUT_S = 15.0  # five round trips of a bad satellite
CLOSE_TIMEOUT_S = 1.0  # a peer that does not answer a close is left
STOP_TIMEOUT_S = 4.0  # for all sessions to say goodbye when central stops
WRITE_BUFFER_MAX_BYTES = 65_536  # acks and pongs only
LISTEN_BACKLOG = 256  # a hundred edges that come back at once after an outage

_log = get_log("inbox")


class SyncAcceptor:
    """The live sessions of this process and the handler that makes new ones."""

    def __init__(
        self, config: SyncConfig, store: InboxStore, clock: Clock, metrics: SyncMetrics
    ) -> None:
        """Nothing is accepted before `handle` is routed to."""
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._open: set[Conversation] = set()
        self._live: dict[Place, tuple[Conversation, Hello]] = {}
        self._surroundings = Surroundings(store, clock, metrics, self._admit, random.random)

    @property
    def live(self) -> Mapping[EdgeIdentity, str]:
        """The edges that have a session here, with their install_uuids."""
        return {place.edge: hello.install_uuid for place, (_, hello) in self._live.items()}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection from upgrade to end.

        Raises:
            HTTPForbidden: the certificate names no edge. HTTPServiceUnavailable: too many
                connections.
        """
        identity = identity_of(_peer_certificate(request))
        if identity is None:
            raise web.HTTPForbidden(text="the client certificate must be issued to site/edge_id")
        limit = CONNECTIONS_PER_EDGE * self._config.sessions_max + GREETING_CONNECTIONS_MAX
        if len(self._open) >= limit:
            raise web.HTTPServiceUnavailable(text="too many connections")
        websocket = web.WebSocketResponse(
            max_msg_size=FRAME_SIZE_MAX_BYTES,
            compress=False,
            autoping=True,
            timeout=CLOSE_TIMEOUT_S,
        )
        await websocket.prepare(request)
        await self._converse(identity, WebSocketConnection(request, websocket))
        return websocket

    async def stop(self) -> None:
        """Say goodbye to every edge; returns when all are gone, or after STOP_TIMEOUT_S."""
        for conversation in self._open:
            conversation.tell(events.StopRequested())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                while self._open:
                    await next(iter(self._open)).ended.wait()

    async def _converse(self, identity: EdgeIdentity, connection: "WebSocketConnection") -> None:
        limits = SessionLimits(
            credit_bytes=self._config.credit_bytes,
            silence_timeout_s=self._config.silence_timeout_s,
        )
        session = InboxSession(identity, limits, self._clock.monotonic_s())
        conversation = Conversation(session, connection, self._surroundings)
        self._open.add(conversation)
        self._metrics.connections.set(len(self._open))
        try:
            await conversation.run()
        except Exception:  # noqa: BLE001 one edge's trouble; the others go on
            _log.exception("a conversation failed", edge=str(identity))
        finally:
            self._open.discard(conversation)
            self._metrics.connections.set(len(self._open))
            for place, (holder, _) in list(self._live.items()):
                if holder is conversation:
                    del self._live[place]

    async def _admit(self, newcomer: Conversation, hello: Hello) -> events.Denied | None:
        """Give ``newcomer`` its place among the live, or say why not."""
        identity, limit = newcomer.session.identity, self._config.sessions_max
        place = Place(identity, hello.role)
        live = {
            held: Holder(other.install_uuid, other.boot_id, holder.session.heard_s)
            for held, (holder, other) in self._live.items()
        }
        own = Holder(hello.install_uuid, hello.boot_id, self._clock.monotonic_s())
        limits = AdmissionLimits(limit, alive_after_s(self._config.silence_timeout_s))
        judgement = judge_newcomer(live, place, own, limits=limits)
        match judgement.verdict:
            case Verdict.DUPLICATE:
                detail = f"another installation, or a copy of this one, is connected as {identity}"
                return events.Denied(RefuseCode.DUPLICATE_IDENTITY, detail)
            case Verdict.BUSY:
                return events.Denied(RefuseCode.BUSY, f"{limit} edges are connected")
            case Verdict.ADMIT:
                incumbents = [self._live.pop(held)[0] for held in judgement.taken_over]
                self._live[place] = (newcomer, hello)
                for incumbent in incumbents:
                    await incumbent.give_way()
            case _:
                assert_never(judgement.verdict)
        return None


class WebSocketConnection:
    """`EdgeConnection` over aiohttp."""

    def __init__(self, request: web.Request, websocket: web.WebSocketResponse) -> None:
        """``websocket`` must be prepared."""
        self._websocket = websocket
        self._transport = request.transport
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=WRITE_BUFFER_MAX_BYTES)

    async def send(self, encoded: bytes) -> None:
        """See `EdgeConnection`."""
        try:
            await self._websocket.send_bytes(encoded)
        except (OSError, RuntimeError) as error:
            raise ConnectionEndedError(str(error)) from error

    async def receive(self) -> bytes:
        """See `EdgeConnection`; text where frames are binary ends the connection."""
        message = await self._websocket.receive()
        if message.type is not WSMsgType.BINARY:
            raise ConnectionEndedError(f"closed, code {self._websocket.close_code}")
        return cast("bytes", message.data)

    async def close(self) -> None:
        """See `EdgeConnection`."""
        with contextlib.suppress(OSError, RuntimeError):
            await self._websocket.close()

    def abort(self) -> None:
        """See `EdgeConnection`."""
        # Of a connection that is lost already, asyncio's TLS transport (Python 3.11.2) has let go
        # of what `abort` needs; uvloop's has not.
        if self._transport is not None:
            with contextlib.suppress(AttributeError):
                self._transport.abort()


def identity_of(certificate: Mapping[str, Any] | None) -> EdgeIdentity | None:
    """Return who a verified certificate (as `ssl.SSLSocket.getpeercert`) is issued to.

    Its common name must be ``site/edge_id``; None for anything else.
    """
    subject: Sequence[Sequence[tuple[str, str]]] = (certificate or {}).get("subject", ())
    names = [value for part in subject for key, value in part if key == "commonName"]
    parts = names[0].split("/") if len(names) == 1 else []
    return EdgeIdentity(*parts) if len(parts) == 2 and all(map(is_name, parts)) else None


def _peer_certificate(request: web.Request) -> Mapping[str, Any] | None:
    return None if request.transport is None else request.transport.get_extra_info("peercert")


def tls_context(config: SyncConfig) -> ssl.SSLContext:
    """Return a context that shows central's certificate and demands one of the edges' CA.

    Raises:
        CentralError: naming the key of the configuration whose file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(config.cert_file, config.key_file)
    except (OSError, ssl.SSLError) as error:
        files = f"sync.cert_file {config.cert_file} and sync.key_file {config.key_file}"
        raise CentralError(f"{files}: {error}") from error
    try:
        context.load_verify_locations(config.client_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise CentralError(f"sync.client_ca_file {config.client_ca_file}: {error}") from error
    return context


class SyncListener:
    """A running listener: where it listens and who is connected."""

    def __init__(self, server: asyncio.Server, acceptor: SyncAcceptor) -> None:
        """Made by `start_sync_listener`."""
        self.port: int = server.sockets[0].getsockname()[1]
        self._acceptor = acceptor

    @property
    def live(self) -> Mapping[EdgeIdentity, str]:
        """The edges that have a session here, with their install_uuids."""
        return self._acceptor.live


@contextlib.asynccontextmanager
async def start_sync_listener(
    config: SyncConfig, store: InboxStore, clock: Clock, metrics: SyncMetrics
) -> AsyncGenerator[SyncListener]:
    """Listen for edges for the length of the block; at its end say goodbye to them.

    Raises:
        CentralError: the certificates cannot be used, or the address cannot be listened on.
    """
    context = tls_context(config)
    acceptor = SyncAcceptor(config, store, clock, metrics)
    application = web.Application()
    application.router.add_get(SYNC_PATH, acceptor.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        server = await _listen(config, runner, context)
    except OSError as error:
        await runner.cleanup()
        where = f"{config.host}:{config.port}"
        raise CentralError(f"sync.port: cannot listen on {where}: {error.strerror}") from error
    listener = SyncListener(server, acceptor)
    congestion = _tune(config, server)
    _log.info("listening for edges", host=config.host, port=listener.port, congestion=congestion)
    try:
        yield listener
    finally:
        server.close()
        await acceptor.stop()
        await runner.cleanup()


def _tune(config: SyncConfig, server: asyncio.Server) -> str | None:
    """Prepare what is accepted for the link; return the congestion control in use."""
    tuning = TcpTuning(
        congestion=config.congestion,
        unsent_max_bytes=WRITE_BUFFER_MAX_BYTES,
        silence_timeout_s=config.silence_timeout_s,
    )
    in_use = [tune(listening, tuning) for listening in server.sockets]
    return in_use[0]


async def _listen(
    config: SyncConfig, runner: web.AppRunner, context: ssl.SSLContext
) -> asyncio.Server:
    assert runner.server is not None, "the runner is set up"
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        runner.server,
        config.host,
        config.port,
        ssl=context,
        ssl_handshake_timeout=TLS_HANDSHAKE_TIMEOUT_S,
        backlog=LISTEN_BACKLOG,
        family=socket.AF_UNSPEC,
    )
