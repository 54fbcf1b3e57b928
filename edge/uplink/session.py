"""The edge's side of the sync session: a state machine without clock, socket or disk.

Theory of operation. Everything that happens is an event handed to `UplinkSession.receive` with
the monotonic time; what must be done comes back as actions, in order. One session object lives
as long as the process and spans every connection and every wait between them:

    WAITING -> CONNECTING -> GREETING -> STREAMING -> CLOSING -> WAITING -> ...

An event is first classified: what does it mean in this state (`Happening`)? Then the table in
`edge.uplink.states` says where that leads; a happening without an entry is illegal, raises, and
has changed nothing. Only then is state changed.

Three rules make the promises:

* WELCOME is the truth. What is under way when a connection ends is forgotten; the next WELCOME
  names what central holds, and what it does not name is sent (again).
* Only what was sent may be acknowledged, and only an acknowledgement (or WELCOME) tells the
  log that it may let go.
* Nothing is read from the log that may not be sent: the credit and the transport's backlog
  bound memory, and the most urgent lane is chosen as late as possible.

This module does not know how long a wait is (edge.uplink.backoff), who is alive
(edge.uplink.liveness), what is held and sent (edge.uplink.ledger), or how anything is done
(edge.uplink.pump).
"""

from collections.abc import Mapping
from typing import assert_never

from edge.uplink.agreement import fits, fork_of
from edge.uplink.backoff import Backoff
from edge.uplink.events import (
    Acknowledge,
    Action,
    AdoptSession,
    Committed,
    Cut,
    Dial,
    Event,
    FindHour,
    HangUp,
    HourFound,
    LogRead,
    LogUnreadable,
    NoteRefused,
    Opened,
    ReadLog,
    Received,
    Reconcile,
    SendFrame,
    SendReport,
    StopRequested,
    Throttled,
    Tick,
    Violated,
    Written,
)
from edge.uplink.ledger import Ledger
from edge.uplink.liveness import Liveness
from edge.uplink.states import HAPPENING_OF_EVENT, HAPPENING_OF_FRAME, TRANSITIONS, Happening, State
from shared.errors import IllegalEventError, PeerViolationError
from shared.sync.frames import (
    KEPT_BY_CENTRAL,
    Ack,
    Batch,
    Bye,
    Frame,
    Hello,
    Nack,
    NackCode,
    Ping,
    Pong,
    Refuse,
    RefuseCode,
    Report,
    Role,
    SeriesFrame,
    Welcome,
)
from shared.sync.marks import Hashes, first_other
from shared.sync.ranges import Ranges

SEND_AHEAD_MAX_BYTES = 262_144  # given to the transport and not yet written; what an urgent
# batch may have to wait behind: 0.4 s at 5 Mbit/s
READ_RETRY_S = 1.0  # a log that cannot be read now is asked again, not hammered
RETRY_AFTER_MAX_S = 600.0  # central may ask for patience, not for the silence of a day
REWOUND_RETRY_S = 300.0  # somebody must look at this edge; until then it asks now and then
_CONNECTED = frozenset({State.GREETING, State.STREAMING})


class UplinkSession:
    """The machine. ``receive`` is the only way to change it; everything public is to look at."""

    def __init__(
        self,
        *,
        silence_timeout_s: float,
        backoff: Backoff,
        now_s: float,
        role: Role = Role.ALL,
        is_newest_first: bool = False,
    ) -> None:
        """Begin in WAITING with the first attempt due now; ``role`` is what HELLO will ask for.

        ``is_newest_first``: of the backlog the newest hour goes first.
        """
        self.state = State.WAITING
        self._is_newest_first = is_newest_first
        self.role = role
        self.error: str | None = None  # why there is no session; None while streaming
        self.ledger: Ledger | None = None  # None: not connected
        self.seqs_wanted: Mapping[int, tuple[int, ...]] = {}  # which HELLO marks too, by lane
        self.backoff = backoff
        self.liveness = Liveness(silence_timeout_s, is_reporting=role is not Role.BULK)
        self._dial_at_s = now_s
        self._reread_at_s: float | None = None  # set while the log is given a rest
        self._welcomed_at_s: float | None = None
        self._retry_after_s = 0.0
        self._cause: str | None = None  # of the hang-up that is under way
        self._unwritten_bytes = 0
        self._is_held_up = False  # bulk, by the budget

    @property
    def deadline_s(self) -> float | None:
        """When the next `Tick` is due (monotonic seconds); None: only an event can help."""
        match self.state:
            case State.WAITING:
                return self._dial_at_s
            case State.GREETING:
                return self.liveness.silent_at_s
            case State.STREAMING:
                deadline_s, reread_at_s = self.liveness.deadline_s, self._reread_at_s
                return deadline_s if reread_at_s is None else min(deadline_s, reread_at_s)
            case State.CONNECTING | State.CLOSING | State.STOPPING | State.STOPPED:
                return None
            case _:
                assert_never(self.state)

    def receive(self, event: Event, now_s: float) -> tuple[Action, ...]:
        """Take in ``event`` at ``now_s`` (monotonic seconds) and return what to do, in order.

        Raises:
            PeerViolationError: the frame in `Received` may not come now; nothing has changed.
                Hand in `Violated` to end the session.
            IllegalEventError: an event that cannot happen in this state; nothing has changed.
        """
        happening = self._classify(event, now_s)
        following = TRANSITIONS[self.state].get(happening)
        if following is None:
            detail = f"{happening} in state {self.state}"
            raise (PeerViolationError if isinstance(event, Received) else IllegalEventError)(detail)
        left, self.state = self.state, following
        actions = self._effect(event, happening, left, now_s)
        if self.state is State.STREAMING:
            actions += self._stream(now_s)
        return tuple(actions)

    # What an event means here. Nothing below changes anything until _effect.

    def _classify(self, event: Event, now_s: float) -> Happening:
        match event:
            case Tick():
                return self._classify_time(now_s)
            case Received():
                return self._classify_frame(event)
            case LogRead() | HourFound() if self.state is State.STREAMING:
                self._connected_ledger().check_read(event)
            case _:
                pass
        return HAPPENING_OF_EVENT[type(event)]

    def _classify_time(self, now_s: float) -> Happening:
        if self.state is State.WAITING and now_s >= self._dial_at_s:
            return Happening.DIAL_DUE
        if self.state in _CONNECTED and self.liveness.is_silent(now_s):
            return Happening.SILENT
        return Happening.TICKED

    def _classify_frame(self, received: Received) -> Happening:
        frame = received.frame
        if self.state in {State.CLOSING, State.STOPPING}:
            return Happening.LATE
        match frame:
            case Welcome() if self.state is State.GREETING:
                return self._classify_welcome(frame, received.hashes)
            case Ack() | Nack() if self.state is State.STREAMING:
                self._connected_ledger().check(frame)
                if isinstance(frame, Nack) and frame.code == NackCode.CONFLICT:
                    return Happening.FORKED
            case _:
                pass
        return HAPPENING_OF_FRAME[type(frame)]

    def _classify_welcome(self, welcome: Welcome, hashes: Hashes) -> Happening:
        if not fits(self.role, welcome.role):
            return Happening.MISFIT
        if self._connected_ledger().beyond(welcome) is not None:
            return Happening.REWOUND
        is_forked = first_other(welcome.marks, hashes) is not None
        return Happening.FORKED if is_forked else Happening.WELCOMED

    # What it changes and asks for; ``left`` is the state the event met.

    def _effect(
        self, event: Event, happening: Happening, left: State, now_s: float
    ) -> list[Action]:
        match event:
            case Tick() | StopRequested() | Violated():
                return self._on_own(event, happening, left)
            case Opened():
                return self._on_opened(event, now_s)
            case Received():
                self.liveness.heard(now_s)
                return self._on_received(event, happening, now_s)
            case Cut(reason, chance):
                return self._on_cut(reason, chance, now_s)
            case Throttled(is_held_up):
                self._is_held_up = is_held_up
                return []
            case Committed() | LogRead() | HourFound() | LogUnreadable() | Written():
                return self._on_log(event, now_s)
            case _:
                assert_never(event)

    def _on_own(
        self, event: Tick | StopRequested | Violated, happening: Happening, left: State
    ) -> list[Action]:
        match event:
            case Tick() if happening is Happening.DIAL_DUE:
                return [Dial()]
            case Tick() if happening is Happening.SILENT:
                return self._leave(f"silence: nothing for {self.liveness.silence_timeout_s:g} s")
            case StopRequested():
                return self._on_stop(left)
            case Violated(detail) if left in _CONNECTED:
                cause = f"protocol violation by central: {detail}"
                return self._leave(cause, bye="protocol_violation")
            case _:
                return []

    def _on_opened(self, opened: Opened, now_s: float) -> list[Action]:
        if self.state is State.STOPPING:  # the connection came just after the order to stop
            return [HangUp()]
        self.ledger = Ledger(opened.hello, opened.lost, is_newest_first=self._is_newest_first)
        self.liveness.begin(now_s)
        self._unwritten_bytes = 0
        return [SendFrame(opened.hello)]

    def _on_received(self, received: Received, happening: Happening, now_s: float) -> list[Action]:
        frame = received.frame
        if isinstance(frame, Welcome | Nack) and happening is Happening.FORKED:
            return self._on_fork(frame, received.hashes)
        return [] if happening is Happening.LATE else self._on_frame(frame, now_s)

    def _on_frame(self, frame: Frame, now_s: float) -> list[Action]:
        match frame:
            case Welcome():
                return self._on_welcome(frame, now_s)
            case Refuse() | Bye():
                return self._on_dismissal(frame)
            case Ack() | Nack():
                return self._on_verdict(frame)
            case Ping(ping_id=ping_id):
                return [SendFrame(Pong(ping_id=ping_id))]
            case Pong(ping_id=ping_id):
                self.liveness.pong(ping_id, now_s)
                return []
            case Hello() | SeriesFrame() | Batch() | Report():
                raise AssertionError("the table lets no frame pass that only edges send")
            case _:
                assert_never(frame)

    def _on_welcome(self, welcome: Welcome, now_s: float) -> list[Action]:
        ledger = self._connected_ledger()
        if not fits(self.role, welcome.role):
            self._retry_after_s = REWOUND_RETRY_S  # trying again would end the other connection
            return self._leave(f"central serves {welcome.role} lanes where {self.role} was asked")
        beyond = ledger.beyond(welcome)
        if beyond:
            self._retry_after_s = REWOUND_RETRY_S
            return self._leave(f"{RefuseCode.REWOUND}: {beyond}", bye=RefuseCode.REWOUND)
        ledger.welcome(welcome)
        self.error = None
        self._welcomed_at_s = now_s
        self._reread_at_s = None
        self.liveness.stream(welcome.heartbeat_s, now_s)
        return [
            AdoptSession(welcome.epoch, welcome.central_uuid, welcome.role, welcome.fenced),
            *(Reconcile(number, lane.held) for number, lane in ledger.lanes.items()),
        ]

    def _on_fork(self, frame: Welcome | Nack, hashes: Hashes) -> list[Action]:
        """Come back and mark what is in question: central then knows where the histories part."""
        fork = fork_of(frame, hashes)
        self.seqs_wanted = fork.in_question
        return self._leave(fork.cause, bye="forked")

    def _on_dismissal(self, frame: Refuse | Bye) -> list[Action]:
        match frame:
            case Refuse(code=code, detail=detail, retry_after_s=retry_after_s):
                self._retry_after_s = min(retry_after_s, RETRY_AFTER_MAX_S)
                return self._leave(f"refused by central: {code}: {detail}")
            case Bye(reason=reason):
                return self._leave(f"central said goodbye: {reason}")
            case _:
                assert_never(frame)

    def _on_verdict(self, frame: Ack | Nack) -> list[Action]:
        ledger = self._connected_ledger()
        match frame:
            case Ack(lane=lane, ranges=ranges):
                ledger.settle(frame)
                return [Acknowledge(lane, ranges)] if ranges else []
            case Nack(lane=lane, seq=seq, code=code, detail=detail):
                is_kept = code in KEPT_BY_CENTRAL
                ledger.refuse(frame, is_kept=is_kept)
                kept = [Acknowledge(lane, Ranges(((seq, seq),)))] if is_kept else []
                return [NoteRefused(lane, seq, code, detail), *kept]
            case _:
                assert_never(frame)

    def _on_log(
        self, event: Committed | LogRead | HourFound | LogUnreadable | Written, now_s: float
    ) -> list[Action]:
        ledger = self.ledger
        if ledger is None or self.state not in _CONNECTED:
            return []
        match event:
            case Committed(lane, last_seq):
                ledger.grow(lane, last_seq, now_s)
            case LogRead():
                used_before = ledger.used_bytes
                actions = ledger.take(event, now_s)
                self._unwritten_bytes += ledger.used_bytes - used_before
                return actions
            case HourFound():
                ledger.take_hour(event)
            case LogUnreadable():
                ledger.read_failed()
                self._reread_at_s = now_s + READ_RETRY_S
            case Written(cost_bytes):
                self._unwritten_bytes -= cost_bytes
            case _:
                assert_never(event)
        return []

    def _on_cut(self, reason: str, chance: float, now_s: float) -> list[Action]:
        lasted_s = 0.0 if self._welcomed_at_s is None else now_s - self._welcomed_at_s
        self.backoff = self.backoff.after_failure(lasted_s)
        self._dial_at_s = now_s + self._retry_after_s + self.backoff.delay_s(chance)
        self.error, self._cause = self._cause or reason, None
        self.ledger = None
        self._welcomed_at_s = None
        self._retry_after_s = 0.0
        return []

    def _on_stop(self, left: State) -> list[Action]:
        self._cause = self._cause or "the edge is stopping"
        match left:
            case State.GREETING | State.STREAMING:
                return [SendFrame(Bye(reason="shutdown")), HangUp()]
            case State.CONNECTING:
                return [HangUp()]
            case State.WAITING | State.CLOSING | State.STOPPING | State.STOPPED:
                return []
            case _:
                assert_never(left)

    def _leave(self, cause: str, *, bye: str | None = None) -> list[Action]:
        self.error = self._cause = cause
        farewell = [SendFrame(Bye(reason=bye))] if bye else []
        return [*farewell, HangUp()]

    def _stream(self, now_s: float) -> list[Action]:
        """Return what a streaming session has to do by itself: ping, report, send more."""
        actions: list[Action] = []
        ping = self.liveness.due_ping(now_s)
        if ping:
            actions.append(SendFrame(ping))
        if self.liveness.is_report_due(now_s):
            actions.append(SendReport(self.liveness.rtt_ms))
        read = self._next_read(now_s)
        if read:
            actions.append(read)
        return actions

    def _next_read(self, now_s: float) -> ReadLog | FindHour | None:
        if self._reread_at_s is not None and now_s < self._reread_at_s:
            return None
        self._reread_at_s = None
        is_behind = self._unwritten_bytes >= SEND_AHEAD_MAX_BYTES
        if is_behind:
            return None
        return self._connected_ledger().next_read(now_s, is_held_up=self._is_held_up)

    def _connected_ledger(self) -> Ledger:
        assert self.ledger is not None, f"no connection in state {self.state}"
        return self.ledger
