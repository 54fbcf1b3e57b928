"""A device for tests: publishes at QoS 1 with a bounded window and knows what was acknowledged."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from edge.ingest.stream import MQTT_3_1_1
from edge.ingest.wire import encode_connect
from tests.support.mqtt_packets import packet, publish

ANSWER_TIMEOUT_S = 30.0


class Device:
    """One connection. ``publish`` waits for room in the window, ``drain`` for every PUBACK."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, window: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._room = asyncio.Semaphore(window)
        self._waiting: dict[int, tuple[str, bytes]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._packet_id = 0
        self.acknowledged: list[tuple[str, bytes]] = []

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        await self._room.acquire()
        self._packet_id = self._packet_id % 65_535 + 1
        self._waiting[self._packet_id] = (topic, payload)
        self._idle.clear()
        self._writer.write(publish(topic, payload, packet_id=self._packet_id, retain=retain))

    def publish_unacknowledged(self, topic: str, payload: bytes) -> None:
        self._writer.write(publish(topic, payload))

    async def drain(self) -> None:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await self._writer.drain()
            await self._idle.wait()

    async def listen(self) -> None:
        while True:
            try:
                first_byte, size, high, low = await self._reader.readexactly(4)
            except asyncio.IncompleteReadError:
                return
            assert (first_byte, size) == (0x40, 2), "a publisher gets nothing but PUBACKs"
            self.acknowledged.append(self._waiting.pop(high << 8 | low))
            self._room.release()
            if not self._waiting:
                self._idle.set()


@asynccontextmanager
async def device(
    port: int, client_id: str = "device", *, window: int = 500
) -> AsyncGenerator[Device]:
    """Connect to the broker on ``port`` of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        encode_connect(
            version=MQTT_3_1_1,
            client_id=client_id,
            keepalive_s=600,
            receive_maximum=10,
            username=None,
            password=None,
        )
    )
    connack = await asyncio.wait_for(reader.readexactly(4), ANSWER_TIMEOUT_S)
    assert connack[3] == 0, "the broker refused the device"
    made = Device(reader, writer, window)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(made.listen())
        try:
            yield made
        finally:
            listening.cancel()
            writer.write(packet(0xE0, b""))
            writer.close()
