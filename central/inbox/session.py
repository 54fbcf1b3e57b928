"""Central's side of the sync session: a state machine without clock, socket or database.

Theory of operation. One object lives as long as one connection of one edge. Everything that
happens is an event handed to `InboxSession.receive` with the monotonic time; what must be done
comes back as actions, in order:

    GREETING -> OPENING -> STREAMING -> CLOSING -> CLOSED

An event is first classified: what does it mean in this state (`Happening`)? Then the table in
`central.inbox.states` says where that leads; a happening without an entry is illegal, raises,
and has changed nothing. Only then is state changed.

Three rules make the promises:

* Nothing is acknowledged before the store has committed it. What the store cannot take now is
  kept and tried again; meanwhile no credit is given, and the edge waits by itself.
* Nothing an edge sends is trusted: its name must be its certificate's, a body must match its
  hash, and what it may send is bounded in bytes (credit) and in frames (allowance), so that
  the memory of a session is bounded by its credit.
* One bad batch stops nothing: it is refused by itself and the lane goes on. Many bad ones in a
  row mean that something else is broken, and the session ends without losing anything.

This module does not know how transactions are cut (central.inbox.gathering), who else is
connected (central.inbox.admission), or how anything is done (central.inbox.conversation).
"""

from dataclasses import dataclass
from typing import assert_never

from central.inbox.account import Account
from central.inbox.admission import HEARTBEATS_PER_SILENCE
from central.inbox.events import (
    Action,
    Cut,
    Denied,
    EdgeIdentity,
    Event,
    Granted,
    HangUp,
    KeepReport,
    NoteEnding,
    OpenSession,
    Received,
    SendFrame,
    StopRequested,
    StoreBatches,
    Stored,
    StoreFailed,
    TakenOver,
    Tick,
    Violated,
)
from central.inbox.gathering import Gathering, Work
from central.inbox.greeting import held_beyond, misfit
from central.inbox.ports import SessionGrant, StoreResult
from central.inbox.refusals import refuse_batch, refuse_session
from central.inbox.states import (
    HAPPENING_OF_EVENT,
    HAPPENING_OF_FRAME,
    TRANSITIONS,
    Happening,
    State,
)
from shared.errors import IllegalEventError, PeerViolationError
from shared.sync.frames import (
    FRAME_SIZE_MAX_BYTES,
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
    credit_cost_bytes,
)
from shared.sync.ranges import SPANS_PER_FRAME_MAX, Ranges

HELLO_TIMEOUT_S = 10.0  # three round trips over a satellite and a slow start
STORE_RETRY_MIN_S = 0.1
STORE_RETRY_MAX_S = 5.0  # how long a database that came back may go unnoticed
UNSTORABLE_IN_ROW_MAX = 3  # then it is not the batches


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What a session may take up."""

    credit_bytes: int
    silence_timeout_s: float


class InboxSession:
    """The machine. ``receive`` is the only way to change it; everything public is to look at."""

    def __init__(self, identity: EdgeIdentity, limits: SessionLimits, now_s: float) -> None:
        """Begin in GREETING: it is the edge's turn to speak."""
        self.state = State.GREETING
        self.identity = identity
        self.account = Account(credit_bytes=limits.credit_bytes, now_s=now_s)
        self._limits = limits
        self.role = Role.ALL  # what HELLO asks for
        self._hello: Hello | None = None
        self._gathering = Gathering()
        self.heard_s = now_s  # when a frame came last
        self._silent_at_s = now_s + HELLO_TIMEOUT_S
        self._retry_at_s: float | None = None
        self._store_failures = 0
        self._unstorable_in_row = 0

    @property
    def deadline_s(self) -> float | None:
        """When the next `Tick` is due (monotonic seconds); None: only an event can help."""
        match self.state:
            case State.GREETING | State.OPENING:
                return self._silent_at_s
            case State.STREAMING:
                retry_at_s = self._retry_at_s
                return (
                    self._silent_at_s if retry_at_s is None else min(self._silent_at_s, retry_at_s)
                )
            case State.CLOSING | State.CLOSED:
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
        if left in {State.CLOSING, State.CLOSED}:
            return ()
        actions = self._effect(event, happening, now_s)
        if self.state is State.STREAMING:
            actions += self._store_next(now_s)
        return tuple(actions)

    # What an event means here. Nothing below changes anything until _effect.

    def _classify(self, event: Event, now_s: float) -> Happening:
        match event:
            case Received(frame):
                return self._classify_frame(frame, now_s)
            case Tick() if self.deadline_s is not None and now_s >= self._silent_at_s:
                return Happening.SILENT
            case Granted(grant=grant) if self.state is State.OPENING and self._beyond(grant):
                return Happening.REWOUND
            case StoreFailed(is_permanent=True) if self._is_hopeless:
                return Happening.SPOILT
            case Stored(result) if self.state is State.STREAMING:
                self._check_result(result)
            case _:
                pass
        return HAPPENING_OF_EVENT[type(event)]

    def _classify_frame(self, frame: Frame, now_s: float) -> Happening:
        if self.state in {State.CLOSING, State.CLOSED}:
            return Happening.LATE
        if isinstance(frame, Hello) and misfit(frame, self.identity):
            return Happening.MISFIT
        if self.state is not State.GREETING:
            self._check_lane(frame)
            return self.account.judge(frame, now_s)
        return HAPPENING_OF_FRAME[type(frame)]

    def _check_lane(self, frame: Frame) -> None:
        match frame:
            case Batch(lane=lane) if not self.role.serves(lane):
                raise PeerViolationError(f"lane {lane} on a connection for {self.role} lanes")
            case SeriesFrame() if self.role is Role.URGENT:
                raise PeerViolationError("catalogue entries on a connection for urgent lanes")
            case _:
                pass

    def _beyond(self, grant: SessionGrant) -> str | None:
        return held_beyond(self._hello, grant) if self._hello else None

    @property
    def _is_hopeless(self) -> bool:
        """Tell whether going on makes no sense if the running work can never be stored."""
        running = self._gathering.running
        if self.state is not State.STREAMING or running is None or running.is_divisible:
            return False
        return not running.batches or self._unstorable_in_row + 1 >= UNSTORABLE_IN_ROW_MAX

    def _check_result(self, result: StoreResult) -> None:
        work = self._gathering.running
        if work is None:
            raise IllegalEventError("no transaction is running")
        refused = {(refusal.lane, refusal.seq) for refusal in result.refused}
        for batch in work.batches:
            is_stored = batch.seq in result.stored.get(batch.lane, Ranges())
            if is_stored == ((batch.lane, batch.seq) in refused):
                raise IllegalEventError(
                    f"lane {batch.lane} seq {batch.seq} must be either stored or refused"
                )

    # What it changes and asks for.

    def _effect(self, event: Event, happening: Happening, now_s: float) -> list[Action]:
        match event:
            case Received(frame):
                self.heard_s = now_s
                self._silent_at_s = now_s + self._limits.silence_timeout_s
                self.account.take(frame, happening, now_s)
                return self._on_frame(frame, happening)
            case Granted():
                return self._on_granted(event, happening)
            case Stored() | StoreFailed():
                return self._on_store(event, happening, now_s)
            case Violated() | Denied() | TakenOver() | StopRequested() | Tick() | Cut():
                return self._on_ending(event, happening)
            case _:
                assert_never(event)

    def _on_ending(
        self,
        event: Violated | Denied | TakenOver | StopRequested | Tick | Cut,
        happening: Happening,
    ) -> list[Action]:
        match event:
            case Violated(detail):
                return refuse_session(RefuseCode.BAD_FRAME, detail)
            case Denied(code, detail):
                return refuse_session(code, detail)
            case TakenOver():
                return [SendFrame(Bye(reason="taken_over")), HangUp()]
            case StopRequested():
                return [SendFrame(Bye(reason="shutdown")), HangUp()]
            case Tick() if happening is Happening.SILENT:
                detail = f"nothing came for {self._limits.silence_timeout_s:g} s"
                return [NoteEnding("silence", detail), HangUp()]
            case Tick() | Cut():
                return []
            case _:
                assert_never(event)

    def _on_frame(self, frame: Frame, happening: Happening) -> list[Action]:
        match frame:
            case Hello():
                return self._on_hello(frame)
            case Batch() | SeriesFrame():
                return self._on_content(frame, happening)
            case Report() | Ping() | Pong():
                return self._on_control(frame, happening)
            case Bye():
                return [HangUp()]
            case Welcome() | Refuse() | Ack() | Nack():
                raise AssertionError("the table lets no frame pass that only central sends")
            case _:
                assert_never(frame)

    def _on_hello(self, hello: Hello) -> list[Action]:
        cause = misfit(hello, self.identity)
        if cause:
            return refuse_session(*cause)
        self._hello = hello
        self.role = hello.role
        if self.role is Role.URGENT:  # a few kilobytes at most: one longest frame is plenty
            self.account.granted_bytes = FRAME_SIZE_MAX_BYTES
        return [OpenSession(hello)]

    def _on_control(self, frame: Report | Ping | Pong, happening: Happening) -> list[Action]:
        if happening is Happening.FLOODED:
            return refuse_session(RefuseCode.TOO_FAST, "too many reports and pings")
        match frame:
            case Report():
                return [KeepReport(frame)]
            case Ping(ping_id=ping_id):
                return [SendFrame(Pong(ping_id=ping_id))]
            case Pong():
                return []
            case _:
                assert_never(frame)

    def _on_granted(self, event: Granted, happening: Happening) -> list[Action]:
        grant = event.grant
        if happening is Happening.REWOUND:
            return refuse_session(RefuseCode.REWOUND, self._beyond(grant) or "")
        self.account.series_seen = grant.series_known
        welcome = Welcome(
            session_id=grant.session_id,
            central_uuid=grant.central_uuid,
            epoch=grant.epoch,
            lanes={
                lane: held.lowest_spans(SPANS_PER_FRAME_MAX)
                for lane, held in grant.lanes.items()
                if self.role.serves(lane)
            },
            series_known=grant.series_known,
            credit_bytes=self.account.granted_bytes,
            heartbeat_s=self._limits.silence_timeout_s / HEARTBEATS_PER_SILENCE,
            server_ms=event.now_ms,
            fenced=grant.fenced,
            marks={lane: tuple(marks) for lane, marks in grant.marks.items()},
            role=self.role,
        )
        return [SendFrame(welcome)]

    def _on_content(self, frame: Batch | SeriesFrame, happening: Happening) -> list[Action]:
        if happening is Happening.OVERDRAWN:
            return refuse_session(
                RefuseCode.CREDIT_EXCEEDED, f"granted {self.account.granted_bytes}"
            )
        match frame:
            case SeriesFrame(entries=entries):
                self._gathering.add_series(entries)
            case Batch() if happening is Happening.SPOILT:
                return refuse_session(
                    RefuseCode.TOO_MANY_REFUSED, "bodies do not match their sha256"
                )
            case Batch() if happening is Happening.FORGED:
                return self._nack(frame, NackCode.BAD_HASH, "the body does not match its sha256")
            case Batch():
                self._gathering.add_batch(frame)
            case _:
                assert_never(frame)
        return []

    def _on_store(
        self, event: Stored | StoreFailed, happening: Happening, now_s: float
    ) -> list[Action]:
        match event:
            case Stored(result):
                self._store_failures = self._unstorable_in_row = 0
                return self._acknowledge(self._gathering.settle(), result)
            case StoreFailed(detail) if happening is Happening.SPOILT:
                is_catalogue = not self._gathering.running_work.batches
                code = RefuseCode.CATALOGUE_CONFLICT if is_catalogue else RefuseCode.UNAVAILABLE
                return refuse_session(code, detail)
            case StoreFailed():
                return self._on_failure(event, self._gathering.running_work, now_s)
            case _:
                assert_never(event)

    def _on_failure(self, event: StoreFailed, work: Work, now_s: float) -> list[Action]:
        if event.is_permanent and work.is_divisible:
            self._gathering.divide()
            return []
        if event.is_permanent:
            self._gathering.settle()
            self._unstorable_in_row += 1
            return self._nack(work.batches[0], NackCode.STORE_FAILED, event.detail)
        self._gathering.repeat()
        ceiling_s = min(STORE_RETRY_MAX_S, STORE_RETRY_MIN_S * 2.0 ** min(self._store_failures, 32))
        self._store_failures += 1
        self._retry_at_s = now_s + ceiling_s * (1 + event.chance) / 2
        return []

    def _acknowledge(self, work: Work, result: StoreResult) -> list[Action]:
        credit_bytes = self.account.give(work.cost_bytes)
        actions: list[Action] = []
        for refusal in result.refused:
            actions += refuse_batch(refusal.lane, refusal.seq, refusal.code, refusal.detail)
        for lane in sorted({batch.lane for batch in work.batches}):
            sent = Ranges.of_numbers(batch.seq for batch in work.batches if batch.lane == lane)
            stored = sent.intersection(result.stored.get(lane, Ranges()))
            if stored:
                actions.append(SendFrame(Ack(lane=lane, ranges=stored, credit_bytes=credit_bytes)))
        if not result.stored:
            actions.append(SendFrame(_only_credit(credit_bytes)))
        return actions

    def _nack(self, batch: Batch, code: NackCode, detail: str) -> list[Action]:
        credit_bytes = self.account.give(credit_cost_bytes(batch))
        nack = refuse_batch(batch.lane, batch.seq, code, detail)
        return [*nack, SendFrame(_only_credit(credit_bytes))]

    def _store_next(self, now_s: float) -> list[Action]:
        is_waiting = self._retry_at_s is not None and now_s < self._retry_at_s
        if is_waiting or self._gathering.running is not None:
            return []
        self._retry_at_s = None
        work = self._gathering.begin()
        return [StoreBatches(work.series, work.batches)] if work else []


def _only_credit(credit_bytes: int) -> Ack:
    return Ack(lane=0, ranges=Ranges(), credit_bytes=credit_bytes)
