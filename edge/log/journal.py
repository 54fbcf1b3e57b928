"""The durable log, as the rest of the edge uses it; why it is so: docs/adr/0001.

Owns opening, the writer thread, the reader thread and the lock against a second process. Every
method of `Journal` is called on the event loop and none of them blocks it.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, assert_never

from edge.config import LogConfig
from edge.errors import LogError, LogFullError
from edge.log.facts import NO_VIEW
from edge.log.grouping import encode_pending_records, unstorable_rows
from edge.log.history import EFFORT_MAX_S, search_of
from edge.log.hours import first_of_hour
from edge.log.opening import Opened, open_log
from edge.log.reader import Wanted, read_batches, read_hashes
from edge.log.records import (
    INT64_MAX,
    INT64_MIN,
    TELEMETRY_LANE,
    Committed,
    Identity,
    LogState,
    PendingBatch,
    PendingRecords,
    QuarantineEntry,
    RecentTail,
    SeriesSamples,
    StoredBatch,
)
from edge.log.writer import (
    AppendJob,
    CallJob,
    Job,
    LogWriter,
    Outcome,
    QuarantineJob,
    RecordsJob,
)
from shared.clock import Clock
from shared.domain.samples import Series
from shared.logs import get_log
from shared.sync.frames import LANES_MAX
from shared.sync.ranges import Ranges
from shared.sync.records import RECORD_LANES

# What may wait for the disk: some 100 s of 5,000 samples a second and about 50 MB. Beyond it
# `append` refuses, so that the broker keeps what comes and not our memory.
SAMPLES_WAITING_MAX = 500_000
BATCHES_WAITING_MAX = 50_000
RECORDS_WAITING_MAX = 10_000  # calls; some 10 MB
QUARANTINE_WAITING_MAX = 1_000  # entries; a flood of rubbish must not take the memory either

ResultT = TypeVar("ResultT")

_log = get_log("log")


class Journal:
    """The open log. Make one with `open`, and `close` it."""

    def __init__(self, opened: Opened, clock: Clock) -> None:
        """Use `open`."""
        self._opened = opened
        self._clock = clock
        self._store = opened.store
        self._catalogue = opened.catalogue
        self._identity = opened.identity
        self.series: list[tuple[int, Series]] = opened.catalogue.series_from(1)
        self.recent: RecentTail = opened.recent
        self._callbacks: list[Callable[[Committed], None]] = []
        self._samples_waiting = 0
        self._batches_waiting = 0
        self._records_waiting = 0
        self._quarantine_waiting = 0
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")
        self._writer = LogWriter(self._store, clock, self._answered)
        self._writer.start()

    @staticmethod
    def open(
        state_dir: Path, site: str, edge_id: str, config: LogConfig, clock: Clock
    ) -> "Journal":
        """Open the log under ``state_dir``, recovering what an interruption left.

        Takes from milliseconds to some seconds of disk time: call it before the event loop runs,
        or in a thread. `series` is then the catalogue, `recent` the newest device messages.

        Raises:
            LogVersionError: SQLite is unsafe or a newer version wrote the files.
            LogForeignError: the directory belongs to another site, edge or installation.
            LogError: another process has it open, or it cannot be written.
        """
        return Journal(open_log(state_dir, site, edge_id, config, clock), clock)

    async def append(self, batch: PendingBatch) -> Committed:
        """Store ``batch``; it is on disk when this returns. Callers at one time share a commit.

        The numbers returned are those of the whole group. A cancelled call may still be stored.

        Raises:
            LogFullError: too much waits, the disk or the budget is full. LogError: the disk
                failed, or the log is closed. ValueError: the batch is not what it must be.
            In each case nothing of it is stored, except its new catalogue entries.
        """
        samples = len(batch.series_ix)
        _check(batch)
        self._catalogue.register(batch.new_series, batch.new_sources)
        self._refuse_if_too_much(samples)
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._writer.submit(
            AppendJob(batch, self._catalogue.series_count, self._catalogue.source_count, future)
        )
        self._samples_waiting += samples
        self._batches_waiting += 1
        return await future

    async def append_records(self, pending: PendingRecords) -> Committed:
        """Store records in an urgent lane; they are on disk when this returns.

        They pass all samples that wait. A cancelled call may still be stored.

        Raises:
            LogFullError: too many wait, or the disk is full. LogError: the disk failed, or the log
                is closed. ValueError: they are not what they must be. Nothing of them is stored.
        """
        if pending.lane not in RECORD_LANES:
            raise ValueError(f"lane must be one of {sorted(RECORD_LANES)}, got {pending.lane}")
        if self._records_waiting >= RECORDS_WAITING_MAX:
            raise LogFullError(f"{self._records_waiting} calls with records wait for the disk")
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._writer.submit(RecordsJob(pending.lane, encode_pending_records(pending), future))
        self._records_waiting += 1
        return await future

    def unstorable(self, batch: PendingBatch) -> list[tuple[int, str]]:
        """Return the rows, by position, for which `append` raised ValueError, and why.

        Slow: for a batch that was refused.
        """
        return unstorable_rows(batch, self._catalogue.value_types)

    async def quarantine(self, entries: Sequence[QuarantineEntry]) -> None:
        """Keep messages that were not accepted; they are on disk when this returns.

        Raises:
            LogFullError: no space, or too many wait. LogError: the disk failed. Nothing is stored.
        """
        if not entries:
            return
        waiting = self._quarantine_waiting
        if waiting and waiting + len(entries) > QUARANTINE_WAITING_MAX:
            raise LogFullError(f"{waiting} quarantine entries wait for the disk already")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.submit(QuarantineJob(entries, future))
        self._quarantine_waiting += len(entries)
        await future

    async def read(
        self, lane: int, first_seq: int, last_seq: int, size_max_bytes: int
    ) -> list[StoredBatch]:
        """Return held batches of the range, ascending, until their bodies exceed the size.

        At least one if there is any; numbers that are missing were removed or are lost. A batch
        that does not match its checksum is salvaged around and declared lost.

        Raises:
            LogError: if the disk cannot be read.
        """
        for _ in range(_READ_ATTEMPTS):
            view = self._store.views.get(lane, NO_VIEW)
            wanted = Wanted(first_seq, last_seq, size_max_bytes, view.lost)
            result = await self._read(
                partial(read_batches, self._opened.readers, view.segments, wanted)
            )
            if result.suspect is None or result.batches:
                return result.batches
            await self._call(partial(self._store.repair, lane, result.suspect.first_seq))
        raise LogError(f"lane {lane}: batches {first_seq} to {last_seq} cannot be read")

    async def hashes(self, lane: int, seqs: Sequence[int]) -> dict[int, bytes]:
        """Return the sha256 of those of ``seqs`` that are held, by number.

        Raises:
            LogError: if the disk cannot be read.
        """
        view = self._store.views.get(lane, NO_VIEW)
        return await self._read(partial(read_hashes, self._opened.readers, view.segments, seqs))

    async def first_of_hour(self, lane: int, seq: int) -> int:
        """Return the first number of the hour in which batch ``seq`` was received.

        Raises:
            LogError: the log is closed.
        """
        view = self._store.views.get(lane, NO_VIEW)
        return await self._read(partial(first_of_hour, self._opened.readers, view.segments, seq))

    async def read_samples(
        self, series_ix: int, *, start_ms: int, end_ms: int, samples_max: int
    ) -> SeriesSamples:
        """Return the newest held samples of a series in ``[start_ms, end_ms)``, ascending in time.

        Bounded by ``samples_max``, `edge.log.history.SAMPLES_MAX` and EFFORT_MAX_S; the answer says
        from when on it is complete. Telemetry lane only.

        Raises:
            LogError: if the disk cannot be read.
        """
        search = search_of(
            self._opened.readers,
            self._store.views.get(TELEMETRY_LANE, NO_VIEW).segments,
            series_ix=series_ix,
            span_ms=(start_ms, end_ms),
            limit=samples_max,
        )
        deadline_s = self._clock.monotonic_s() + EFFORT_MAX_S
        while not search.done and self._clock.monotonic_s() < deadline_s:
            await self._read(search.step)
        return await self._read(search.result)

    async def read_series(self, first_ix: int) -> list[tuple[int, Series]]:
        """Return the catalogue from number ``first_ix`` on, what was given lately included."""
        return self._catalogue.series_from(max(1, first_ix))

    async def acknowledge(self, lane: int, ranges: Ranges) -> None:
        """Note, durably, that central holds these batches; old segments may go.

        Raises:
            LogError: if it cannot be written; the log goes on, knowing it until it is closed.
        """
        await self._call(partial(self._store.acknowledge, lane, ranges))

    async def reconcile(self, lane: int, held: Ranges) -> None:
        """Note, durably, that central holds exactly these, and owe it everything else.

        For the start of a session, where central says what it has: it may have less than it once
        acknowledged, after its own restore. Raises as `acknowledge`.
        """
        await self._call(partial(self._store.reconcile, lane, held))

    async def set_session(self, epoch: int, central_uuid: str) -> None:
        """Keep what central granted, durably. Another central is owed everything that is held.

        Raises:
            LogError: if it cannot be written.
        """
        await self._call(partial(self._store.set_session, epoch, central_uuid))
        self._identity = Identity(
            self._identity.site,
            self._identity.edge_id,
            self._identity.install_uuid,
            epoch,
            central_uuid,
        )

    def identity(self) -> Identity:
        """Return who this installation is."""
        return self._identity

    def state(self) -> LogState:
        """Return how the log stands: a ready value, as of the last commit or half a second ago."""
        return self._store.state

    def failure(self) -> str | None:
        """Return why the log takes nothing more until the process is started again, or None.

        Only a mistake in the program can bring it there; errors of the disk are survived.
        """
        return self._writer.failure()

    def on_commit(self, callback: Callable[[Committed], None]) -> None:
        """Have ``callback`` called on the loop after each commit that stored batches."""
        self._callbacks.append(callback)

    async def close(self) -> None:
        """Store what was handed over, close all files and let another process open the log.

        Raises:
            LogError: if the writer does not end in time; the lock is kept then.
        """
        await asyncio.to_thread(self._reading.shutdown)
        await self._writer.stop()
        self._opened.lock.close()

    def _refuse_if_too_much(self, samples: int) -> None:
        # The first is taken however large it is: refused, it would come again for ever.
        if self._batches_waiting and (
            self._batches_waiting >= BATCHES_WAITING_MAX
            or self._samples_waiting + samples > SAMPLES_WAITING_MAX
        ):
            raise LogFullError(
                f"{self._batches_waiting} batches of {self._samples_waiting} samples "
                "wait for the disk already"
            )

    def _answered(self, outcomes: Sequence[Outcome]) -> None:
        committed: dict[Committed, None] = {}  # a set that keeps the order
        for outcome in outcomes:
            self._forget_waiting(outcome.job)
            if isinstance(outcome.result, Committed):
                committed[outcome.result] = None
        for one in committed:
            if one.last_seq >= one.first_seq:
                for callback in self._callbacks:
                    callback(one)

    def _forget_waiting(self, job: Job) -> None:
        match job:
            case AppendJob(batch=batch):
                self._samples_waiting -= len(batch.series_ix)
                self._batches_waiting -= 1
            case RecordsJob():
                self._records_waiting -= 1
            case QuarantineJob(entries=entries):
                self._quarantine_waiting -= len(entries)
            case CallJob():
                pass
            case _:
                assert_never(job)

    async def _call(self, function: Callable[[], object]) -> None:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._writer.submit(CallJob(function, future))
        await future

    async def _read(self, function: Callable[[], ResultT]) -> ResultT:
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._reading, function)
        except RuntimeError as error:  # the executor was shut down
            raise LogError("the log is closed") from error
        return await reading


_READ_ATTEMPTS = 3  # a segment is repaired at most once; more means that the disk fails now


def _check(batch: PendingBatch) -> None:
    lengths = {
        len(column)
        for column in (batch.series_ix, batch.value_type, batch.ts_ms, batch.value, batch.quality)
    }
    if len(lengths) != 1:
        raise ValueError("the columns of a batch must have one length")
    if not INT64_MIN <= batch.recv_min_ms <= batch.recv_max_ms <= INT64_MAX:
        raise ValueError("recv_min_ms must not exceed recv_max_ms, and both must fit 64 bits")
    if not 0 <= batch.lane < LANES_MAX:
        raise ValueError(f"lane must be 0 to {LANES_MAX - 1}, got {batch.lane}")
