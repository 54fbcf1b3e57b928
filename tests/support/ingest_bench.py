"""An intake over a log in memory: what one life of the edge's ingest is made of."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge.ingest.admission import Admission
from edge.ingest.clock_doubt import ClockDoubt
from edge.ingest.decoded import DecodeLimits
from edge.ingest.intake import Intake
from edge.ingest.ports import CommitHooks, SampleWatch, Stores
from edge.ingest.quality import Judge, TimeLimits
from edge.ingest.restore import restore_ingest
from edge.ingest.seen import SeenWindow
from edge.ingest.stream import Publish
from edge.log.records import PendingBatch, RecentTail
from edge.metrics import EdgeMetrics, IngestCounts
from shared.sync.records import AlertRecord
from tests.support.clocks import HandClock
from tests.support.intake_log import IntakeLog

SITE = "kaduna"
LIMITS = DecodeLimits(
    payload_size_max_bytes=524_288, samples_per_message_max=20_000, metrics_per_sample_max=512
)
TIMES = TimeLimits(late_after_ms=60_000, future_after_ms=2_000, future_reject_ms=300_000)
NO_DOUBT = ClockDoubt(recorded_ms=0, tolerance_ms=TIMES.future_reject_ms)
GAS = f"mine/v1/{SITE}/sensor/gas-1/telemetry"


def message(
    document: Any,
    *,
    topic: str = GAS,
    packet_id: int = 0,
    retain: bool = False,
    dup: bool = False,
) -> Publish:
    """Return a message as the wire gives it; bytes stay as they are, all else becomes JSON."""
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Publish(topic, payload, packet_id, retain, dup, len(payload))


def sample(seq: int, ts_ms: int, **metrics: Any) -> dict[str, Any]:
    return {"ts": ts_ms, "seq": seq, "metrics": metrics or {"ch4_pct": 0.5}}


@dataclass
class IngestLife:
    """One life of ingest, from a start on what the log holds to its end."""

    log: IntakeLog
    clock: HandClock
    intake: Intake
    counts: IngestCounts
    acknowledged: list[int] = field(default_factory=list)
    committed: list[PendingBatch] = field(default_factory=list)

    def offer(self, *messages: Publish) -> None:
        self.intake.offer(messages, self.acknowledge)

    def acknowledge(self, packet_ids: Sequence[int]) -> int:
        self.acknowledged.extend(packet_ids)
        return len(packet_ids)

    async def flush(self) -> None:
        async with asyncio.timeout(30):
            await self.intake.flush()


class NobodyWatches:
    """No rules."""

    def judge(self, batch: PendingBatch) -> Sequence[AlertRecord]:
        return ()

    async def store(self, records: Sequence[AlertRecord]) -> None:
        raise AssertionError("nobody made alerts")


@asynccontextmanager
async def ingest_life(
    log: IntakeLog,
    clock: HandClock | None = None,
    *,
    series_max: int = 1_000,
    linger_s: float = 0.0,
    seen: SeenWindow | None = None,
    watch: SampleWatch | None = None,
) -> AsyncGenerator[IngestLife]:
    """Run an intake on what ``log`` holds; the end of the context kills it where it stands."""
    clock = clock or HandClock()
    metrics = EdgeMetrics()
    state = restore_ingest(
        log.series, recent_tail(log), series_max=series_max, now_ms=clock.utc_ms()
    )
    window = state.seen if seen is None else seen
    admission = Admission(
        site=SITE,
        limits=LIMITS,
        catalogue=state.catalogue,
        judge=Judge(TIMES, window, NO_DOUBT),
        seen=window,
        counts=metrics.ingest,
    )
    committed: list[PendingBatch] = []
    intake = Intake(
        admission=admission,
        stores=Stores(log, log),
        linger_s=linger_s,
        clock=clock,
        metrics=metrics,
        hooks=CommitHooks(watch or NobodyWatches(), committed.append),
    )
    life = IngestLife(log, clock, intake, metrics.ingest, committed=committed)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(intake.run())
        try:
            yield life
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def recent_tail(log: IntakeLog) -> RecentTail:
    """Return the log's newest device messages as the journal gives them."""
    columns = np.array(log.recent, dtype=np.int64).reshape(-1, 3)
    return RecentTail(tuple(log.sources), columns[:, 0], columns[:, 1], columns[:, 2])


async def turn(times: int = 1) -> None:
    """Let the event loop turn."""
    for _ in range(times):
        await asyncio.sleep(0)
