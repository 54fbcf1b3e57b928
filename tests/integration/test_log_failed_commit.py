"""A commit whose outcome nobody knows: what was refused is not stored, and so never twice."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

import pytest

from edge.errors import LogError
from edge.ingest import intake as intake_module
from edge.ingest.admission import Admission
from edge.ingest.intake import Intake
from edge.ingest.ports import CommitHooks, Stores
from edge.ingest.quality import Judge
from edge.ingest.restore import restore_ingest
from edge.log import store as store_module
from edge.log.journal import Journal
from edge.metrics import EdgeMetrics
from shared.clock import SystemClock
from tests.support.edge_log import (
    T0_MS,
    append_until_taken,
    append_values,
    make_batch,
    opened,
    read_all,
    values_of,
)
from tests.support.failing_disk import BROKEN, FailingDisk, failing_disk
from tests.support.ingest_bench import (
    LIMITS,
    NO_DOUBT,
    SITE,
    TIMES,
    NobodyWatches,
    message,
    sample,
)
from tests.support.intake_log import IntakeLog


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingDisk]:
    monkeypatch.setattr(store_module, "RETRY_AFTER_S", 0.0)
    monkeypatch.setattr(intake_module, "COMMIT_RETRY_MIN_S", 0.001)
    with failing_disk() as disk:
        yield disk


@pytest.mark.parametrize("failing_flushes", [1, 2, 3])
async def test_a_batch_refused_and_given_again_is_there_once(
    tmp_path: Path, disk: FailingDisk, failing_flushes: int
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
        disk.fail_flushes(failing_flushes, "/seg/")
        await append_until_taken(journal, make_batch(2.0, seen=[(1, 2, T0_MS)]))
        await append_values(journal, 3.0)
        assert values_of(await read_all(journal)) == [1.0, 2.0, 3.0]
        assert journal.state().lanes[2].backlog_samples == 3
    async with opened(tmp_path) as journal:
        assert values_of(await read_all(journal)) == [1.0, 2.0, 3.0]
        assert [int(mark) for mark in journal.recent.mark] == [2]
        assert journal.state().lost == ()


async def test_what_was_refused_is_neither_stored_nor_seen(
    tmp_path: Path, disk: FailingDisk
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
        disk.fail_flushes(1, "/seg/")
        with pytest.raises(LogError):
            await journal.append(make_batch(2.0, seen=[(1, 2, T0_MS)]))
        await append_values(journal, 3.0)  # the caller may have merged it otherwise meanwhile
        assert values_of(await read_all(journal)) == [1.0, 3.0]
    async with opened(tmp_path) as journal:
        assert journal.recent.mark.size == 0


async def test_what_was_refused_is_not_read_before_the_lane_is_open_again(
    tmp_path: Path, disk: FailingDisk
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
        disk.flush_error = BROKEN
        with pytest.raises(LogError):
            await journal.append(make_batch(2.0))
        for _ in range(20):
            batches = await journal.read(2, 1, 10, 1_000_000)
            assert values_of(batches) == [1.0]
            found = await journal.read_samples(1, start_ms=0, end_ms=2**62, samples_max=9)
            assert found.value == (1.0,)
        disk.heal()


async def test_after_a_crash_it_is_stored_and_known_to_be(
    tmp_path: Path, disk: FailingDisk
) -> None:
    async with opened(tmp_path / "a") as journal:
        await append_values(journal, 1.0)
        disk.flush_failed = lambda: shutil.copytree(tmp_path / "a", tmp_path / "b")
        disk.fail_flushes(1, "/seg/")
        with pytest.raises(LogError):
            await journal.append(make_batch(2.0, seen=[(1, 2, T0_MS)]))
    async with opened(tmp_path / "b") as journal:
        assert values_of(await read_all(journal)) == [1.0, 2.0]
        assert [int(mark) for mark in journal.recent.mark] == [2]


@contextlib.asynccontextmanager
async def ingesting(journal: Journal) -> AsyncGenerator[Intake]:
    """Run the intake of the edge on a journal."""
    clock, metrics = SystemClock(), EdgeMetrics()
    state = restore_ingest(journal.series, journal.recent, series_max=100, now_ms=clock.utc_ms())
    admission = Admission(
        site=SITE,
        limits=LIMITS,
        catalogue=state.catalogue,
        judge=Judge(TIMES, state.seen, NO_DOUBT),
        seen=state.seen,
        counts=metrics.ingest,
    )
    intake = Intake(
        admission=admission,
        stores=Stores(journal, IntakeLog()),  # no numbers are missing here
        linger_s=0.0,
        clock=clock,
        metrics=metrics,
        hooks=CommitHooks(NobodyWatches(), lambda _: None),
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(intake.run())
        yield intake
        running.cancel()


async def test_the_intake_stores_each_message_once_whatever_fails(
    tmp_path: Path, disk: FailingDisk
) -> None:
    acknowledged: list[int] = []

    def acknowledge(packet_ids: Sequence[int]) -> int:
        acknowledged.extend(packet_ids)
        return len(packet_ids)

    async with opened(tmp_path) as journal, ingesting(journal) as intake:
        for number in range(1, 31):
            if number % 3 == 0:
                disk.fail_flushes(number % 4 + 1)
            told = message(sample(number, T0_MS + number, ch4_pct=number), packet_id=number)
            intake.offer([told], acknowledge)
            async with asyncio.timeout(30):
                await intake.flush()
        assert acknowledged == list(range(1, 31))
        assert values_of(await read_all(journal)) == [float(n) for n in range(1, 31)]
    async with opened(tmp_path) as journal:
        assert values_of(await read_all(journal)) == [float(n) for n in range(1, 31)]
        assert len(journal.recent.mark) == 30
