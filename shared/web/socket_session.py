"""One live socket from upgrade to close: sign-in within 5 s, subscriptions, frames, expiry."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import assert_never
from urllib.parse import urlsplit

import msgspec
from aiohttp import WSMsgType, web

from shared.access.accounts import ALL_SITES
from shared.access.roles import Right, may, visible_kinds
from shared.access.tokens import Principal
from shared.clock import iso_utc
from shared.errors import AccessError, ApiError, ErrorCode
from shared.ids import Kind
from shared.logs import get_log
from shared.web.conflation import SocketFilter
from shared.web.context import PARTS, WebParts
from shared.web.limits import WindowLimiter
from shared.web.socket_messages import (
    MESSAGE_SIZE_MAX_BYTES,
    AuthMessage,
    ClientMessage,
    CloseCode,
    PingMessage,
    SubscribeMessage,
    decode_client_message,
    encode_message,
)
from shared.web.sockets import Feed, Subscriber

_log = get_log("sockets")

# A client says something when its user changes what is shown; two a second is a fault.
MESSAGES_PER_MINUTE_MAX = 120
# What may wait in this process and in the kernel for a slow reader; beyond it, values are
# conflated instead of growing old in a buffer.
UNSENT_MAX_BYTES = 65_536
UNSENT_KERNEL_MAX_BYTES = 16_384
REASON_MAX_BYTES = 123  # of a close frame (RFC 6455, 5.5)

_FIRST_MESSAGE = 'the first message must be {"type":"auth","token":"Bearer ..."}'


class SocketEnd(Exception):  # noqa: N818 - not an error: how a conversation ends
    """The conversation is over: the server closes with ``code``, or the client has gone."""

    def __init__(self, code: CloseCode | None, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def serve_feed(feed: Feed) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the aiohttp function behind ``feed.path``."""

    async def serve(request: web.Request) -> web.StreamResponse:
        parts = request.app[PARTS]
        times = parts.hub.times
        ws = web.WebSocketResponse(
            timeout=times.close_timeout_s,
            heartbeat=times.heartbeat_s,
            compress=False,
            max_msg_size=MESSAGE_SIZE_MAX_BYTES,
            writer_limit=UNSENT_MAX_BYTES,
        )
        _check_upgrade(ws, request, parts)
        if not parts.hub.open_socket():
            raise ApiError(503, "too many sockets are open here; try again later")
        try:
            await ws.prepare(request)
            _bound_buffers(request)
            end = await _conversation_end(ws, feed, parts)
            await _close(ws, request, end, times.close_timeout_s)
        finally:
            parts.hub.close_socket()
        if end.code is not None:
            parts.metrics.count(f"socket_closed_{int(end.code)}")
        return ws

    return serve


async def _conversation_end(ws: web.WebSocketResponse, feed: Feed, parts: WebParts) -> SocketEnd:
    try:
        await _Conversation(ws, feed, parts).run()
    except SocketEnd as end:
        return end
    except ConnectionError:
        pass  # gone without a word
    except Exception:  # noqa: BLE001 - the outermost edge: no HTTP error fits into a socket
        _log.exception("socket failed", path=feed.path)
        return SocketEnd(CloseCode.INTERNAL_ERROR)
    return SocketEnd(None)


def _close_reason(text: str) -> bytes:
    """Return as many whole letters of ``text`` as a close frame holds."""
    cut = text.encode(errors="replace")[:REASON_MAX_BYTES]
    return cut.decode(errors="ignore").encode()


async def _close(
    ws: web.WebSocketResponse, request: web.Request, end: SocketEnd, timeout_s: float
) -> None:
    reason = _close_reason(end.reason)
    try:
        # The close frame itself has to wait for a reader that does not read.
        async with asyncio.timeout(timeout_s):
            await ws.close(code=end.code or CloseCode.NORMAL, message=reason)
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()


class _Conversation:
    def __init__(self, ws: web.WebSocketResponse, feed: Feed, parts: WebParts) -> None:
        self._ws = ws
        self._feed = feed
        self._parts = parts
        self._hub = parts.hub
        self._messages = WindowLimiter(limit=MESSAGES_PER_MINUTE_MAX, window_s=60.0, keys_max=1)

    async def run(self) -> None:
        """Hold the conversation; it ends by SocketEnd or with the connection."""
        self._principal = await self._sign_in()
        self._wanted = SocketFilter()
        wanted = await self._within_rights(self._wanted)
        subscriber = self._hub.subscribe(self._feed, self._principal.user_id, self._kinds(), wanted)
        try:
            await self._say_signed_in(subscriber)
            await self._converse(subscriber)
        finally:
            self._hub.unsubscribe(subscriber)

    async def _sign_in(self) -> Principal:
        timeout_s = self._hub.times.auth_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                text = await self._receive()
        except TimeoutError:
            raise SocketEnd(CloseCode.UNAUTHORIZED, f"no auth message in {timeout_s:g} s") from None
        try:
            message = decode_client_message(text)
        except msgspec.DecodeError as error:
            raise SocketEnd(CloseCode.UNAUTHORIZED, _FIRST_MESSAGE) from error
        if not isinstance(message, AuthMessage):
            raise SocketEnd(CloseCode.UNAUTHORIZED, _FIRST_MESSAGE)
        return self._verified(message)

    def _verified(self, message: AuthMessage) -> Principal:
        now_s = self._parts.clock.utc_ms() / 1000
        try:
            principal = self._parts.verifier.verify(message.bearer, now_s)
        except AccessError as error:
            raise SocketEnd(CloseCode.UNAUTHORIZED, str(error)) from error
        if not may(principal.roles, self._feed.right):
            raise SocketEnd(CloseCode.FORBIDDEN, f"this needs the right {self._feed.right}")
        return principal

    async def _say_signed_in(self, subscriber: Subscriber) -> None:
        await self._ws.send_str(
            encode_message(
                "auth_ok",
                user_id=self._principal.user_id,
                roles=list(self._principal.roles),
                expires_at=iso_utc(self._principal.expires_s * 1000),
                cursor=self._hub.cursor(subscriber),
            )
        )

    async def _converse(self, subscriber: Subscriber) -> None:
        ends: list[SocketEnd] = []
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(subscriber), name="socket read")
                group.create_task(self._write(subscriber), name="socket write")
                group.create_task(self._guard(subscriber), name="socket guard")
        except* (SocketEnd, ConnectionError) as ended:
            ends = [error for error in ended.exceptions if isinstance(error, SocketEnd)]
        raise ends[0] if ends else SocketEnd(None)

    async def _read(self, subscriber: Subscriber) -> None:
        while True:
            text = await self._receive()
            if not self._messages.take("", self._parts.clock.monotonic_s()).allowed:
                raise SocketEnd(CloseCode.POLICY, "too many messages")
            try:
                message = decode_client_message(text)
            except msgspec.DecodeError as error:
                await self._refuse(str(error))
            else:
                await self._obey(subscriber, message)

    async def _obey(self, subscriber: Subscriber, message: ClientMessage) -> None:
        match message:
            case PingMessage():
                await self._ws.send_str(encode_message("pong"))
            case AuthMessage():
                principal = self._verified(message)
                if principal.user_id != self._principal.user_id:
                    raise SocketEnd(CloseCode.UNAUTHORIZED, "the token is of another account")
                self._principal = principal
                # The newer token may give less than the older did.
                await self._apply(subscriber, self._hub.cursor(subscriber))
                await self._say_signed_in(subscriber)
            case SubscribeMessage():
                await self._change_filter(subscriber, message)
            case _:
                assert_never(message)

    async def _change_filter(self, subscriber: Subscriber, message: SubscribeMessage) -> None:
        wanted = message.wanted
        strangers = wanted.kinds - self._feed.kinds
        if strangers:
            expected = ", ".join(sorted(self._feed.kinds))
            await self._refuse(f"kind must be one of {expected}", field="filter.kind")
            return
        self._wanted = wanted
        await self._apply(subscriber, message.resume)

    async def _apply(self, subscriber: Subscriber, resume: str | None) -> None:
        if self._wanted.kinds - self._kinds():
            raise SocketEnd(CloseCode.FORBIDDEN, f"this needs the right {Right.WORKERS_READ}")
        wanted = await self._within_rights(self._wanted)
        self._hub.change_filter(subscriber, self._kinds(), wanted, resume)

    async def _within_rights(self, wanted: SocketFilter) -> SocketFilter:
        for site in wanted.sites:
            if not await self._parts.known_sites.may_see(self._principal, site):
                raise SocketEnd(CloseCode.FORBIDDEN, f"no site {site!r}")
        if wanted.sites or ALL_SITES in self._principal.sites:
            return wanted
        visible = await self._parts.known_sites.visible(self._principal)
        if not visible:
            raise SocketEnd(CloseCode.FORBIDDEN, "this account has no site here")
        return replace(wanted, sites=frozenset(visible))

    def _kinds(self) -> frozenset[Kind]:
        return visible_kinds(self._principal.roles, self._feed.kinds)

    async def _write(self, subscriber: Subscriber) -> None:
        while True:
            await subscriber.ready.wait()
            subscriber.ready.clear()
            while (change := subscriber.mailbox.take()) is not None:
                # Waits while more than UNSENT_MAX_BYTES are not sent; meanwhile values are merged.
                await self._ws.send_str(self._hub.frame(subscriber, change))

    async def _guard(self, subscriber: Subscriber) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._hub.times.expiry_check_s):
                    await subscriber.revoked.wait()
                raise SocketEnd(self._hub.close_code(), "revoked, or the server stops")
            if self._parts.clock.utc_ms() >= self._principal.expires_s * 1000:
                raise SocketEnd(CloseCode.UNAUTHORIZED, "the token has expired")

    async def _receive(self) -> str:
        message = await self._ws.receive()
        match message.type:
            case WSMsgType.TEXT:
                return str(message.data)
            case WSMsgType.BINARY:
                raise SocketEnd(CloseCode.POLICY, "messages must be text")
            case _:
                raise SocketEnd(None)

    async def _refuse(self, detail: str, field: str | None = None) -> None:
        code = ErrorCode.INVALID_REQUEST
        await self._ws.send_str(encode_message("error", code=code, field=field, message=detail))


def _check_upgrade(ws: web.WebSocketResponse, request: web.Request, parts: WebParts) -> None:
    if not ws.can_prepare(request):
        headers = {"Upgrade": "websocket"}
        raise ApiError(400, "this address speaks WebSocket only", headers=headers)
    origin = request.headers.get("Origin")
    # Programs send no Origin; a browser always does. Without this, any page a person visits could
    # try tokens here, or wait for one that an extension leaks.
    if origin is None or origin in parts.settings.allowed_origins:
        return
    if urlsplit(origin).netloc.lower() != request.host.lower():
        raise ApiError(403, "sockets are for pages of this server")


def _bound_buffers(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    transport.set_write_buffer_limits(high=UNSENT_MAX_BYTES)
    handle = transport.get_extra_info("socket")
    if handle is None or not hasattr(socket, "TCP_NOTSENT_LOWAT"):
        return
    with contextlib.suppress(OSError):  # an improvement, not a need
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_KERNEL_MAX_BYTES)
