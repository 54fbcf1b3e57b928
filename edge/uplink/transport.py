"""The connection to central: a WebSocket over TLS 1.3 with certificates on both sides.

Owns sockets, TLS and their limits. Knows frames only as bytes; who speaks when is decided in
edge.uplink.session.
"""

import asyncio
import contextlib
import os
import ssl
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from edge.config import UplinkConfig
from edge.errors import UplinkError
from shared.sync.frames import FRAME_SIZE_MAX_BYTES
from shared.tcp import TcpTuning, tune

WRITE_BUFFER_MAX_BYTES = 32_768  # in user space, and again below; what is in a buffer cannot
# be overtaken by anything more urgent
UNSENT_MAX_BYTES = 32_768  # in the kernel, beyond what is in flight on the link
CLOSE_TIMEOUT_S = 1.0  # a peer that does not answer a close is left
USER_AGENT = "headframe-edge"


class Connection(Protocol):
    """An open connection. Its methods raise `UplinkError` with the reason once it has ended."""

    @property
    def congestion(self) -> str | None:
        """The congestion control the kernel uses for it; None where nobody can say."""
        ...

    async def send(self, encoded: bytes) -> None:
        """Send one frame; return when the transport's buffer has room again."""
        ...

    async def receive(self) -> bytes:
        """Return the next frame's bytes."""
        ...

    async def close(self) -> None:
        """Say goodbye properly; waits for the peer no longer than CLOSE_TIMEOUT_S."""
        ...

    async def abort(self) -> None:
        """Let go of the socket at once; harmless after `close`."""
        ...


class Dial(Protocol):
    """Something that opens connections."""

    async def __call__(self) -> Connection:
        """Return an open connection.

        Raises:
            UplinkError: with the reason, fit for an operator.
        """
        ...


class BoundedWebSocket(aiohttp.ClientWebSocketResponse):
    """A WebSocket whose transport keeps little unsent data, set before the first byte.

    It also keeps hold of its HTTP response, the only way to the socket: aiohttp forgets to
    release the connection when reading from it fails.
    """

    def __init__(
        self,
        reader: Any,
        writer: Any,
        protocol: Any,
        response: aiohttp.ClientResponse,
        *more: Any,
        **options: Any,
    ) -> None:
        """Made by aiohttp, with what it likes to give."""
        super().__init__(reader, writer, protocol, response, *more, **options)
        self._upgraded = response
        transport = self._socket_transport
        if transport is not None:
            transport.set_write_buffer_limits(high=WRITE_BUFFER_MAX_BYTES)

    def abort(self) -> None:
        """Let go of the socket at once."""
        transport = self._socket_transport
        if transport is not None:
            transport.abort()
        self._upgraded.close()

    @property
    def _socket_transport(self) -> asyncio.Transport | None:
        connection = self._upgraded.connection
        return None if connection is None else connection.transport


class WebSocketDialer:
    """Opens connections as configured; certificates are read anew each time (they rotate)."""

    def __init__(self, config: UplinkConfig) -> None:
        """Keep ``config``; nothing is opened before the first call."""
        self._config = config
        self._tuning = TcpTuning(
            congestion=config.congestion,
            unsent_max_bytes=UNSENT_MAX_BYTES,
            silence_timeout_s=config.silence_timeout_s,
        )

    async def __call__(self) -> Connection:
        """Connect, verify central's certificate and name, and upgrade to a WebSocket."""
        url = self._config.url
        if url is None or not url.startswith("wss://"):
            raise UplinkError(f"uplink.url must be wss://host:port/path, got {url!r}")
        context = tls_context(self._config)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=1, force_close=True),
            ws_response_class=BoundedWebSocket,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
            timeout=aiohttp.ClientTimeout(total=None),  # the caller has one for the dialling only
        )
        try:
            websocket = await session.ws_connect(
                url,
                max_msg_size=FRAME_SIZE_MAX_BYTES,
                compress=0,  # bodies are compressed already
                autoping=True,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),  # pyright: ignore[reportCallIssue] an attrs class; attrs is not typed here
            )
        except BaseException as error:
            await session.close()
            if isinstance(error, aiohttp.ClientError | OSError | ssl.SSLError | ValueError):
                raise UplinkError(f"cannot connect to {url}: {_reason(error)}") from error
            raise
        assert isinstance(websocket, BoundedWebSocket), "as the session was told to make"
        congestion = tune(websocket.get_extra_info("socket"), self._tuning)
        return WebSocketConnection(session, websocket, congestion)


class WebSocketConnection:
    """One open WebSocket and the client session that carries it."""

    def __init__(
        self, session: aiohttp.ClientSession, websocket: BoundedWebSocket, congestion: str | None
    ) -> None:
        """Take ownership of both; ``congestion`` is what the kernel uses."""
        self.congestion = congestion
        self._session = session
        self._websocket = websocket

    async def send(self, encoded: bytes) -> None:
        """See `Connection`."""
        try:
            await self._websocket.send_bytes(encoded)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            raise UplinkError(f"connection lost: {_reason(error)}") from error

    async def receive(self) -> bytes:
        """See `Connection`."""
        try:
            message = await self._websocket.receive()
        except (aiohttp.ClientError, OSError) as error:
            raise UplinkError(f"connection lost: {_reason(error)}") from error
        if message.type is aiohttp.WSMsgType.BINARY:
            return bytes(message.data)
        if message.type is aiohttp.WSMsgType.TEXT:
            raise UplinkError("central sent text where frames are binary")
        if message.type is aiohttp.WSMsgType.ERROR:
            raise UplinkError(f"connection lost: {_reason(message.data)}")
        code = self._websocket.close_code
        raise UplinkError("connection lost" if code in {None, 1006} else f"closed, code {code}")

    async def close(self) -> None:
        """See `Connection`."""
        with contextlib.suppress(aiohttp.ClientError, OSError, RuntimeError):
            await self._websocket.close()
        await self._session.close()

    async def abort(self) -> None:
        """See `Connection`."""
        self._websocket.abort()
        await self._session.close()


def tls_context(config: UplinkConfig) -> ssl.SSLContext:
    """Return a context that verifies central and shows this edge's certificate.

    Raises:
        UplinkError: naming the key of the configuration whose file cannot be used.
    """
    ca_file = None if config.ca_file is None else str(config.ca_file)  # None: the system's
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    except (OSError, ssl.SSLError) as error:
        raise UplinkError(f"uplink.ca_file {config.ca_file}: {_reason(error)}") from error
    if config.cert_file is not None:
        _load_certificate(context, config.cert_file, config.key_file)
    return context


def _load_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    try:
        context.load_cert_chain(cert_file, key_file)
    except (OSError, ssl.SSLError) as error:
        files = f"uplink.cert_file {cert_file} and uplink.key_file {key_file}"
        raise UplinkError(f"{files}: {_reason(error)}") from error


def _reason(error: object) -> str:
    """Return a sentence without addresses in memory or nested exception names."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"central answered HTTP {error.status} to the upgrade"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"certificate refused: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno  # its own text is the address once more
        if number is not None and number > 0:  # errors of the resolver are negative
            return os.strerror(number)
        return str(error.os_error.strerror or error.os_error)
    return str(error) or type(error).__name__
