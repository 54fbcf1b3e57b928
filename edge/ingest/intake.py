"""From messages to the log: the work loop of ingest. Owns order, backpressure and the promise.

The promise: a message is acknowledged only after everything it produced is on disk: refusals and
declared gaps first, then alerts, samples last. In that order a crash in between makes a refusal
appear twice at worst, and an alert is known by its id; in the other order the redelivery would be
taken for a duplicate, and refusal, gap and alert would be lost.

Messages are judged in arrival order into a group; groups are committed one after the other, so
that acknowledgements leave in the order of arrival. What a full log refuses is tried again for ever
and stays unacknowledged meanwhile; reading stops, and the broker keeps what it cannot deliver.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from edge.errors import LogError
from edge.ingest.admission import SLICE_SAMPLES, Admission
from edge.ingest.decoded import Reason
from edge.ingest.group import Acknowledge, Group
from edge.ingest.pace import SILENCE_S, Pace
from edge.ingest.ports import CommitHooks, Stores
from edge.ingest.stream import Publish
from edge.ingest.unstorable import refused_rows, without_rows
from edge.log.records import PendingBatch
from edge.metrics import EdgeMetrics
from shared.clock import Clock
from shared.logs import get_log

# Judging stops here and waits for the disk. All of it fits well into the window of `seen.py`.
JUDGED_SAMPLES_MAX: Final = 50_000
JUDGED_VALUES_MAX: Final = 100_000  # about 10 MB of rows
# Reading stops here. 20,000 messages are 4 s at 5,000 a second: no disk stalls longer unnoticed.
WAITING_MESSAGES_MAX: Final = 20_000
WAITING_BYTES_MAX: Final = 33_554_432  # four payloads of the largest size that may be configured
RESUME_PART: Final = 0.5  # reading goes on when this part of either limit is left
# A commit is not held back for company when it is this large already: about 20 KB encoded.
COMMIT_VALUES: Final = 8_192
# Larger payloads are decoded in a thread and judged in slices. Parsing itself does not hand the
# interpreter over: 512 KiB, the default limit, hold it for 7 ms as JSON and 19 ms as msgpack.
# This much holds 250 samples at most: 2.5 ms.
INLINE_PAYLOAD_MAX_BYTES: Final = 8_192
# An idle work loop turns this often, and a commit may hang this long, before the watchdog starves.
IDLE_BEAT_S: Final = 2.0
ATTEMPT_MAX_S: Final = 20.0
COMMIT_RETRY_MIN_S: Final = 0.1
COMMIT_RETRY_MAX_S: Final = 5.0  # a disk that was freed by hand is used again this soon


@dataclass(frozen=True, slots=True)
class Load:
    """What has been read and is not durable yet."""

    messages: int
    size_bytes: int
    trouble: str | None  # why the log refuses to take more, if so


class _Waiting(msgspec.Struct, frozen=True):
    message: Publish
    acknowledge: Acknowledge
    received_ms: int
    received_s: float


class Intake:
    """Judges and commits what it is offered. Run ``run`` in a task; ``offer`` never blocks."""

    def __init__(
        self,
        *,
        admission: Admission,
        stores: Stores,
        linger_s: float,
        clock: Clock,
        metrics: EdgeMetrics,
        hooks: CommitHooks,
    ) -> None:
        self._admission = admission
        self._log = stores.log
        self._gaps = stores.gaps
        self._linger_s = linger_s
        self._clock = clock
        self._metrics = metrics
        self._counts = metrics.ingest
        self._hooks = hooks
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._arrived_s = 0.0
        self._group = Group(0.0)
        self._committing: Group | None = None
        self._between_messages = asyncio.Event()
        self._between_messages.set()
        self._filled = asyncio.Event()  # the group has something to commit
        self._hurry = asyncio.Event()  # and there is no reason to wait for more
        self._relieved = asyncio.Event()  # the group was taken by the committer
        self._settled = asyncio.Event()
        self._pace = Pace()
        self._attempt_s = clock.monotonic_s()  # when the log was last asked or answered
        self._resume: list[Callable[[], None]] = []
        self._beat: Callable[[], None] | None = None
        self._trouble: str | None = None
        self._warnings = get_log("ingest")

    @property
    def load(self) -> Load:
        """Return what is on its way; all of it is still the broker's responsibility."""
        groups = [group for group in (self._group, self._committing) if group is not None]
        return Load(
            len(self._waiting) + sum(group.messages for group in groups),
            self._waiting_bytes + sum(group.size_bytes for group in groups),
            self._trouble,
        )

    @property
    def is_full(self) -> bool:
        """Tell whether whoever reads must stop until its ``on_relief`` callback is called."""
        # Asked after every read: without making a `Load`.
        messages, size_bytes = len(self._waiting), self._waiting_bytes
        for group in (self._group, self._committing):
            if group is not None:
                messages += group.messages
                size_bytes += group.size_bytes
        return messages >= WAITING_MESSAGES_MAX or size_bytes >= WAITING_BYTES_MAX

    def on_relief(self, resume: Callable[[], None]) -> None:
        """Add what is called, on the loop, when there is room again."""
        self._resume.append(resume)

    def on_beat(self, beat: Callable[[], None]) -> None:
        """Set what the work loop calls while work goes on; a disk that hangs silences it."""
        self._beat = beat

    def offer(self, messages: Sequence[Publish], acknowledge: Acknowledge) -> None:
        """Take messages in the order of arrival; ``acknowledge`` is called when they are durable.

        Nothing is refused here: the reader looks at ``is_full`` and stops.
        """
        received_ms, received_s = self._clock.utc_ms(), self._clock.monotonic_s()
        self._arrived_s = received_s
        self._pace.arrived(received_s)
        for message in messages:
            self._waiting.append(_Waiting(message, acknowledge, received_ms, received_s))
            self._waiting_bytes += len(message.payload)
        self._arrived.set()

    async def run(self) -> None:
        """Judge and commit until cancelled; only a broken programme makes it raise."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._judge_all(), name="judging")
            group.create_task(self._commit_all(), name="committing")

    async def flush(self) -> None:
        """Return when everything offered so far is durable and acknowledged."""
        while self.load.messages:
            self._settled.clear()
            self._hurry.set()
            await self._settled.wait()

    async def _judge_all(self) -> None:
        while True:
            self._prove_alive()
            if not self._waiting:
                self._arrived.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_BEAT_S):
                        await self._arrived.wait()
            done = 0
            while self._waiting and done < SLICE_SAMPLES:
                if self._has_enough():
                    await self._wait_for_the_disk()
                elif len(self._waiting[0].message.payload) > INLINE_PAYLOAD_MAX_BYTES:
                    done += await self._judge_large()
                else:
                    done += self._judge_small()
            self._announce()
            await asyncio.sleep(0)

    def _prove_alive(self) -> None:
        if self._beat is None:
            return
        waited_s = self._clock.monotonic_s() - self._attempt_s
        if self._committing is None or waited_s < ATTEMPT_MAX_S:
            self._beat()

    def _announce(self) -> None:
        group = self._group
        if not group.messages:
            return
        self._filled.set()
        if group.values >= COMMIT_VALUES:
            self._hurry.set()

    def _judge_small(self) -> int:
        """Judge the oldest waiting message; return about how many samples that took."""
        waiting = self._take_waiting()
        contents = self._admission.decode(waiting.message)
        group = self._begin(waiting)
        samples = group.samples
        for _ in self._admission.admit(waiting.message, contents, waiting.received_ms, group):
            pass  # it is small: the loop may wait for it
        return max(1, group.samples - samples)

    async def _judge_large(self) -> int:
        """Judge the oldest waiting message, giving the loop back in between."""
        message = self._waiting[0].message
        contents = await asyncio.to_thread(self._admission.decode, message)
        waiting = self._take_waiting()
        group = self._begin(waiting)
        samples = group.samples
        for _ in self._admission.admit(message, contents, waiting.received_ms, group):
            self._between_messages.clear()  # the group must not be committed now
            await asyncio.sleep(0)
        self._between_messages.set()
        return max(1, group.samples - samples)

    def _take_waiting(self) -> _Waiting:
        waiting = self._waiting.popleft()
        self._waiting_bytes -= len(waiting.message.payload)
        return waiting

    def _begin(self, waiting: _Waiting) -> Group:
        group = self._group
        if not group.messages:
            group.opened_s = waiting.received_s
        group.begin_message(waiting.message, waiting.acknowledge, waiting.received_ms)
        return group

    async def _wait_for_the_disk(self) -> None:
        self._announce()
        self._hurry.set()
        self._relieved.clear()
        await self._relieved.wait()

    def _has_enough(self) -> bool:
        return self._group.samples >= JUDGED_SAMPLES_MAX or self._group.values >= JUDGED_VALUES_MAX

    async def _commit_all(self) -> None:
        while True:
            await self._filled.wait()
            await self._linger()
            while not self._between_messages.is_set():
                await self._between_messages.wait()
            now_s = self._clock.monotonic_s()
            self._pace.closed(silent_s=now_s - self._arrived_s)
            group, self._group = self._group, Group(now_s)
            self._committing = group
            self._filled.clear()
            self._hurry.clear()
            self._relieved.set()
            await self._commit(group)
            self._counts.acknowledged += group.acknowledge()
            self._pace.acknowledged(self._clock.monotonic_s())
            self._committing = None
            self._settled.set()
            self._offer_relief()

    async def _linger(self) -> None:
        """Wait for company until the group is old or large, or the broker waits for us."""
        while not self._hurry.is_set():
            now_s = self._clock.monotonic_s()
            wait_s = self._group.opened_s + self._linger_s - now_s
            if self._pace.broker_waits:
                wait_s = min(wait_s, self._arrived_s + SILENCE_S - now_s)
            if wait_s <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._hurry.wait()

    async def _commit(self, group: Group) -> None:
        started_s = self._clock.monotonic_s()
        entries = group.entries
        if entries:
            await self._persist("quarantine", lambda: self._log.quarantine(entries))
        if group.gaps or group.recovered:
            await self._persist("gaps", lambda: self._gaps.declare(group.gaps, group.recovered))
        batch = group.batch(*self._admission.catalogue.take_new())
        if batch is not None:
            alerts = self._hooks.watch.judge(batch)
            if alerts:
                await self._persist("alerts", lambda: self._hooks.watch.store(alerts))
            batch = await self._append(batch)
        now_s = self._clock.monotonic_s()
        self._counts.commits += 1
        self._counts.last_commit_ms = self._clock.utc_ms()
        self._metrics.commit_latency_s.observe(now_s - started_s)
        self._metrics.message_latency_s.observe(now_s - group.opened_s)
        self._metrics.commit_messages.observe(group.messages)
        if batch is not None:
            self._counts.values += len(batch.series_ix)
            self._hooks.committed(batch)

    async def _append(self, batch: PendingBatch) -> PendingBatch:
        """Store ``batch`` and return what was stored.

        A row that the log can never take would come again with every redelivery and end the edge
        each time. The rules of decoding let none through; should one, it alone is refused.
        """
        try:
            await self._persist("append", lambda: self._log.append(batch))
        except ValueError as error:
            unstorable = self._log.unstorable(batch)
            self._warnings.critical("the log refuses rows", rows=len(unstorable), detail=str(error))
            if not unstorable:
                raise
            entries = refused_rows(batch, unstorable, self._admission.catalogue)
            for _ in unstorable:
                self._counts.refuse(Reason.BAD_VALUE)
            await self._persist("quarantine", lambda: self._log.quarantine(entries))
            rest = without_rows(batch, {row for row, _ in unstorable})
            await self._persist("append", lambda: self._log.append(rest))
            return rest
        return batch

    async def _persist(self, what: str, write: Callable[[], Awaitable[object]]) -> None:
        """Repeat ``write`` until it succeeds: nothing that was read may be given up."""
        retry_s = COMMIT_RETRY_MIN_S
        while True:
            self._attempt_s = self._clock.monotonic_s()
            try:
                await write()
            except LogError as error:
                self._prove_alive()
                self._counts.commit_failures += 1
                self._trouble = f"{error.code}: {error}"
                self._warnings.error(
                    "nothing is acknowledged until the log takes it",
                    what=what,
                    code=error.code,
                    detail=str(error),
                    retry_s=retry_s,
                    messages_waiting=self.load.messages,
                )
            else:
                if self._trouble is not None:
                    self._warnings.warning("the log takes messages again", what=what)
                    self._trouble = None
                return
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, COMMIT_RETRY_MAX_S)

    def _offer_relief(self) -> None:
        load = self.load
        has_room = (
            load.messages <= WAITING_MESSAGES_MAX * RESUME_PART
            and load.size_bytes <= WAITING_BYTES_MAX * RESUME_PART
        )
        if has_room:
            for resume in self._resume:
                resume()
