"""A benchmark sees every commit of the log from outside, across segments, and all it holds."""

import asyncio
from pathlib import Path

import pytest

from bench.accounting import COUNTER_METRIC
from bench.background import in_background
from bench.edge_log import CommitWatch, counter_sources, counters_of, read_batches
from bench.ingest import read_logged
from edge.errors import LogError
from edge.log.layout import Layout
from edge.log.records import TELEMETRY_LANE, PendingBatch
from edge.log.segment_files import segment_names
from shared.clock import SystemClock
from shared.domain.samples import Series, ValueType
from shared.ids import SeriesName
from tests.support.edge_log import T0_MS, append_values, noise_batch, opened
from tests.support.eventually import eventually

COUNTERS = tuple(
    (ix, Series(SeriesName("kaduna", "sensor", f"bench-{ix}", metric), "", ValueType.NUMBER))
    for ix, metric in ((1, COUNTER_METRIC), (2, "reading_1_c"), (3, COUNTER_METRIC))
)


def _counted(number: int) -> PendingBatch:
    """Return sample ``number`` of both sources; series 2 is no counter."""
    return PendingBatch(
        series_ix=[3, 2, 1],
        value_type=[ValueType.NUMBER] * 3,
        ts_ms=[T0_MS + number] * 3,
        value=[float(number), 20.5, float(number)],
        quality=[0] * 3,
        recv_min_ms=T0_MS,
        recv_max_ms=T0_MS,
        new_series=COUNTERS,
    )


async def _seen(watch: CommitWatch, last_seq: int) -> None:
    async def holds() -> bool:
        return watch.last_seq >= last_seq

    await eventually(holds)


async def test_every_commit_is_noted_across_segments(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
        watch = CommitWatch(layout, SystemClock())
        with in_background(watch.watch, watch.stop):
            await _seen(watch, 1)
            for seed in range(10):  # 64 kB each: four fill a segment
                await journal.append(noise_batch(seed, 8_192))
            await _seen(watch, 11)
        assert len(segment_names(layout, TELEMETRY_LANE)) >= 3
    assert sorted(watch.seen_ms) == list(range(2, 12))  # the first was there before


async def test_what_the_watcher_raises_is_not_swallowed(tmp_path: Path) -> None:
    async with opened(tmp_path):
        watch = CommitWatch(Layout(tmp_path / "nowhere"), SystemClock())
        with (
            pytest.raises(LogError, match=r"nowhere.*No such file"),
            in_background(watch.watch, watch.stop),
        ):
            await asyncio.sleep(0)


async def test_counters_are_found_by_source(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for number in range(3):
            await journal.append(_counted(number))
    layout = Layout(tmp_path)
    sources = counter_sources(layout)
    assert sources == {1: "bench-1", 3: "bench-3"}
    found = [
        (source, numbers.tolist(), ts_ms.tolist())
        for batch in read_batches(layout, first_seq=2)
        for source, numbers, ts_ms in counters_of(batch.columns, sources)
    ]
    assert found == [
        ("bench-1", [1.0], [T0_MS + 1]),
        ("bench-3", [1.0], [T0_MS + 1]),
        ("bench-1", [2.0], [T0_MS + 2]),
        ("bench-3", [2.0], [T0_MS + 2]),
    ]


async def test_latency_is_from_the_sample_time_to_the_commit(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for number in range(4):
            await journal.append(_counted(number))
    commits = CommitWatch(Layout(tmp_path), SystemClock())
    commits.seen_ms = {2: T0_MS + 21, 3: T0_MS + 42, 4: T0_MS + 63}  # sample times are +1, +2, +3
    logged = read_logged(Layout(tmp_path), commits, from_ms=T0_MS + 2)
    assert logged.latency_ms.tolist() == [40.0, 40.0, 60.0, 60.0]  # the warm-up sample is left out
    assert {source: len(found) for source, found in logged.numbers.items()} == {
        "bench-1": 4,
        "bench-3": 4,
    }
    assert (logged.values, logged.batches) == (12, 4)
