"""An edge that has a good certificate and bad manners."""

import contextlib
from collections.abc import AsyncGenerator
from typing import cast

import aiohttp

from central.inbox.acceptor import SyncListener
from edge.uplink.transport import tls_context
from shared.sync.frames import Frame, decode_frame, encode_frame
from tests.support.sync_link import HOST, SyncSite


class HostileEdge:
    """Says anything; hears frames until the connection ends."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket

    async def say(self, *frames: Frame) -> None:
        """Send frames, well formed each."""
        for frame in frames:
            await self._websocket.send_bytes(encode_frame(frame))

    async def say_bytes(self, encoded: bytes) -> None:
        """Send any bytes."""
        await self._websocket.send_bytes(encoded)

    async def say_text(self, text: str) -> None:
        """Send text, which no frame is."""
        await self._websocket.send_str(text)

    async def leave(self) -> None:
        """Close the connection without a word."""
        await self._websocket.close()

    async def hear(self) -> Frame | None:
        """Return the next frame; None once the connection has ended."""
        message = await self._websocket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            return None
        return decode_frame(cast("bytes", message.data))

    async def hear_all(self) -> list[Frame]:
        """Return everything until the connection ends."""
        heard: list[Frame] = []
        while (frame := await self.hear()) is not None:
            heard.append(frame)
        return heard


@contextlib.asynccontextmanager
async def hostile_edge(
    site: SyncSite, listener: SyncListener, name: str = "kaduna/edge-1"
) -> AsyncGenerator[HostileEdge]:
    """Give a connected hostile edge that has not said HELLO."""
    files = site.authority.issue(name)
    context = tls_context(site.uplink_config(listener.port, files=files))
    connector = aiohttp.TCPConnector(ssl=context)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect(f"wss://{HOST}:{listener.port}/sync/v1", max_msg_size=0) as websocket,
    ):
        yield HostileEdge(websocket)
