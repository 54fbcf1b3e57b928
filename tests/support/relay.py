"""A TCP relay that can cut, stall and delay what passes through it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

_CHUNK_BYTES = 65_536


@dataclass(eq=False)
class Relay:
    """Relays to ``target_port``; the switches may be turned at any time."""

    target_port: int
    port: int = 0
    is_refusing: bool = False  # new connections are closed at once
    passed_bytes: int = 0  # towards the target
    connections: int = 0
    cut_after_bytes: int | None = None  # towards the target; then the connection is cut, once
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    def cut(self) -> None:
        """Cut every connection at once, as a lost link that is noticed (RST)."""
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Let nothing through and say nothing: a half-open connection."""
        self._flowing.clear()

    def flow(self) -> None:
        """Let everything through."""
        self._flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_refusing:
            writer.transport.abort()
            return
        self.connections += 1
        self._writers.add(writer)
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            self._writers.add(back_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back_writer, counts=True))
                group.create_task(self._pass(back_reader, writer, counts=False))
        except* (OSError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._flowing.wait()
                if counts:
                    self._count(len(chunk))
                writer.write(chunk)
                await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def _count(self, size_bytes: int) -> None:
        self.passed_bytes += size_bytes
        if self.cut_after_bytes is not None and self.passed_bytes >= self.cut_after_bytes:
            self.cut_after_bytes = None
            self.cut()


@contextlib.asynccontextmanager
async def relaying(target_port: int) -> AsyncGenerator[Relay]:
    """Give a relay that flows, on a port of its own."""
    relay = Relay(target_port)
    relay.flow()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        relay.flow()
        relay.is_refusing = True
        server.close()
        relay.cut()
