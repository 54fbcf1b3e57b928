"""One connection of one edge: reads frames, stores, writes frames. Performs, decides nothing.

Owns the tasks of a connection. A transaction that runs when the connection ends is let run to
its end: the edge hears of it in the next WELCOME.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from central.errors import BatchRefusedError, ConnectionEndedError, StoreError
from central.inbox import events
from central.inbox.ports import InboxStore, SessionGrant
from central.inbox.session import InboxSession
from central.inbox.states import State
from central.metrics import SyncMetrics
from shared.clock import Clock
from shared.errors import FrameError, PeerViolationError
from shared.logs import get_log
from shared.sync.frames import Ack, Frame, Hello, RefuseCode, Report, decode_frame, encode_frame

EVENTS_WAITING_MAX = 64  # frames read and not yet looked at; beyond it reading pauses
FRAMES_UNSENT_MAX = 1_024  # acks melt together, so only pongs and nacks count: minutes of them
HANG_UP_TIMEOUT_S = 2.0  # to write what waits and to say goodbye; a dead line takes neither
STORE_END_TIMEOUT_S = 20.0  # for the transaction that runs at the end; then it is cancelled
SETTLE_TIMEOUT_S = 2.0  # how long a newcomer waits for its predecessor's transaction

_log = get_log("inbox")
_LEFT = frozenset({State.CLOSING, State.CLOSED})


class EdgeConnection(Protocol):
    """An accepted connection; its methods raise `ConnectionEndedError` once it has ended."""

    async def send(self, encoded: bytes) -> None:
        """Send one frame; return when the transport's buffer has room again."""
        ...

    async def receive(self) -> bytes:
        """Return the next frame's bytes."""
        ...

    async def close(self) -> None:
        """Say goodbye properly; waits for the peer for a moment at most."""
        ...

    def abort(self) -> None:
        """Let go of the socket at once; harmless after `close`."""
        ...


Admit = Callable[["Conversation", Hello], Awaitable[events.Denied | None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every conversation of a listener shares; ``chance`` draws evenly from [0, 1]."""

    store: InboxStore
    clock: Clock
    metrics: SyncMetrics
    admit: Admit  # who may have a session; None: you may
    chance: Callable[[], float]


class Conversation:
    """``run`` is the whole life of a connection; ``tell`` brings in what happens elsewhere."""

    def __init__(
        self, session: InboxSession, connection: EdgeConnection, surroundings: Surroundings
    ) -> None:
        """Nothing happens before ``run``."""
        self.session = session
        self.grant: SessionGrant | None = None
        self.ended = asyncio.Event()
        self._connection = connection
        self._with = surroundings
        self._inbox: asyncio.Queue[events.Event | None] = asyncio.Queue(EVENTS_WAITING_MAX)
        self._urgent: deque[events.Event] = deque()  # from this process: not behind frames
        self._unsent: deque[Frame] = deque()
        self._has_unsent = asyncio.Event()
        self._hang_up_at_s: float | None = None
        self._jobs: asyncio.Queue[events.OpenSession | events.StoreBatches | None]
        self._jobs = asyncio.Queue(2)  # the session asks for one at a time; and the end
        self._jobs_running = 0
        self._settled = asyncio.Event()  # left, and no transaction runs any more
        self._report: Report | None = None
        self._has_report = asyncio.Event()

    def tell(self, event: events.TakenOver | events.StopRequested) -> None:
        """Hand in an event of this process."""
        self._bring(event)

    async def give_way(self) -> None:
        """End for a newer connection; return when nothing is stored any more, or soon."""
        self.tell(events.TakenOver())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                await self._settled.wait()

    async def run(self) -> None:
        """Converse until the connection has ended and its last transaction too."""
        try:
            async with asyncio.TaskGroup() as group:
                storing = group.create_task(self._store_jobs(), name="inbox-store")
                talking = [
                    group.create_task(self._read(), name="inbox-read"),
                    group.create_task(self._write(), name="inbox-write"),
                    group.create_task(self._keep_reports(), name="inbox-report"),
                ]
                await self._attend()
                for task in talking:
                    task.cancel()
                await self._end_storing(storing)
        finally:
            self._connection.abort()
            self._settled.set()
            await self._say_closed()
            self.ended.set()

    def _bring(self, event: events.Event) -> None:
        self._urgent.append(event)
        if self._inbox.empty():
            self._inbox.put_nowait(None)

    async def _attend(self) -> None:
        """Carry events to the session and actions out until the connection has ended."""
        while self.session.state is not State.CLOSED:
            event = await self._next_event()
            if event:
                for action in self._tell_session(event):
                    self._perform(action)
            if self.session.state in _LEFT and not self._jobs_running:
                self._settled.set()

    async def _next_event(self) -> events.Event | None:
        """Return the next event, waiting for it if there is none; None: look again."""
        if self._urgent:
            return self._urgent.popleft()
        deadlines_s = (self.session.deadline_s, self._hang_up_at_s)
        due_s = min((one for one in deadlines_s if one is not None), default=None)
        wait_s = None if due_s is None else due_s - self._with.clock.monotonic_s()
        if wait_s is not None and wait_s <= 0.0:
            if self._hang_up_at_s is not None:
                self._hang_up_at_s = None
                self._connection.abort()
            await asyncio.sleep(0)  # no matter what is due: the others get their turn
            return events.Tick()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                return await self._inbox.get()
        return None

    def _tell_session(self, event: events.Event) -> tuple[events.Action, ...]:
        now_s = self._with.clock.monotonic_s()
        try:
            return self.session.receive(event, now_s)
        except PeerViolationError as error:
            return self.session.receive(events.Violated(str(error)), now_s)

    def _perform(self, action: events.Action) -> None:
        match action:
            case events.OpenSession() | events.StoreBatches():
                self._jobs_running += 1
                self._jobs.put_nowait(action)
            case events.SendFrame(frame):
                self._send(frame)
            case events.KeepReport(report):
                self._report = report
                self._has_report.set()
            case events.NoteRefused() | events.NoteEnding():
                self._note(action)
            case events.HangUp():
                self._hang_up_at_s = self._with.clock.monotonic_s() + HANG_UP_TIMEOUT_S
                self._has_unsent.set()
            case _:
                assert_never(action)

    def _send(self, frame: Frame) -> None:
        last = self._unsent[-1] if self._unsent else None
        if isinstance(frame, Ack) and isinstance(last, Ack) and last.lane == frame.lane:
            self._unsent[-1] = Ack(
                lane=frame.lane,
                ranges=last.ranges.union(frame.ranges),
                credit_bytes=max(last.credit_bytes, frame.credit_bytes),
            )
        else:
            self._unsent.append(frame)
        self._has_unsent.set()
        if len(self._unsent) == FRAMES_UNSENT_MAX:
            self._bring(events.Violated("answers are not read"))

    def _note(self, note: events.NoteRefused | events.NoteEnding) -> None:
        edge = str(self.session.identity)
        match note:
            case events.NoteRefused(lane, seq, code, detail):
                self._with.metrics.refused_batches.labels(code).inc()
                _log.error("batch refused", edge=edge, lane=lane, seq=seq, code=code, detail=detail)
            case events.NoteEnding(code, detail):
                self._with.metrics.endings.labels(code).inc()
                _log.warning("session ended", edge=edge, code=code, detail=detail)
            case _:
                assert_never(note)

    # The tasks.

    async def _read(self) -> None:
        metrics = self._with.metrics
        try:
            while True:
                encoded = await self._connection.receive()
                metrics.received_bytes.inc(len(encoded))
                try:
                    frame = decode_frame(encoded)
                except FrameError as error:
                    await self._inbox.put(events.Violated(str(error)))
                else:
                    metrics.frames.labels(type(frame).__name__).inc()
                    await self._inbox.put(events.Received(frame))
        except ConnectionEndedError:
            await self._inbox.put(events.Cut())

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionEndedError):
            while True:
                while self._unsent:
                    await self._connection.send(encode_frame(self._unsent.popleft()))
                    await asyncio.sleep(0)  # a lost connection is noticed only in between
                if self._hang_up_at_s is not None:
                    await self._connection.close()
                    return
                self._has_unsent.clear()
                await self._has_unsent.wait()

    async def _store_jobs(self) -> None:
        while True:
            job = await self._jobs.get()
            match job:
                case None:
                    return
                case events.OpenSession(hello):
                    event = await self._open(hello)
                case events.StoreBatches():
                    event = await self._store(job)
                case _:
                    assert_never(job)
            self._jobs_running -= 1
            self._bring(event)

    async def _open(self, hello: Hello) -> events.Granted | events.Denied:
        try:
            denied = await self._with.admit(self, hello)
            if denied:
                return denied
            now_ms = self._with.clock.utc_ms()
            self.grant = await self._with.store.open_session(hello, now_ms)
        except StoreError as error:
            return events.Denied(RefuseCode.UNAVAILABLE, str(error))
        except Exception:  # noqa: BLE001 the edge comes back; this process serves others
            _log.exception("opening a session failed", edge=str(self.session.identity))
            return events.Denied(RefuseCode.UNAVAILABLE, "internal error at central")
        edge, epoch = str(self.session.identity), self.grant.epoch
        role, software = self.session.role, hello.software
        _log.info("edge connected", edge=edge, epoch=epoch, role=role, software=software)
        return events.Granted(self.grant, now_ms)

    async def _store(self, work: events.StoreBatches) -> events.Stored | events.StoreFailed:
        assert self.grant is not None, "batches are stored in a session only"
        now_ms = self._with.clock.utc_ms()
        try:
            result = await self._with.store.store(
                self.grant, work.series, work.batches, now_ms=now_ms
            )
        except StoreError as error:
            failed = events.StoreFailed(str(error), False, self._with.chance())
        except BatchRefusedError as error:
            failed = events.StoreFailed(str(error), True, self._with.chance())
        except Exception as error:  # noqa: BLE001 one bad batch must not stop its lane
            _log.exception("storing failed", edge=str(self.session.identity))
            failed = events.StoreFailed(f"internal error: {error}", True, self._with.chance())
        else:
            return events.Stored(result)
        return failed

    async def _keep_reports(self) -> None:
        while True:
            await self._has_report.wait()
            self._has_report.clear()
            report, grant = self._report, self.grant
            if report is not None and grant is not None:
                await self._keep_report(grant, report)

    async def _keep_report(self, grant: SessionGrant, report: Report) -> None:
        try:
            await self._with.store.record_report(grant, report, self._with.clock.utc_ms())
        except StoreError:
            return  # the next one comes in seconds
        except Exception:  # noqa: BLE001 what is for people to look at stops no data
            _log.exception("keeping a report failed", edge=str(self.session.identity))

    # The end.

    async def _end_storing(self, storing: asyncio.Task[None]) -> None:
        self._jobs.put_nowait(None)
        done, _ = await asyncio.wait([storing], timeout=STORE_END_TIMEOUT_S)
        if not done:
            _log.warning("a transaction outlives its session and is cancelled")
            storing.cancel()

    async def _say_closed(self) -> None:
        grant = self.grant
        if grant is None:
            return
        _log.info("edge disconnected", edge=str(self.session.identity), role=self.session.role)
        with contextlib.suppress(StoreError):  # sessions go stale by themselves
            await self._with.store.session_closed(grant, self._with.clock.utc_ms())
