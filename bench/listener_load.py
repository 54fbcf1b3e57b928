"""Devices that publish to the edge itself: ``python -m bench.listener_load PLAN.json``.

Raw sockets and prebuilt packets, because an MQTT client would cost more than the listener that is
measured. Each connection is one device with one source; they take turns, so that each sends its
share once in PERIOD_S. Prints one JSON line with what was sent and how long each PUBACK took.
"""

import asyncio
import sys
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from bench.accounting import COUNTER_METRIC
from deploy.publisher import BrokerAddress
from edge.ingest.stream import MQTT_3_1_1, encode_length, encode_text
from edge.ingest.wire import encode_connect
from shared.clock import Clock, SystemClock

PERIOD_S: Final = 0.05
TURNS: Final = 10  # in a period: a tenth of the devices speaks every 5 ms
DRAIN_TIMEOUT_S: Final = 60.0
_READ_BYTES: Final = 65_536
_PACKET_IDS: Final = 60_000
_CONNACK_BYTES: Final = 4
_PUBACK_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """What to publish: ``rate`` messages a second over all connections, one sample each."""

    listener: BrokerAddress
    site: str
    prefix: str
    connections: int
    rate: float
    seconds: float
    warmup_s: float
    in_flight_max: int  # of one connection


@dataclass(frozen=True, slots=True)
class ListenerResult:
    """What was published; latencies are (ms, messages), after the warm-up."""

    sent: dict[str, int]  # samples by source
    messages: int
    outstanding: int
    began_ms: int
    ended_ms: int
    lag_max_s: float  # the furthest that a device fell behind its schedule
    latencies: list[tuple[float, int]]


def read_listener_result(line: str) -> ListenerResult:
    """Return the result from the line that the process printed."""
    return msgspec.json.decode(line, type=ListenerResult)


class _Device(asyncio.BufferedProtocol):
    """One connection; counts PUBACKs, which come in the order of publishing."""

    def __init__(self, plan: ListenerPlan, number: int, clock: Clock) -> None:
        self.name = f"{plan.prefix}-{number:04d}"
        self.sent = 0
        self.acknowledged = 0
        self.latencies: Counter[float] = Counter()
        self.is_open = asyncio.Event()
        self._plan = plan
        self._clock = clock
        self._buffer = bytearray(_READ_BYTES)
        self._rest = _CONNACK_BYTES  # of the packet that is being read
        self._waiting: deque[list[float]] = deque()  # [when it was sent, how many of it are left]
        self._transport: asyncio.Transport | None = None
        topic = encode_text(f"mine/v1/{plan.site}/sensor/{self.name}/telemetry")
        # Numbers padded with blanks: every packet has the same length.
        self._payload = (
            b'{"ts":%13d,"seq":%10d,"metrics":{"' + COUNTER_METRIC.encode() + b'":%10d,'
            b'"reading_1_c":21.5%d,"reading_2_c":22.2%d}}'
        )
        size = len(topic) + 2 + len(self._payload % (0, 0, 0, 0, 0))
        self._head = b"\x32" + encode_length(size) + topic

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        address = self._plan.listener
        self._transport.write(
            encode_connect(
                version=MQTT_3_1_1,
                client_id=self.name,
                keepalive_s=600,
                receive_maximum=1,
                username=address.username,
                password=address.password,
                keeps_session=False,
            )
        )

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self.is_open.is_set():
            assert self._buffer[:nbytes] == b"\x20\x02\x00\x00", "the listener refused a device"
            self.is_open.set()
            self._rest = 0
            return
        self._rest += nbytes
        answered, self._rest = divmod(self._rest, _PUBACK_BYTES)
        self.acknowledged += answered
        now_s = self._clock.monotonic_s()
        while answered:
            batch = self._waiting[0]
            count = min(answered, int(batch[1]))
            self.latencies[round((now_s - batch[0]) * 1000, 1)] += count
            answered -= count
            batch[1] -= count
            if not batch[1]:
                self._waiting.popleft()

    def publish(self, due: int) -> None:
        """Publish until ``due`` messages have been sent, as far as the window allows."""
        count = min(due - self.sent, self._plan.in_flight_max - (self.sent - self.acknowledged))
        if count <= 0 or self._transport is None:
            return
        now_ms, head, payload = self._clock.utc_ms(), self._head, self._payload
        parts: list[bytes] = []
        for n in range(self.sent, self.sent + count):
            parts.append(head + (n % _PACKET_IDS + 1).to_bytes(2, "big"))
            parts.append(payload % (now_ms, n, n, n % 10, n // 10 % 10))
        self.sent += count
        self._waiting.append([self._clock.monotonic_s(), count])
        self._transport.write(b"".join(parts))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def run_listener_load(plan: ListenerPlan, clock: Clock) -> ListenerResult:
    """Publish ``plan`` and wait until all of it is acknowledged, at most DRAIN_TIMEOUT_S."""
    devices = [_Device(plan, number, clock) for number in range(plan.connections)]
    loop = asyncio.get_running_loop()
    for device in devices:
        address = plan.listener
        await loop.create_connection(lambda made=device: made, address.host, address.port)
    for device in devices:
        await device.is_open.wait()
    began_ms, began_s = clock.utc_ms(), clock.monotonic_s()
    each = plan.rate / plan.connections
    warm, lag_max_s, turn, now_s = False, 0.0, 0, began_s
    while now_s - began_s < plan.seconds:
        due = int((now_s - began_s) * each) + 1
        for device in devices[turn % TURNS :: TURNS]:
            device.publish(due)
            lag_max_s = max(lag_max_s, (due - device.sent) / each)
        turn += 1
        if not warm and now_s - began_s >= plan.warmup_s:
            warm = True
            for device in devices:
                device.latencies.clear()
        await asyncio.sleep(max(0.0, began_s + turn * PERIOD_S / TURNS - clock.monotonic_s()))
        now_s = clock.monotonic_s()
    ended_ms = clock.utc_ms()
    await _drain(devices, clock)
    latencies = Counter[float]()
    for device in devices:
        latencies.update(device.latencies)
        device.close()
    return ListenerResult(
        sent={device.name: device.sent for device in devices},
        messages=sum(device.sent for device in devices),
        outstanding=sum(device.sent - device.acknowledged for device in devices),
        began_ms=began_ms,
        ended_ms=ended_ms,
        lag_max_s=round(lag_max_s, 3),
        latencies=sorted(latencies.items()),
    )


async def _drain(devices: list[_Device], clock: Clock) -> None:
    until_s = clock.monotonic_s() + DRAIN_TIMEOUT_S
    while clock.monotonic_s() < until_s:
        if all(device.sent == device.acknowledged for device in devices):
            return
        await asyncio.sleep(PERIOD_S)


def main(arguments: list[str]) -> None:
    """Run the plan in the file that ``arguments`` names and print the result."""
    plan = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=ListenerPlan)
    result = uvloop.run(run_listener_load(plan, SystemClock()))
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
