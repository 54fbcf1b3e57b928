"""The writer thread: the only one that writes to the log, commits groups, and answers for them.

Whatever waits when the thread becomes free is one group: one transaction, one flush, one answer to
the event loop. Under load it waits a little for company; a lone caller never waits.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from edge.errors import LogError
from edge.log.grouping import EncodedBatch
from edge.log.records import Committed, PendingBatch, QuarantineEntry
from shared.clock import Clock
from shared.logs import get_log

# One transaction: some 20 batches, 0.1 s of encoding. More waits for the next.
SAMPLES_PER_COMMIT_MAX = 131_072
# Like PostgreSQL's commit_siblings and commit_delay: where this many callers waited last time,
# commits are spaced, at most 50 a second. One costs about 2 ms of processor whatever is in it.
COMPANY_MIN = 4
COMMIT_SPACING_S = 0.02
IDLE_TICK_S = 1.0  # how often free space is looked at when nothing is appended
STOP_TIMEOUT_S = 30.0  # to commit what waits and copy the write-ahead logs; a slow disk needs it

_log = get_log("log")


@dataclass(frozen=True, slots=True)
class AppendJob:
    """A batch that one caller wants durable; the counts say which catalogue it needs."""

    batch: PendingBatch
    series_count: int
    source_count: int
    future: asyncio.Future[Committed]


@dataclass(frozen=True, slots=True)
class RecordsJob:
    """Records of an urgent lane; they are stored before any samples that wait."""

    lane: int
    batch: EncodedBatch
    future: asyncio.Future[Committed]


@dataclass(frozen=True, slots=True)
class QuarantineJob:
    """Messages that were not accepted."""

    entries: Sequence[QuarantineEntry]
    future: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class CallJob:
    """Anything else that must happen in the writer thread."""

    call: Callable[[], object]
    future: asyncio.Future[Any]


class StopJob:
    """The last job: what was given before it is done, nothing comes after it."""


Job = AppendJob | RecordsJob | QuarantineJob | CallJob


class Group(NamedTuple):
    """Jobs taken together, by what is to be done with them."""

    appends: list[AppendJob]
    records: list[RecordsJob]
    quarantines: list[QuarantineJob]
    calls: list[CallJob]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one job: its result, or the error it gets instead."""

    job: Job
    result: object = None
    error: LogError | ValueError | None = None


class LogStore(Protocol):
    """What the thread works on; its methods are called in the thread only.

    Operating errors are in the outcomes; what these methods raise is a programmer's error.
    """

    def commit(self, jobs: Sequence[AppendJob]) -> list[Outcome]:
        """Store a group; return an answer to each job."""
        ...

    def commit_records(self, jobs: Sequence[RecordsJob]) -> list[Outcome]:
        """Store records; return an answer to each job."""
        ...

    def quarantine(self, jobs: Sequence[QuarantineJob]) -> list[Outcome]:
        """Store entries; return an answer to each job."""
        ...

    def call(self, job: CallJob) -> Outcome:
        """Do what a job asks."""
        ...

    def maintain(self) -> None:
        """Do what can be done between groups."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class LogWriter:
    """Owns the thread and its queue. Its public methods are called on the event loop."""

    def __init__(
        self, store: LogStore, clock: Clock, answered: Callable[[Sequence[Outcome]], None]
    ) -> None:
        """``answered`` is called on the loop, once for each group, before its callers resume."""
        self._store = store
        self._clock = clock
        self._answered = answered
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: queue.SimpleQueue[Job | StopJob] = queue.SimpleQueue()
        self._waiting: deque[Job] = deque()
        self._in_hand: list[Job] = []  # taken from the queue and not answered yet
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Hand over a job; its future is resolved on the loop it belongs to.

        Raises:
            LogError: if the writer was stopped or has failed.
        """
        if self._failure is not None:
            raise LogError(f"the log's writer has failed: {self._failure!r}")
        if self._stopping.is_set():
            raise LogError("the log is closed")
        self._loop = job.future.get_loop()
        self._queue.put(job)
        if self._failure is not None:  # it failed just now and may not have seen this job
            self._fail_all(self._failure)

    def failure(self) -> str | None:
        """Return why the thread ended on its own, or None."""
        return None if self._failure is None else repr(self._failure)

    async def stop(self) -> None:
        """Do everything handed over so far, close the files and end the thread.

        Raises:
            LogError: if that takes more than STOP_TIMEOUT_S.
        """
        if not self._stopping.is_set():
            self._stopping.set()
            self._queue.put(StopJob())
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)
        if self._thread.is_alive():
            raise LogError(f"the log's writer did not stop within {STOP_TIMEOUT_S:g} s")

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 the thread's outermost edge: nobody else can tell
            self._failure = error
            _log.critical("the log's writer has failed", exc_info=error)
            self._put_back()
            self._fail_all(error)
        finally:
            self._store.close()

    def _work(self) -> None:
        company = 0
        stopping = False
        while not stopping or self._waiting:
            stopping = self._gather() or stopping
            started_s = self._clock.monotonic_s()
            group = self._take_group()
            if group.records:
                self._answer(self._store.commit_records(group.records))
            if group.appends:
                self._answer(self._store.commit(group.appends))
            if group.quarantines:
                self._answer(self._store.quarantine(group.quarantines))
            for job in group.calls:
                self._answer([self._store.call(job)])
            self._store.maintain()
            company = len(group.appends)
            if company >= COMPANY_MIN and not stopping:
                spent_s = self._clock.monotonic_s() - started_s
                self._stopping.wait(max(0.0, COMMIT_SPACING_S - spent_s))

    def _gather(self) -> bool:
        """Wait for a job unless some wait already, take all there are; tell whether to stop."""
        stop = False
        try:
            job = self._queue.get(block=not self._waiting, timeout=IDLE_TICK_S)
            while True:
                if isinstance(job, StopJob):
                    stop = True
                else:
                    self._waiting.append(job)
                job = self._queue.get_nowait()
        except queue.Empty:
            return stop

    def _take_group(self) -> Group:
        """Take jobs in order until a commit is full, at least one if there is any; all records."""
        group = Group([], self._take_records(), [], [])
        samples = 0
        while self._waiting:
            match self._waiting[0]:
                case AppendJob() as job:
                    samples += len(job.batch.series_ix)
                    if group.appends and samples > SAMPLES_PER_COMMIT_MAX:
                        break
                    group.appends.append(job)
                case QuarantineJob() as job:
                    group.quarantines.append(job)
                case CallJob() as job:
                    group.calls.append(job)
                case RecordsJob():
                    raise AssertionError("all records were taken")
            self._in_hand.append(self._waiting.popleft())
        return group

    def _take_records(self) -> list[RecordsJob]:
        taken = [job for job in self._waiting if isinstance(job, RecordsJob)]
        if taken:
            self._waiting = deque(job for job in self._waiting if not isinstance(job, RecordsJob))
            self._in_hand.extend(taken)
        return taken

    def _answer(self, outcomes: Sequence[Outcome]) -> None:
        answered = {id(outcome.job) for outcome in outcomes}
        self._in_hand = [job for job in self._in_hand if id(job) not in answered]
        self._tell(outcomes)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():  # nobody is left to hear it
            return
        loop.call_soon_threadsafe(self._resolve, outcomes)

    def _resolve(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            future: asyncio.Future[Any] = outcome.job.future
            if future.done():  # its caller was cancelled
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)
        self._answered(outcomes)

    def _fail_all(self, error: Exception) -> None:
        """Answer whatever is left; also called on the loop, for what came too late to be seen."""
        unanswered: list[Job] = []
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._queue.get_nowait()
                if not isinstance(job, StopJob):
                    unanswered.append(job)
        message = f"the log's writer has failed: {error!r}"
        self._tell([Outcome(job, error=LogError(message)) for job in unanswered])

    def _put_back(self) -> None:
        """Hand back to the queue what was taken and not answered."""
        for job in (*self._in_hand, *self._waiting):
            self._queue.put(job)
        self._in_hand = []
        self._waiting.clear()
