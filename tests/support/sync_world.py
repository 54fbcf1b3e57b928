"""An edge and a central, mouth to ear, in memory: every delivery, failure and tick is a step.

Frames pass as bytes. A connection that is cut loses a suffix of what was under way in each
direction; each side learns of it in its own time, so an old connection's last frames may reach
central after a new one has been opened.
"""

from collections import deque
from dataclasses import dataclass, field
from random import Random

from central.errors import BatchRefusedError
from central.inbox import events as inbox
from central.inbox.admission import Verdict, judge_newcomer
from central.inbox.ports import SessionGrant
from central.inbox.session import InboxSession, SessionLimits
from central.inbox.states import State as InboxState
from edge.uplink import events as uplink
from edge.uplink.backoff import Backoff
from edge.uplink.session import UplinkSession
from edge.uplink.states import State as UplinkState
from shared.errors import PeerViolationError
from shared.sync.frames import (
    FRAME_SIZE_MAX_BYTES,
    Batch,
    Bye,
    Frame,
    Hello,
    RefuseCode,
    Report,
    SeriesFrame,
    Welcome,
    credit_cost_bytes,
    decode_frame,
    encode_frame,
)
from tests.support.memory_inbox import MemoryDatabase
from tests.support.memory_log import MemoryLog, series_used

IDENTITY = inbox.EdgeIdentity("kaduna", "edge-1")
SILENCE_S = 45.0
EMPTY_REPORT = Report(sent_at_ms=0, lanes={}, disk_free_bytes=0, rtt_ms=None, quarantined={})


@dataclass(slots=True)
class Wire:
    """One connection; ``up`` flows to central. Broken: nothing new enters it."""

    up: deque[bytes] = field(default_factory=deque[bytes])
    down: deque[bytes] = field(default_factory=deque[bytes])
    is_broken: bool = False


@dataclass(slots=True)
class EdgeSide:
    """The edge's process: its machine and the connection it has."""

    session: UplinkSession
    wire: Wire | None = None
    is_dialing: bool = False
    unwritten: deque[int] = field(default_factory=deque[int])


@dataclass(slots=True)
class CentralSide:
    """One connection as central sees it; ``running`` is a transaction, ``hello`` an opening."""

    wire: Wire
    session: InboxSession
    hello: Hello | None = None
    grant: SessionGrant | None = None
    running: inbox.StoreBatches | None = None


class World:
    """Both sides, the log and the database; what goes wrong is collected in the lists."""

    def __init__(self, *, credit_bytes: int = FRAME_SIZE_MAX_BYTES) -> None:
        """Begin with an edge that has nothing and a central that knows nobody."""
        self.now_s = 0.0
        self.dice = Random(0)
        self.log = MemoryLog()
        self.database = MemoryDatabase(series_used)
        self.edge = self._new_edge()
        self.centrals: list[CentralSide] = []
        self.refused: list[uplink.NoteRefused] = []
        self.absent: list[uplink.NoteAbsent] = []
        self.endings: list[inbox.NoteEnding] = []
        self.reports = 0
        self.images: list[MemoryLog] = []  # of the edge's disk
        self.forks = 0  # times the edge found that central holds another batch under a number
        self.connections = 0
        self.is_log_readable = True
        self._limits = SessionLimits(credit_bytes=credit_bytes, silence_timeout_s=SILENCE_S)

    # Steps: each is one thing that happens. They return whether anything did.

    def append(self, lane: int = 2, *, new_series: int = 0, size_bytes: int = 8) -> None:
        seq = self.log.append(lane, new_series=new_series, size_bytes=size_bytes)
        if self.edge.session.state is not UplinkState.STOPPED:
            self.tell_edge(uplink.Committed(lane, seq))

    def finish_dial(self, *, is_successful: bool = True) -> bool:
        if not self.edge.is_dialing:
            return False
        self.edge.is_dialing = False
        if not is_successful:
            self.tell_edge(uplink.Cut("connection refused", self.dice.random()))
            return True
        self.edge.wire = Wire()
        self.connections += 1
        session = InboxSession(IDENTITY, self._limits, self.now_s)
        self.centrals.append(CentralSide(self.edge.wire, session))
        self.tell_edge(uplink.Opened(self.log.hello(self.edge.session.seqs_wanted)))
        return True

    def deliver_up(self, side: CentralSide) -> bool:
        if side.wire.up and side.session.state is not InboxState.CLOSED:
            self.tell_central(side, inbox.Received(decode_frame(side.wire.up.popleft())))
            return True
        if side.wire.is_broken and side.session.state is not InboxState.CLOSED:
            self.tell_central(side, inbox.Cut())
            return True
        return False

    def deliver_down(self) -> bool:
        wire = self.edge.wire
        if wire is None:
            return False
        if wire.down:
            frame = decode_frame(wire.down.popleft())
            marks = frame.marks if isinstance(frame, Welcome) else {}
            hashes = {
                lane: self.log.hashes(lane, [mark.seq for mark in of_lane])
                for lane, of_lane in marks.items()
            }
            self.tell_edge(uplink.Received(frame, hashes))
            return True
        if wire.is_broken:
            self.edge.wire = None
            self.edge.unwritten.clear()
            self.tell_edge(uplink.Cut("connection lost", self.dice.random()))
            return True
        return False

    def write(self) -> bool:
        if not self.edge.unwritten:
            return False
        self.tell_edge(uplink.Written(self.edge.unwritten.popleft()))
        return True

    def open_session(self, side: CentralSide, *, is_down: bool = False) -> bool:
        hello, side.hello = side.hello, None
        if hello is None:
            return False
        if is_down:
            self.tell_central(side, inbox.Denied(RefuseCode.UNAVAILABLE, "down"))
            return True
        side.grant = self.database.open_session(hello)
        self.tell_central(side, inbox.Granted(side.grant, 0))
        return True

    def end_transaction(
        self, side: CentralSide, *, is_down: bool = False, is_unknown: bool = False
    ) -> bool:
        """``is_unknown``: it was committed, and the database died before it could say so."""
        work, side.running = side.running, None
        if work is None or side.grant is None:
            return False
        chance = self.dice.random()
        try:
            if is_down:
                self.tell_central(side, inbox.StoreFailed("down", False, chance))
                return True
            result = self.database.commit(side.grant, work.series, work.batches)
            if is_unknown:
                self.tell_central(side, inbox.StoreFailed("died", False, chance))
                return True
        except BatchRefusedError:
            self.tell_central(side, inbox.StoreFailed("poison", True, chance))
            return True
        self.tell_central(side, inbox.Stored(result))
        return True

    def pass_time(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.tell_edge(uplink.Tick())
        for side in self.centrals:
            self.tell_central(side, inbox.Tick())

    def cut(self, wire: Wire) -> None:
        """Break the connection; what was under way arrives up to a random point."""
        wire.is_broken = True
        for queue in (wire.up, wire.down):
            for _ in range(self.dice.randint(0, len(queue))):
                queue.pop()

    def crash_edge(self) -> None:
        """Kill the edge's process and start another on the same log."""
        if self.edge.wire:
            self.cut(self.edge.wire)
        self.edge = self._new_edge()

    def restore_edge(self, image: MemoryLog) -> None:
        """Start the edge again on a disk as it was when ``image`` was taken."""
        self.log = image
        self.crash_edge()

    def crash_central(self) -> None:
        """Kill central; transactions that run are rolled back."""
        for side in self.centrals:
            self.cut(side.wire)
            side.wire.up.clear()
        self.centrals.clear()

    def work(self) -> bool:
        """Let everyone make one step of ordinary work; return whether there was any."""
        sides = list(self.centrals)
        moved = [self.finish_dial(), self.write(), self.deliver_down()]
        moved += [self.deliver_up(side) for side in sides]
        moved += [self.open_session(side) for side in sides]
        moved += [self.end_transaction(side) for side in sides]
        return any(moved)

    def settle(self) -> None:
        """Let everything work without failures until the edge has nothing left to send."""
        for _ in range(100_000):
            if self.work():
                continue
            if self.is_settled:
                return
            self.pass_time(1.0)
        raise AssertionError("the world does not come to rest")

    @property
    def is_settled(self) -> bool:
        """Tell whether the edge streams and has nothing under way or to send."""
        ledger = self.edge.session.ledger
        if self.edge.session.state is not UplinkState.STREAMING or ledger is None:
            return False
        return not any(lane.pending or lane.in_flight for lane in ledger.lanes.values())

    # The shells around the machines.

    def tell_edge(self, event: uplink.Event) -> None:
        try:
            actions = self.edge.session.receive(event, self.now_s)
        except PeerViolationError as error:
            raise AssertionError(f"central broke the protocol: {error}") from error
        for action in actions:
            self._perform_edge(action)

    def tell_central(self, side: CentralSide, event: inbox.Event) -> None:
        try:
            actions = side.session.receive(event, self.now_s)
        except PeerViolationError as error:
            raise AssertionError(f"the edge broke the protocol: {error}") from error
        for action in actions:
            self._perform_central(side, action)

    def _perform_edge(self, action: uplink.Action) -> None:
        match action:
            case uplink.Dial() | uplink.SendFrame() | uplink.SendReport() | uplink.HangUp():
                self._speak_edge(action)
            case uplink.AdoptSession(epoch=epoch):
                self.log.epoch = epoch
            case uplink.Acknowledge(lane, ranges) | uplink.Reconcile(lane, ranges):
                self.log.let_go(lane, ranges)
            case uplink.ReadLog():
                answer = self.log.read(action)
                self.tell_edge(answer if self.is_log_readable else uplink.LogUnreadable("I/O"))
            case uplink.NoteRefused():
                self.refused.append(action)
            case uplink.NoteAbsent():
                self.absent.append(action)

    def _speak_edge(
        self, action: uplink.Dial | uplink.SendFrame | uplink.SendReport | uplink.HangUp
    ) -> None:
        match action:
            case uplink.Dial():
                self.edge.is_dialing = True
            case uplink.SendFrame(frame):
                self.forks += isinstance(frame, Bye) and frame.reason == "forked"
                self._send_up(frame)
            case uplink.SendReport():
                self._send_up(EMPTY_REPORT)
            case uplink.HangUp():
                self._hang_up_edge()

    def _perform_central(self, side: CentralSide, action: inbox.Action) -> None:
        match action:
            case inbox.OpenSession(hello):
                self._admit(side, hello)
            case inbox.SendFrame(frame) if not side.wire.is_broken:
                side.wire.down.append(encode_frame(frame))
            case inbox.StoreBatches():
                side.running = action
            case inbox.KeepReport():
                self.reports += 1
            case inbox.HangUp():
                side.wire.is_broken = True
            case inbox.NoteEnding():
                self.endings.append(action)
            case inbox.SendFrame() | inbox.NoteRefused():
                pass

    def _admit(self, side: CentralSide, hello: Hello) -> None:
        live = [
            (other, other.grant.install_uuid)
            for other in self.centrals
            if other.grant and other.session.state is InboxState.STREAMING
        ]
        installs = {IDENTITY: live[-1][1]} if live else {}
        verdict = judge_newcomer(installs, IDENTITY, hello.install_uuid, sessions_max=9)
        if verdict is Verdict.DUPLICATE:
            self.tell_central(side, inbox.Denied(RefuseCode.DUPLICATE_IDENTITY, "another"))
            return
        for incumbent, _ in live:
            self.tell_central(incumbent, inbox.TakenOver())
        side.hello = hello

    def _send_up(self, frame: Frame) -> None:
        if self.edge.wire and not self.edge.wire.is_broken:
            self.edge.wire.up.append(encode_frame(frame))
        if isinstance(frame, Batch | SeriesFrame):
            self.edge.unwritten.append(credit_cost_bytes(frame))

    def _hang_up_edge(self) -> None:
        if self.edge.wire:
            self.edge.wire.is_broken = True
        elif self.edge.is_dialing:
            self.edge.is_dialing = False
            self.tell_edge(uplink.Cut("dial given up", 0.0))

    def _new_edge(self) -> EdgeSide:
        backoff = Backoff(min_s=0.5, max_s=5.0)
        session = UplinkSession(silence_timeout_s=SILENCE_S, backoff=backoff, now_s=self.now_s)
        return EdgeSide(session)
