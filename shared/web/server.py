"""The HTTP server around an application: its port, its limits, and answers to what is not HTTP.

aiohttp answers a request that it cannot parse before any application sees it. Here these answers
get the envelope and the headers that all others have.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from shared.errors import ApiError, ConfigurationError
from shared.logs import get_log
from shared.web.admission import Admission
from shared.web.context import PARTS
from shared.web.middleware import SECURITY_HEADERS, error_response, internal_error

_log = get_log("web")

IDLE_TIMEOUT_S = 75.0  # without a whole request; browsers and proxies keep connections a minute
SHUTDOWN_TIMEOUT_S = 2.0  # for answers under way; every process stops within 5
LINGERING_S = 2.0  # reads what a refused client still sends, so that it can read the refusal
BACKLOG = 512
HEADER_LINE_MAX_BYTES = 16_384  # a token has 1.5 kB
HEADERS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to listen; with certificate and key: TLS."""

    host: str
    port: int
    cert_file: Path | None = None
    key_file: Path | None = None


class FrontProtocol(RequestHandler):
    """aiohttp's connection, answering in our shape what no application could answer."""

    __slots__ = ("_admission",)

    def __init__(self, server: "FrontServer") -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=IDLE_TIMEOUT_S,
            lingering_time=LINGERING_S,
            max_line_size=HEADER_LINE_MAX_BYTES,
            max_field_size=HEADER_LINE_MAX_BYTES,
            max_headers=HEADERS_MAX,
            access_log=None,  # pyright: ignore[reportArgumentType] None switches it off, the annotation forgets it
        )
        self._admission = server.admission

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - of the parser, for whoever wrote it
    ) -> web.StreamResponse:
        """Return the answer to a request that could not be parsed, or that broke the front."""
        visit = self._admission.admit(address=request.remote, authorization=None, request_id=None)
        if status == 400:
            error = ApiError(400, "this is not a valid HTTP request")
        else:
            _log.error("front failed", request_id=visit.request_id, exc_info=exc)
            error = internal_error(visit.request_id)
        response = error_response(error)
        self._admission.stamp(response.headers, visit)
        response.headers.update(SECURITY_HEADERS)
        response.force_close()
        return response


class FrontServer(web.Server):
    """Makes a :class:`FrontProtocol` for every connection."""

    admission: Admission

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return FrontProtocol(self)


class FrontRunner(web.AppRunner):
    """aiohttp's runner with our server in it."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = FrontServer(made.request_handler, request_factory=made.request_factory)
        server.admission = self.app[PARTS].admission
        return server


@asynccontextmanager
async def serve(application: web.Application, endpoint: Endpoint) -> AsyncGenerator[int, None]:
    """Serve ``application`` until the context ends; yields the port.

    At the end no new connection is taken, sockets are closed with 1001, and answers under way get
    ``SHUTDOWN_TIMEOUT_S``.

    Raises:
        ConfigurationError: if the certificate cannot be used.
        OSError: if the address is in use or not ours.
    """
    tls = _tls_context(endpoint)
    runner = FrontRunner(application, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, endpoint.host, endpoint.port, ssl_context=tls, backlog=BACKLOG)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _tls_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    if endpoint.cert_file is None and endpoint.key_file is None:
        return None
    if endpoint.cert_file is None or endpoint.key_file is None:
        raise ConfigurationError("TLS needs both a certificate and its key, or neither")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(endpoint.cert_file, endpoint.key_file)
    except (OSError, ssl.SSLError) as error:
        files = f"{endpoint.cert_file}, {endpoint.key_file}"
        raise ConfigurationError(f"{files}: not a certificate and its key: {error}") from error
    return context
