"""The writer thread: groups, answers, and what becomes of callers when it ends."""

import asyncio
from collections.abc import Sequence

import pytest

from edge.errors import LogError
from edge.log import writer as writer_module
from edge.log.grouping import encode_pending_records
from edge.log.records import Committed, PendingRecords
from edge.log.writer import AppendJob, CallJob, LogWriter, Outcome, RecordsJob
from shared.clock import SystemClock
from tests.support.edge_log import T0_MS, make_batch, make_gap
from tests.support.slow_store import SlowStore


class Harness:
    """A writer on a slow store; counts how often the loop was called for all answers together."""

    def __init__(self) -> None:
        self.store = SlowStore()
        self.answers: list[int] = []
        self.writer = LogWriter(self.store, SystemClock(), self.count)
        self.writer.start()

    def count(self, outcomes: Sequence[Outcome]) -> None:
        self.answers.append(len(outcomes))

    def append(self, *values: float) -> asyncio.Future[Committed]:
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self.writer.submit(AppendJob(make_batch(*values), 1, 1, future))
        return future

    def records(self) -> asyncio.Future[Committed]:
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        pending = PendingRecords(lane=1, records=(make_gap(),), received_ms=T0_MS)
        self.writer.submit(RecordsJob(1, encode_pending_records(pending), future))
        return future


async def test_all_that_wait_are_one_group_with_one_answer() -> None:
    harness = Harness()
    first = harness.append(1.0)
    await asyncio.to_thread(harness.store.entered.wait, 10.0)  # the first is being committed
    rest = [harness.append(float(n)) for n in range(50)]
    harness.store.gate.set()
    await asyncio.wait([first, *rest])
    await harness.writer.stop()
    assert harness.store.groups == [1, 50]
    assert harness.answers == [1, 50]


async def test_a_group_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "SAMPLES_PER_COMMIT_MAX", 10)
    harness = Harness()
    futures = [harness.append(*range(11))]  # too large for company, and never refused for it
    await asyncio.to_thread(harness.store.entered.wait, 10.0)
    futures += [harness.append(*range(size)) for size in (4, 6, 1)]
    harness.store.gate.set()
    await asyncio.wait(futures)
    await harness.writer.stop()
    assert harness.store.groups == [1, 2, 1]  # 11; 4 and 6; 1


async def test_records_pass_all_samples_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "SAMPLES_PER_COMMIT_MAX", 1)
    harness = Harness()
    futures = [harness.append(1.0)]
    await asyncio.to_thread(harness.store.entered.wait, 10.0)
    futures += [harness.append(1.0) for _ in range(3)]
    futures.append(harness.records())
    harness.store.gate.set()
    await asyncio.wait(futures)
    await harness.writer.stop()
    assert harness.store.done == ["samples", "records", "samples", "samples", "samples"]


async def test_stop_does_what_was_handed_over_and_closes() -> None:
    harness = Harness()
    futures = [harness.append(1.0) for _ in range(5)]
    harness.store.gate.set()
    await harness.writer.stop()
    await asyncio.sleep(0)
    assert all(future.done() for future in futures)
    assert harness.store.closed
    with pytest.raises(LogError, match="closed"):
        harness.append(1.0)
    await harness.writer.stop()  # a second time is no mistake


async def test_a_store_that_hangs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "STOP_TIMEOUT_S", 0.01)
    harness = Harness()
    future = harness.append(1.0)
    with pytest.raises(LogError, match="did not stop"):
        await harness.writer.stop()
    harness.store.gate.set()
    await future


async def test_a_writer_that_fails_tells_every_caller_and_takes_no_more() -> None:
    harness = Harness()
    harness.store.failure = ZeroDivisionError("a mistake in the program")
    futures = [harness.append(1.0) for _ in range(3)]
    harness.store.gate.set()
    for future in futures:
        with pytest.raises(LogError, match="a mistake in the program"):
            await asyncio.wait_for(future, 10.0)
    with pytest.raises(LogError, match="has failed"):
        harness.append(1.0)
    assert "a mistake" in (harness.writer.failure() or "")
    await harness.writer.stop()
    assert harness.store.closed


async def test_a_call_is_answered_with_its_result() -> None:
    harness = Harness()
    future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    harness.writer.submit(CallJob(lambda: 42, future))
    assert await future == 42
    await harness.writer.stop()


async def test_a_cancelled_caller_is_passed_over() -> None:
    harness = Harness()
    given_up, other = harness.append(1.0), harness.append(2.0)
    given_up.cancel()
    harness.store.gate.set()
    assert (await other).lane == 2
    await harness.writer.stop()


async def test_stop_ends_the_thread_though_jobs_of_several_commits_wait() -> None:
    harness = Harness()
    futures = [harness.append(0.0)]
    await asyncio.to_thread(harness.store.entered.wait, 10.0)
    futures += [harness.append(*range(100_000)) for _ in range(3)]
    async with asyncio.timeout(10.0), asyncio.TaskGroup() as group:
        group.create_task(harness.writer.stop())
        await asyncio.sleep(0)
        harness.store.gate.set()
    assert harness.store.groups == [1, 1, 1, 1]
    assert all(future.done() for future in futures)
