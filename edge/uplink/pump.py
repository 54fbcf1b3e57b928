"""The uplink's shell: carries events to the session and performs what it asks for, for ever.

Journal <-> session <-> line. Owns the tasks, the waiting and the link state; decides nothing
about the protocol. Whatever goes wrong, it logs the cause once, waits and begins anew.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from edge.config import BackfillOrder, UplinkConfig
from edge.errors import LogError
from edge.log.records import Committed
from edge.uplink import events
from edge.uplink.backoff import Backoff
from edge.uplink.framing import (
    Installation,
    LinkFigures,
    answer_read,
    make_hello,
    make_report,
    seqs_to_mark,
)
from edge.uplink.line import DialAnswered, Line
from edge.uplink.link import LinkStage, LinkState
from edge.uplink.ports import SyncedLog
from edge.uplink.session import UplinkSession
from edge.uplink.spending import Spending, limits_of
from edge.uplink.states import State
from edge.uplink.transport import Dial, WebSocketDialer
from shared.clock import Clock
from shared.errors import PeerViolationError
from shared.logs import get_log
from shared.sync.frames import Batch, Role, Welcome
from shared.sync.ranges import Ranges

EVENTS_WAITING_MAX = 256  # frames read and not yet looked at: 256 MiB were they all the longest,
# but central sends nothing longer than a WELCOME
ACKNOWLEDGE_EVERY_S = 1.0  # each costs the log a flush; nothing is lost by being late, as WELCOME
# says it all again
RESTART_AFTER_S = 5.0  # after an error of this program, which the same event may cause again

_log = get_log("uplink")


class Uplink:
    """The link to central. ``run`` it in a task group; look at ``link`` at any time."""

    def __init__(
        self,
        config: UplinkConfig,
        log: SyncedLog,
        installation: Installation,
        clock: Clock,
        *,
        dial: Dial | None = None,
        spending: Spending | None = None,
    ) -> None:
        """``dial`` defaults to a WebSocket as configured, ``spending`` to one that is not kept."""
        self.link = LinkState(LinkStage.WAITING, since_ms=clock.utc_ms())
        self._config = config
        self._journal = log
        self._installation = installation
        self._clock = clock
        self._dial = dial or WebSocketDialer(config)
        self._chance = random.random
        self._spending = spending or Spending(limits_of(config), clock)
        self._is_held_up = False  # what the session was told
        self._served = installation.role
        self._tell_served: Callable[[Role], None] | None = None
        self._session = self._new_session(0.0)
        self._line: Line | None = None
        self._inbox: asyncio.Queue[events.Event | DialAnswered | None] = asyncio.Queue(
            EVENTS_WAITING_MAX
        )
        self._sent_bytes = 0  # on earlier lines
        self._grown: dict[int, int] = {}
        self._acked: dict[int, Ranges] = {}
        self._acknowledge_at_s = 0.0
        self._is_stopping = False
        self._told_cause: str | None = None
        log.on_commit(self._on_commit)

    def on_served(self, callback: Callable[[Role], None]) -> None:
        """Have ``callback`` called with what the connection serves, at each WELCOME."""
        self._tell_served = callback

    def stop(self) -> None:
        """Say goodbye and end ``run``; harmless when called again."""
        self._is_stopping = True
        self._nudge()

    async def run(self) -> None:
        """Keep the link up until `stop`; returns then. Cancelling it drops the connection."""
        while not self._is_over:
            try:
                async with asyncio.TaskGroup() as group:
                    await self._pump(group)
            except* Exception:  # noqa: BLE001 the outermost edge of this task
                _log.exception("uplink failed and begins anew", retry_in_s=RESTART_AFTER_S)
                self.link = replace(self.link, faults=self.link.faults + 1)
                self._session = self._new_session(RESTART_AFTER_S)
                self._inbox = asyncio.Queue(EVENTS_WAITING_MAX)  # nothing of the old line
        await self._acknowledge()
        await self._spending.save(is_last=True)

    @property
    def _is_over(self) -> bool:
        return self._session.state is State.STOPPED

    def _new_session(self, delay_s: float) -> UplinkSession:
        self._is_held_up = False
        backoff = Backoff(self._config.backoff_min_s, self._config.backoff_max_s)
        return UplinkSession(
            silence_timeout_s=self._config.silence_timeout_s,
            backoff=backoff,
            now_s=self._clock.monotonic_s() + delay_s,
            role=self._installation.role,
            is_newest_first=self._config.backfill_order is BackfillOrder.NEWEST_HOUR_FIRST,
        )

    async def _pump(self, group: asyncio.TaskGroup) -> None:
        while not self._is_over:
            event = await self._next_event()
            todo: deque[events.Event] = deque([event] if event else [])
            while todo:
                for action in self._tell(todo.popleft()):
                    answer = await self._perform(action, group)
                    if answer:
                        todo.append(answer)
            if self._acked and self._clock.monotonic_s() >= self._acknowledge_at_s:
                await self._acknowledge()
            await self._spending.save()
            self._show()

    # What happens.

    async def _next_event(self) -> events.Event | None:
        """Return the next event, waiting for it if there is none; None: look again."""
        if self._is_stopping and self._session.state not in {State.STOPPING, State.STOPPED}:
            return events.StopRequested()
        if self._grown:
            return events.Committed(*self._grown.popitem())
        wait_s = self._wait_s()
        if wait_s is not None and wait_s <= 0.0:
            await asyncio.sleep(0)  # no matter what is due: the others get their turn
            return events.Tick()
        try:
            async with asyncio.timeout(wait_s):
                event = await self._inbox.get()
        except TimeoutError:
            return events.Tick()
        return await self._informed(event)

    async def _informed(self, event: events.Event | DialAnswered | None) -> events.Event | None:
        """Return ``event`` with what the log has to say about it."""
        match event:
            case DialAnswered(congestion=congestion):
                self._note_congestion(congestion)
                return await self._opened()
            case events.Received(Welcome(marks=marks)) as received:
                wanted = {lane: [mark.seq for mark in of_lane] for lane, of_lane in marks.items()}
                return replace(received, hashes=await self._hashes(wanted))
            case _:
                return event

    def _wait_s(self) -> float | None:
        """Return how long there is nothing to do unless something comes; None: for ever."""
        deadlines_s = [self._session.deadline_s]
        if self._acked:
            deadlines_s.append(self._acknowledge_at_s)
        due_s = min((one for one in deadlines_s if one is not None), default=None)
        waits_s = [None if due_s is None else due_s - self._clock.monotonic_s()]
        if self._session.state is State.STREAMING:
            waits_s.append(self._spending.judge().look_again_s)
        return min((one for one in waits_s if one is not None), default=None)

    def _on_commit(self, committed: Committed) -> None:
        self._grown[committed.lane] = committed.last_seq
        self._nudge()

    def _nudge(self) -> None:
        if self._inbox.empty():
            self._inbox.put_nowait(None)

    def _note_congestion(self, congestion: str | None) -> None:
        """Show what the kernel uses, and say once when it is not what was asked for."""
        if congestion not in {self.link.congestion, self._config.congestion}:
            asked = self._config.congestion
            _log.warning("the kernel gives another control", asked=asked, in_use=congestion)
        self.link = replace(self.link, congestion=congestion)

    async def _opened(self) -> events.Opened:
        state = self._journal.state()
        hashes = await self._hashes(seqs_to_mark(state, self._session.seqs_wanted))
        identity, now_ms = self._journal.identity(), self._clock.utc_ms()
        hello = make_hello(identity, state, self._installation, hashes=hashes, now_ms=now_ms)
        self.link = replace(self.link, connects=self.link.connects + 1)
        return events.Opened(hello, {n: lane.lost for n, lane in state.lanes.items() if lane.lost})

    async def _hashes(self, wanted: Mapping[int, Sequence[int]]) -> dict[int, dict[int, bytes]]:
        """Return the hashes of these batches by lane, of those that can be read."""
        found: dict[int, dict[int, bytes]] = {}
        for lane, seqs in wanted.items():
            try:
                found[lane] = await self._journal.hashes(lane, seqs)
            except LogError as error:
                _log.warning("batches cannot be compared", lane=lane, error=str(error))
        return found

    def _newest(self, epoch: int, central_uuid: str) -> int:
        """Return the epoch to keep: the other connection may have been given a newer one."""
        known = self._journal.identity()
        return max(epoch, known.epoch) if known.central_uuid == central_uuid else epoch

    def _tell(self, event: events.Event) -> Sequence[events.Action]:
        now_s = self._clock.monotonic_s()
        try:
            return (*self._tell_budget(now_s), *self._session.receive(event, now_s))
        except PeerViolationError as error:
            return self._session.receive(events.Violated(str(error)), now_s)

    def _tell_budget(self, now_s: float) -> Sequence[events.Action]:
        is_held_up = self._spending.judge().held_up is not None
        if is_held_up == self._is_held_up or self._is_over:
            return ()
        self._is_held_up = is_held_up
        return self._session.receive(events.Throttled(is_held_up), now_s)

    # What is asked for.

    async def _perform(
        self, action: events.Action, group: asyncio.TaskGroup
    ) -> events.Event | None:
        match action:
            case events.Dial():
                group.create_task(self._new_line().run(), name="uplink-line")
            case events.SendFrame() | events.SendReport() | events.HangUp():
                self._speak(action)
            case events.ReadLog():
                return await self._read(action)
            case events.FindHour():
                return await self._find_hour(action)
            case events.AdoptSession() | events.Reconcile() | events.Acknowledge():
                await self._note(action)
            case events.NoteRefused() | events.NoteAbsent():
                self._complain(action)
            case _:
                assert_never(action)
        return None

    def _new_line(self) -> Line:
        self._sent_bytes += self._line.sent_bytes if self._line else 0
        self._line = Line(
            self._dial,
            connect_timeout_s=self._config.connect_timeout_s,
            tell=self._inbox.put,
            chance=self._chance,
        )
        return self._line

    def _speak(self, action: events.SendFrame | events.SendReport | events.HangUp) -> None:
        line = self._line
        if line is None:
            return
        match action:
            case events.SendFrame(frame):
                self._spending.enter(frame, line.send(frame))
                if isinstance(frame, Batch):
                    self.link = replace(self.link, sent_batches=self.link.sent_batches + 1)
            case events.SendReport(rtt_ms):
                state, refused = self._journal.state(), self._installation.broker_refused()
                now_ms = self._clock.utc_ms()
                spending = self._spending
                figures = LinkFigures(rtt_ms, spending.sent_bytes, spending.judge().held_up)
                report = make_report(state, refused, figures, now_ms=now_ms)
                self._spending.enter(report, line.send(report))
            case events.HangUp():
                line.hang_up()
            case _:
                assert_never(action)

    async def _read(self, asked: events.ReadLog) -> events.LogRead | events.LogUnreadable:
        try:
            stored = await self._journal.read(
                asked.lane, asked.first, asked.last, asked.size_max_bytes
            )
            series_from = asked.series_from
            catalogue = [] if series_from is None else await self._journal.read_series(series_from)
        except LogError as error:
            _log.error("the log cannot be read", lane=asked.lane, error=str(error))
            return events.LogUnreadable(str(error))
        return answer_read(asked, stored, catalogue)

    async def _find_hour(self, asked: events.FindHour) -> events.HourFound | events.LogUnreadable:
        try:
            first = await self._journal.first_of_hour(asked.lane, asked.last)
        except LogError as error:
            _log.error("the log cannot be read", lane=asked.lane, error=str(error))
            return events.LogUnreadable(str(error))
        return events.HourFound(asked.lane, first, asked.last)

    async def _note(
        self, action: events.AdoptSession | events.Reconcile | events.Acknowledge
    ) -> None:
        try:
            match action:
                case events.AdoptSession(epoch, central_uuid, role, fenced):
                    if fenced is not None:
                        _log.error(
                            "this log is not the one central knows: it goes on in a new epoch",
                            epoch=epoch,
                            because=fenced,
                        )
                    _log.info("connected", epoch=epoch, central_uuid=central_uuid, role=role)
                    self._told_cause = None
                    self._served = role
                    if self._tell_served:
                        self._tell_served(role)
                    self.link = replace(self.link, sessions=self.link.sessions + 1)
                    await self._journal.set_session(self._newest(epoch, central_uuid), central_uuid)
                case events.Reconcile(lane, ranges):
                    self._acked.pop(lane, None)
                    await self._journal.reconcile(lane, ranges)
                case events.Acknowledge(lane, ranges):
                    self._keep(lane, ranges)
                case _:
                    assert_never(action)
        except LogError as error:  # WELCOME says it all again next time
            _log.error("the log cannot note what central holds", error=str(error))

    def _keep(self, lane: int, ranges: Ranges) -> None:
        if not self._acked:
            self._acknowledge_at_s = self._clock.monotonic_s() + ACKNOWLEDGE_EVERY_S
        self._acked[lane] = self._acked.get(lane, Ranges()).union(ranges)
        acked_batches = self.link.acked_batches + ranges.count
        self.link = replace(
            self.link, acked_batches=acked_batches, last_ack_ms=self._clock.utc_ms()
        )

    async def _acknowledge(self) -> None:
        acked, self._acked = self._acked, {}
        try:
            for lane, ranges in acked.items():
                await self._journal.acknowledge(lane, ranges)
        except LogError as error:  # WELCOME says it all again next time
            _log.error("the log cannot note what central holds", error=str(error))

    def _complain(self, note: events.NoteRefused | events.NoteAbsent) -> None:
        match note:
            case events.NoteRefused(lane, seq, code, detail):
                _log.error("batch refused", lane=lane, seq=seq, code=code, detail=detail)
                self.link = replace(self.link, refused_batches=self.link.refused_batches + 1)
            case events.NoteAbsent(lane, ranges):
                _log.error("batches are not in the log", lane=lane, seqs=str(ranges)[:200])
                absent_batches = self.link.absent_batches + ranges.count
                self.link = replace(self.link, absent_batches=absent_batches)
            case _:
                assert_never(note)

    def _show(self) -> None:
        """Bring the link state up to date, and tell the log of a new cause once."""
        session, ledger = self._session, self._session.ledger
        stage = LinkStage(session.state.value)
        lanes = ledger.lanes.values() if ledger else ()
        self.link = replace(
            self.link,
            state=stage,
            since_ms=self.link.since_ms if stage is self.link.state else self._clock.utc_ms(),
            rtt_ms=session.liveness.rtt_ms,
            sent_bytes=self._sent_bytes + (self._line.sent_bytes if self._line else 0),
            in_flight_batches=sum(lane.in_flight.count for lane in lanes),
            error=session.error,
            connections={self._served: stage},
            sent_today_bytes=self._spending.sent_bytes,
            held_up=self._spending.judge().held_up,
        )
        if session.state is State.WAITING and session.error not in {None, self._told_cause}:
            self._told_cause = session.error
            role = self._installation.role
            _log.warning("no link to central", cause=session.error, role=role)
