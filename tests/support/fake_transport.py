"""A transport without a socket: remembers what was written and whether anyone reads."""

import asyncio


class FakeTransport(asyncio.Transport):
    """Hands bytes to a buffered protocol in pieces that fit its buffer."""

    def __init__(self, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = bytearray()
        self.is_reading_now = True
        self.ended = False
        protocol.connection_made(self)

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self.ended:
            buffer = memoryview(self.protocol.get_buffer(-1)).cast("B")
            size = min(len(buffer), len(data) - at)
            buffer[:size] = data[at : at + size]
            self.protocol.buffer_updated(size)
            at += size

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        data = bytes(self.written)
        self.written.clear()
        return data

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended, "nothing is written to a closed transport"
        self.written += data

    def pause_reading(self) -> None:
        assert self.is_reading_now, "paused twice"
        self.is_reading_now = False

    def resume_reading(self) -> None:
        assert not self.is_reading_now, "resumed twice"
        self.is_reading_now = True

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    def lose(self, error: Exception | None = None) -> None:
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        if not self.ended:
            self.ended = True
            self.protocol.connection_lost(error)
