"""The far end of an uplink's connection, played by the test."""

import asyncio

from edge.errors import UplinkError
from edge.uplink.transport import Connection
from shared.sync.frames import Frame, decode_frame, encode_frame


class FarEnd:
    """One connection: ``said`` is what the edge sent; ``say`` and ``cut`` are central's part."""

    def __init__(self, congestion: str | None = "bbr") -> None:
        self.congestion = congestion
        self.said: list[Frame] = []
        self.is_closed = False
        self.is_stuck = False  # takes nothing more, and says nothing: a half-open connection
        self._to_edge: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._stuck = asyncio.Event()

    def say(self, frame: Frame) -> None:
        """Send a frame to the edge."""
        self._to_edge.put_nowait(encode_frame(frame))

    def say_bytes(self, encoded: bytes) -> None:
        """Send any bytes to the edge."""
        self._to_edge.put_nowait(encoded)

    def cut(self) -> None:
        """End the connection."""
        self._to_edge.put_nowait(None)

    async def send(self, encoded: bytes) -> None:
        """See `Connection`."""
        if self.is_stuck:
            await self._stuck.wait()
        self.said.append(decode_frame(encoded))

    async def receive(self) -> bytes:
        """See `Connection`."""
        encoded = await self._to_edge.get()
        if encoded is None:
            raise UplinkError("connection lost")
        return encoded

    async def close(self) -> None:
        """See `Connection`."""
        self.is_closed = True

    async def abort(self) -> None:
        """See `Connection`."""
        self.is_closed = True


class FarEnds:
    """Answers every dial with a new `FarEnd`, or with the next of ``failures``."""

    def __init__(self, *failures: Exception, congestion: str | None = "bbr") -> None:
        self.ends: list[FarEnd] = []
        self._congestion = congestion
        self._failures = list(failures)

    async def __call__(self) -> Connection:
        """See `Dial`."""
        if self._failures:
            raise self._failures.pop(0)
        self.ends.append(FarEnd(self._congestion))
        return self.ends[-1]
