"""A broker that a test plays on a real socket: one listener, connections taken one by one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from tests.support.mqtt_packets import Said, connack, said, suback


class Visitor:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def hear(self) -> list[Said]:
        """Return the next packets; none when the client has gone."""
        return said(await self._reader.read(65_536))

    def say(self, *packets: bytes) -> None:
        self._writer.write(b"".join(packets))

    async def greet(self, *, session_present: bool = False) -> None:
        """Accept the client and its subscription."""
        await self.hear()
        self.say(connack(session_present=session_present))
        await self.hear()
        self.say(suback(1, 1))

    def hang_up(self) -> None:
        self._writer.close()


class StagedBroker:
    """Hands its visitors to the test in the order they come."""

    def __init__(self) -> None:
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._visitors: asyncio.Queue[Visitor] = asyncio.Queue()

    async def visitor(self) -> Visitor:
        async with asyncio.timeout(10):
            return await self._visitors.get()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._visitors.put_nowait(Visitor(reader, writer))

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def staged_broker() -> AsyncGenerator[StagedBroker]:
    broker = StagedBroker()
    server = await asyncio.start_server(broker.take, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        await broker.close()
