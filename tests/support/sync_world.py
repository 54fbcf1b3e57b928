"""An edge and a central, mouth to ear, in memory: every delivery, failure and tick is a step.

The edge has one connection for all lanes, or an urgent and a bulk one; a central that knows no
roles can be had too.

Frames pass as bytes. A connection that is cut loses a suffix of what was under way in each
direction; each side learns of it in its own time, so an old connection's last frames may reach
central after a new one has been opened.
"""

from random import Random

import msgspec

from central.errors import BatchRefusedError
from central.inbox import events as inbox
from central.inbox.admission import (
    AdmissionLimits,
    Holder,
    Place,
    Verdict,
    alive_after_s,
    judge_newcomer,
)
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
    Role,
    SeriesFrame,
    Welcome,
    credit_cost_bytes,
    decode_frame,
    encode_frame,
)
from tests.support.memory_inbox import MemoryDatabase
from tests.support.memory_log import MemoryLog, series_used
from tests.support.sync_sides import CentralSide, EdgeSide, Wire

IDENTITY = inbox.EdgeIdentity("kaduna", "edge-1")
SILENCE_S = 45.0
HOUR_BATCHES = 10  # of this world's log
EMPTY_REPORT = Report(sent_at_ms=0, lanes={}, disk_free_bytes=0, rtt_ms=None, quarantined={})


class World:
    """Both sides, the log and the database; what goes wrong is collected in the lists."""

    def __init__(
        self,
        *,
        credit_bytes: int = FRAME_SIZE_MAX_BYTES,
        roles: tuple[Role, ...] = (Role.ALL,),
        knows_roles: bool = True,
        is_newest_first: bool = False,
    ) -> None:
        """Begin with an edge that has nothing and a central that knows nobody."""
        self.knows_roles = knows_roles
        self._roles = roles
        self._is_newest_first = is_newest_first
        self.now_s = 0.0
        self.dice = Random(0)
        self.log = MemoryLog()
        self.database = MemoryDatabase(series_used)
        self.links = self._new_links()
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

    @property
    def edge(self) -> EdgeSide:
        """The edge's only link, or the urgent one."""
        return self.links[0]

    # Steps: each is one thing that happens. They return whether anything did.

    def append(self, lane: int = 2, *, new_series: int = 0, size_bytes: int = 8) -> None:
        seq = self.log.append(lane, new_series=new_series, size_bytes=size_bytes)
        for link in self.links:
            if link.session.state is not UplinkState.STOPPED:
                self.tell_edge(uplink.Committed(lane, seq), link)

    def finish_dial(self, link: EdgeSide | None = None, *, is_successful: bool = True) -> bool:
        link = link or self.edge
        if not link.is_dialing:
            return False
        link.is_dialing = False
        if not is_successful:
            self.tell_edge(uplink.Cut("connection refused", self.dice.random()), link)
            return True
        link.wire = Wire()
        self.connections += 1
        session = InboxSession(IDENTITY, self._limits, self.now_s)
        self.centrals.append(CentralSide(link.wire, session))
        hello = self.log.hello(link.session.role, link.session.seqs_wanted)
        self.tell_edge(uplink.Opened(hello), link)
        return True

    def deliver_up(self, side: CentralSide) -> bool:
        if side.wire.up and side.session.state is not InboxState.CLOSED:
            frame = decode_frame(side.wire.up.popleft())
            if isinstance(frame, Hello) and not self.knows_roles:
                frame = msgspec.structs.replace(frame, role=Role.ALL)
            self.tell_central(side, inbox.Received(frame))
            return True
        if side.wire.is_broken and side.session.state is not InboxState.CLOSED:
            self.tell_central(side, inbox.Cut())
            return True
        return False

    def deliver_down(self, link: EdgeSide | None = None) -> bool:
        link = link or self.edge
        wire = link.wire
        if wire is None:
            return False
        if wire.down:
            frame = decode_frame(wire.down.popleft())
            marks = frame.marks if isinstance(frame, Welcome) else {}
            hashes = {
                lane: self.log.hashes(lane, [mark.seq for mark in of_lane])
                for lane, of_lane in marks.items()
            }
            self.tell_edge(uplink.Received(frame, hashes), link)
            return True
        if wire.is_broken:
            link.wire = None
            link.served = None
            link.unwritten.clear()
            self.tell_edge(uplink.Cut("connection lost", self.dice.random()), link)
            return True
        return False

    def write(self, link: EdgeSide | None = None) -> bool:
        link = link or self.edge
        if not link.unwritten:
            return False
        self.tell_edge(uplink.Written(link.unwritten.popleft()), link)
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
        for link in self.links:
            if link.is_started:
                self.tell_edge(uplink.Tick(), link)
        for side in self.centrals:
            self.tell_central(side, inbox.Tick())

    def hold_up(self, *, is_held_up: bool) -> None:
        """Have every link told that bulk waits for the budget, or waits no more."""
        for link in self.links:
            self.tell_edge(uplink.Throttled(is_held_up), link)

    def cut(self, wire: Wire) -> None:
        """Break the connection; what was under way arrives up to a random point."""
        wire.is_broken = True
        for queue in (wire.up, wire.down):
            for _ in range(self.dice.randint(0, len(queue))):
                queue.pop()

    def crash_edge(self) -> None:
        """Kill the edge's process and start another on the same log."""
        for link in self.links:
            if link.wire:
                self.cut(link.wire)
        self.links = self._new_links()

    def use_roles(self, roles: tuple[Role, ...]) -> None:
        """Replace the edge's process by one with such connections, as an upgrade does."""
        self._roles = roles
        self.crash_edge()

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
        moved = [self._work_link(link) for link in self.links]
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
        """Tell whether every lane streams and nothing is under way or to send."""
        streaming = [
            link
            for link in self.links
            if link.served and link.session.state is UplinkState.STREAMING
        ]
        served = {link.served for link in streaming}
        if Role.ALL not in served and not served >= {Role.URGENT, Role.BULK}:
            return False
        ledgers = [link.session.ledger for link in streaming]
        lanes = [lane for ledger in ledgers if ledger for lane in ledger.lanes.values()]
        return not any(lane.pending or lane.in_flight for lane in lanes)

    def _work_link(self, link: EdgeSide) -> bool:
        return any([self.finish_dial(link), self.write(link), self.deliver_down(link)])

    # The shells around the machines.

    def tell_edge(self, event: uplink.Event, link: EdgeSide | None = None) -> None:
        link = link or self.edge
        try:
            actions = link.session.receive(event, self.now_s)
        except PeerViolationError as error:
            raise AssertionError(f"central broke the protocol: {error}") from error
        for action in actions:
            self._perform_edge(link, action)

    def tell_central(self, side: CentralSide, event: inbox.Event) -> None:
        try:
            actions = side.session.receive(event, self.now_s)
        except PeerViolationError as error:
            raise AssertionError(f"the edge broke the protocol: {error}") from error
        for action in actions:
            self._perform_central(side, action)

    def _perform_edge(self, link: EdgeSide, action: uplink.Action) -> None:
        match action:
            case uplink.Dial() | uplink.SendFrame() | uplink.SendReport() | uplink.HangUp():
                self._speak_edge(link, action)
            case uplink.AdoptSession(epoch=epoch, role=role):
                self.log.epoch = max(epoch, self.log.epoch)  # one central in all stories
                link.served = role
                for other in self.links if role is Role.URGENT else ():
                    other.is_started = True
            case uplink.Acknowledge(lane, ranges) | uplink.Reconcile(lane, ranges):
                self.log.let_go(lane, ranges)
            case uplink.ReadLog() | uplink.FindHour():
                self.tell_edge(self._read_edge(action), link)
            case uplink.NoteRefused():
                self.refused.append(action)
            case uplink.NoteAbsent():
                self.absent.append(action)

    def _read_edge(
        self, action: uplink.ReadLog | uplink.FindHour
    ) -> uplink.LogRead | uplink.HourFound | uplink.LogUnreadable:
        match action:
            case _ if not self.is_log_readable:
                return uplink.LogUnreadable("I/O")
            case uplink.ReadLog():
                return self.log.read(action)
            case uplink.FindHour(lane, last):
                return uplink.HourFound(lane, max(1, last - last % HOUR_BATCHES), last)

    def _speak_edge(
        self,
        link: EdgeSide,
        action: uplink.Dial | uplink.SendFrame | uplink.SendReport | uplink.HangUp,
    ) -> None:
        match action:
            case uplink.Dial():
                link.is_dialing = True
            case uplink.SendFrame(frame):
                self.forks += isinstance(frame, Bye) and frame.reason == "forked"
                self._send_up(link, frame)
            case uplink.SendReport():
                self._send_up(link, EMPTY_REPORT)
            case uplink.HangUp():
                self._hang_up_edge(link)

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
        places = [
            (Place(IDENTITY, other.session.role), other)
            for other in self.centrals
            if other.grant and other.session.state is InboxState.STREAMING
        ]
        live = {
            place: Holder(other.grant.install_uuid, other.boot_id, other.session.heard_s)
            for place, other in places
            if other.grant
        }
        place = Place(IDENTITY, hello.role)
        own = Holder(hello.install_uuid, hello.boot_id, self.now_s)
        limits = AdmissionLimits(9, alive_after_s(SILENCE_S))
        judgement = judge_newcomer(live, place, own, limits=limits)
        side.boot_id = hello.boot_id
        if judgement.verdict is Verdict.DUPLICATE:
            self.tell_central(side, inbox.Denied(RefuseCode.DUPLICATE_IDENTITY, "another"))
            return
        for held, incumbent in places:
            if held in judgement.taken_over:
                self.tell_central(incumbent, inbox.TakenOver())
        side.hello = hello

    def _send_up(self, link: EdgeSide, frame: Frame) -> None:
        if link.wire and not link.wire.is_broken:
            link.wire.up.append(encode_frame(frame))
        if isinstance(frame, Batch | SeriesFrame):
            link.unwritten.append(credit_cost_bytes(frame))

    def _hang_up_edge(self, link: EdgeSide) -> None:
        if link.wire:
            link.wire.is_broken = True
        elif link.is_dialing:
            link.is_dialing = False
            self.tell_edge(uplink.Cut("dial given up", 0.0), link)

    def _new_links(self) -> list[EdgeSide]:
        return [self._new_link(role, is_first=n == 0) for n, role in enumerate(self._roles)]

    def _new_link(self, role: Role, *, is_first: bool) -> EdgeSide:
        session = UplinkSession(
            silence_timeout_s=SILENCE_S,
            backoff=Backoff(min_s=0.5, max_s=5.0),
            now_s=self.now_s,
            role=role,
            is_newest_first=self._is_newest_first,
        )
        return EdgeSide(session, is_started=is_first)
