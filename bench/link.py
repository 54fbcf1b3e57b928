"""The road between edge and central as a relay that counts bytes and can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from shared.clock import Clock

_CHUNK_SIZE_BYTES = 65_536


@dataclass(slots=True)
class Relay:
    """Passes on TCP connections to ``target``; TLS goes through it unopened."""

    clock: Clock
    port: int = 0
    target: tuple[str, int] | None = None  # None: the road is cut, connections are dropped
    up_bytes: int = 0  # edge to central, TLS and WebSocket included, TCP and IP headers not
    down_bytes: int = 0
    linked_ms: int | None = None  # when the first connection since the last cut was passed on
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @property
    def passed_bytes(self) -> int:
        """Bytes of both directions."""
        return self.up_bytes + self.down_bytes

    def cut(self) -> None:
        """Drop what is connected and everything that tries, until ``target`` is set again."""
        self.target = None
        self.linked_ms = None
        for writer in self._open:
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the edge until either side ends it."""
        target = self.target
        if target is None:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        self.linked_ms = self.linked_ms or self.clock.utc_ms()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, far_writer, up=True), name="up")
                group.create_task(self._pass_on(far_reader, writer, up=False), name="down")
        finally:
            self._open -= {writer, far_writer}
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_SIZE_BYTES):
                if up:
                    self.up_bytes += len(chunk)
                else:
                    self.down_bytes += len(chunk)
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def open_relay(clock: Clock) -> AsyncGenerator[Relay]:
    """Listen on a free loopback port; the road is cut until ``target`` is set."""
    relay = Relay(clock)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        relay.cut()
        server.close()
