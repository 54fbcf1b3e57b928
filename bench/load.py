"""The publisher of a benchmark, as a process of its own: ``python -m bench.load PLAN.json``.

Publishes at a steady rate at QoS 1 and prints one JSON line with what was sent. Times of samples
are this process' wall clock at the moment of publishing, so that the age of a sample at any later
point of the path can be read from the sample itself.
"""

import asyncio
import math
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.accounting import COUNTER_METRIC
from deploy.publisher import BrokerAddress, Publisher, open_publisher
from shared.clock import Clock, SystemClock

TICK_S = 0.005  # messages of 5 ms are handed over together; finer sleeps cost more than they give
DRAIN_TIMEOUT_S = 60.0  # as long as the site may need after an overload
_SWING_SAMPLES = 600  # one period of the sine that the other metrics follow
# Their noise is a fixed scatter over 16 levels: four bits that no codec can foresee, and the same
# bytes at every run.
_NOISE_LEVELS = 16


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to publish. ``rate`` counts messages; each holds ``batch`` samples of one source."""

    broker: BrokerAddress
    site: str
    prefix: str  # of the source names; a run must not reuse one
    sources: int
    rate: float  # messages per second, all sources together
    seconds: float
    batch: int = 1
    metrics: int = 3  # values in each sample, the counter included
    in_flight_max: int = 4_096
    spacing_ms: int = 0  # 0: samples are new when published; else history this far apart


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What was published. Times are milliseconds since the epoch."""

    sent: dict[str, int]  # samples by source
    messages: int
    acknowledged: int  # messages, by the broker
    outstanding: int  # messages that the broker never acknowledged
    began_ms: int
    ended_ms: int
    lag_max_s: float  # the furthest that publishing fell behind its schedule

    @property
    def figures(self) -> dict[str, float]:
        """How the publishing went, under the names that a report has for it."""
        return {
            "messages_sent": self.messages,
            "messages_unacknowledged": self.outstanding,
            "publisher_lag_max_s": self.lag_max_s,
        }


def read_result(line: str) -> LoadResult:
    """Return the result from the line that the process printed."""
    return msgspec.json.decode(line, type=LoadResult)


def source_names(plan: LoadPlan) -> list[str]:
    """Return the asset ids that the plan publishes under."""
    return [f"{plan.prefix}-{number:04d}" for number in range(plan.sources)]


class _Load:
    def __init__(self, plan: LoadPlan, publisher: Publisher, clock: Clock) -> None:
        self._plan = plan
        self._publisher = publisher
        self._clock = clock
        self._topics = [
            f"mine/v1/{plan.site}/sensor/{name}/telemetry" for name in source_names(plan)
        ]
        self._next = [0] * plan.sources  # number of the next sample of each source
        self._sample_every_ms = 1000.0 * plan.sources / plan.rate / plan.batch
        self._began_ms = clock.utc_ms()
        self._total = round(plan.rate * plan.seconds)
        self.messages = 0
        self.lag_max_s = 0.0

    async def run(self) -> None:
        began_s = self._clock.monotonic_s()
        while self.messages < self._total:
            now_s = self._clock.monotonic_s()
            due = min(self._total, math.floor((now_s - began_s) * self._plan.rate) + 1)
            while self.messages < due:
                await self._publish()
                self.messages += 1
            behind_s = self._clock.monotonic_s() - began_s - self.messages / self._plan.rate
            self.lag_max_s = max(self.lag_max_s, behind_s)
            await asyncio.sleep(TICK_S)

    async def _publish(self) -> None:
        source = self.messages % self._plan.sources
        samples = list(self._samples(source))
        content = samples[0] if len(samples) == 1 else {"samples": samples}
        await self._publisher.publish(self._topics[source], msgspec.json.encode(content))

    def _samples(self, source: int) -> Iterator[dict[str, Any]]:
        now_ms = self._clock.utc_ms()
        first = self._next[source]
        self._next[source] += self._plan.batch
        for place in range(self._plan.batch):
            number = first + place
            age_ms = (self._plan.batch - 1 - place) * self._sample_every_ms
            yield {
                "ts": self._history_ms(number) if self._plan.spacing_ms else now_ms - int(age_ms),
                "seq": number,
                "metrics": _metrics(source, number, self._plan.metrics),
            }

    def _history_ms(self, number: int) -> int:
        """Return the time of a sample so that the last one of its source is of this moment."""
        count = self._total * self._plan.batch // self._plan.sources
        return self._began_ms - (count - 1 - number) * self._plan.spacing_ms

    def sent(self) -> dict[str, int]:
        return dict(zip(source_names(self._plan), self._next, strict=True))


def _metrics(source: int, number: int, count: int) -> dict[str, float]:
    """Return the counter and ``count - 1`` readings: a slow swing with noise, two decimals."""
    swing = math.sin(2 * math.pi * (number + 37 * source) / _SWING_SAMPLES)
    metrics: dict[str, float] = {COUNTER_METRIC: number}
    for metric in range(1, count):
        noise = zlib.crc32(b"%d/%d/%d" % (source, metric, number)) % _NOISE_LEVELS
        metrics[f"reading_{metric}_c"] = round(20.0 + metric + 5.0 * swing + noise / 100.0, 2)
    return metrics


async def run_load(plan: LoadPlan, clock: Clock) -> LoadResult:
    """Publish ``plan`` and wait until the broker has acknowledged all of it.

    Raises:
        SiteError: if the broker cannot be reached.
    """
    began_ms = clock.utc_ms()
    async with open_publisher(
        plan.broker, client_id=f"bench-{plan.prefix}", in_flight_max=plan.in_flight_max
    ) as publisher:
        load = _Load(plan, publisher, clock)
        await load.run()
        ended_ms = clock.utc_ms()
        outstanding = await publisher.drain(DRAIN_TIMEOUT_S)
        acknowledged = publisher.acknowledged
    return LoadResult(
        sent=load.sent(),
        messages=load.messages,
        acknowledged=acknowledged,
        outstanding=outstanding,
        began_ms=began_ms,
        ended_ms=ended_ms,
        lag_max_s=round(load.lag_max_s, 3),
    )


def main(arguments: list[str]) -> None:
    """Run the plan in the file that ``arguments`` names and print the result."""
    plan = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=LoadPlan)
    result = uvloop.run(run_load(plan, SystemClock()))
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
