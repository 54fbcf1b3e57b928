"""Batches and journals for stories about the edge's log."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from edge.config import LogConfig
from edge.errors import LogError
from edge.log.declared import DeclaredGap
from edge.log.history import samples_of
from edge.log.journal import Journal
from edge.log.records import TELEMETRY_LANE, PendingBatch, StoredBatch
from shared.clock import Clock, SystemClock
from shared.codec.body import decode_body
from shared.domain.samples import Series, Value, ValueType
from shared.ids import SeriesName
from shared.sync.records import GapRecord

SITE = "kaduna"
EDGE_ID = "edge-1"
T0_MS = 1_700_000_000_000
MEBIBYTE = 1_048_576
SEGMENT_SIZE_BYTES = MEBIBYTE // 4
_TAKEN_TIMEOUT_S = 20.0
_FILL_BATCHES_MAX = 1_000  # 64 MB: a log that never refuses must not fill the disk


def make_series(ix: int, value_type: ValueType = ValueType.NUMBER) -> tuple[int, Series]:
    """Return catalogue entry ``ix``."""
    return ix, Series(SeriesName(SITE, "sensor", f"s{ix}", "ch4_pct"), "%", value_type)


SERIES_1 = make_series(1)
SOURCE_1 = (1, f"mine/v1/{SITE}/sensor/s1/telemetry")


def make_batch(
    *values: float,
    at_ms: int = T0_MS,
    new_series: tuple[tuple[int, Series], ...] = (SERIES_1,),
    seen: Sequence[tuple[int, int, int]] = (),
    lane: int = TELEMETRY_LANE,
) -> PendingBatch:
    """Return one sample of series 1 for each value, a second apart, received as measured."""
    times = [at_ms + 1_000 * index for index in range(len(values))]
    return PendingBatch(
        series_ix=[1] * len(values),
        value_type=[int(ValueType.NUMBER)] * len(values),
        ts_ms=times,
        value=list(values),
        quality=[0] * len(values),
        recv_min_ms=at_ms,
        recv_max_ms=max(times, default=at_ms),
        new_series=new_series,
        new_sources=(SOURCE_1,),
        seen=seen,
        lane=lane,
    )


def make_gap(first_seq: int = 1, last_seq: int = 1) -> GapRecord:
    """Return a record of telemetry that was lost."""
    return GapRecord(
        lane=TELEMETRY_LANE,
        first_seq=first_seq,
        last_seq=last_seq,
        samples=60,
        t_min_ms=T0_MS,
        t_max_ms=T0_MS + 59_000,
        reason="disk_full",
        at_ms=T0_MS + 60_000,
    )


async def no_gaps() -> list[DeclaredGap]:
    """Return that no message is declared missing."""
    return []


def noise_batch(seed: int, samples: int, *, at_ms: int = T0_MS) -> PendingBatch:
    """Return values that cannot be compressed, for filling files: about 8 bytes a sample."""
    dice = random.Random(seed)
    return make_batch(*(dice.random() for _ in range(samples)), at_ms=at_ms)


def small_config(**more: int) -> LogConfig:
    """Return limits that a test reaches in a moment; an operator may not set them so low.

    A batch of `fill` is 64 kB: four fill a segment, and six segments the budget.
    """
    sizes = {
        "segment_size_bytes": SEGMENT_SIZE_BYTES,
        "size_max_bytes": 6 * SEGMENT_SIZE_BYTES,
        "free_space_min_bytes": 0,
    }
    return LogConfig.model_construct(None, **{**sizes, **more})


def open_journal(
    state_dir: Path, config: LogConfig | None = None, clock: Clock | None = None
) -> Journal:
    """Open a journal of the usual site and edge."""
    return Journal.open(state_dir, SITE, EDGE_ID, config or small_config(), clock or SystemClock())


@contextlib.asynccontextmanager
async def opened(state_dir: Path, config: LogConfig | None = None) -> AsyncGenerator[Journal]:
    """Give an open journal and close it."""
    journal = open_journal(state_dir, config)
    try:
        yield journal
    finally:
        await journal.close()


async def append_values(journal: Journal, *values: float) -> None:
    """Append each value as a batch of its own, one after the other."""
    for value in values:
        await journal.append(make_batch(value))


async def append_until_taken(journal: Journal, batch: PendingBatch) -> None:
    """Append ``batch`` again and again until the log stores it, as the intake does."""
    async with asyncio.timeout(_TAKEN_TIMEOUT_S):
        while True:
            try:
                await journal.append(batch)
            except LogError:
                await asyncio.sleep(0.01)
            else:
                return


async def fill(journal: Journal) -> None:
    """Append batches of 64 kB until the log refuses; each holds its own number's noise."""
    for seed in range(_FILL_BATCHES_MAX):
        await journal.append(noise_batch(seed, 8_192))


async def append_together(journal: Journal, batches: Sequence[PendingBatch]) -> None:
    """Append batches at one time; the log may put them into one commit."""
    async with asyncio.TaskGroup() as group:
        for batch in batches:
            group.create_task(journal.append(batch))


async def read_all(journal: Journal, lane: int = TELEMETRY_LANE) -> list[StoredBatch]:
    """Return everything that can be read, in order."""
    found: list[StoredBatch] = []
    last_seq = journal.state().lanes[lane].last_seq
    next_seq = 1
    while next_seq <= last_seq:
        batches = await journal.read(lane, next_seq, last_seq, MEBIBYTE)
        if not batches:
            break
        found += batches
        next_seq = batches[-1].seq + 1
    return found


def values_of(batches: Sequence[StoredBatch], series_ix: int = 1) -> list[Value]:
    """Return the values of a series in the order in which they were stored."""
    return [
        value for batch in batches for _, _, value in samples_of(decode_body(batch.body), series_ix)
    ]


def segment_files(state_dir: Path) -> list[Path]:
    """Return the segment files, oldest first."""
    return sorted((state_dir / "log" / "seg").glob("L*.db"))
