"""A publisher on a real socket: says bytes, hears packets."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from edge.ingest.stream import read_length
from tests.support.mqtt_packets import Said
from tests.support.publishers import connect

ANSWER_TIMEOUT_S = 30.0


class PublisherSocket:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._heard = b""

    def say(self, *packets: bytes) -> None:
        self.writer.write(b"".join(packets))

    async def hear(self) -> Said | None:
        """Return the next packet, ``None`` when the other side has closed."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while True:
                header = read_length(self._heard, 1, len(self._heard)) if self._heard else None
                if header is not None and len(self._heard) >= sum(header):
                    size, at = header
                    found = Said(self._heard[0] >> 4, self._heard[at : at + size])
                    self._heard = self._heard[at + size :]
                    return found
                with suppress(ConnectionError):
                    more = await self.reader.read(65_536)
                    if more:
                        self._heard += more
                        continue
                return None

    async def greet(self, **greeting: object) -> Said | None:
        self.say(connect(**greeting))  # pyright: ignore[reportArgumentType] as `connect` takes them
        return await self.hear()


@asynccontextmanager
async def publisher_socket(
    port: int, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[PublisherSocket]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        yield PublisherSocket(reader, writer)
    finally:
        writer.transport.abort()
