"""Tells an inbox session stories: events in, what it asks for out, at a time of our own."""

from collections.abc import Sequence

import msgspec

from central.inbox.events import (
    Action,
    EdgeIdentity,
    Event,
    Granted,
    Received,
    SendFrame,
    StoreBatches,
    Stored,
    StoreFailed,
    Tick,
)
from central.inbox.ports import BatchRefusal, SessionGrant, StoreResult
from central.inbox.session import InboxSession, SessionLimits
from shared.sync.frames import FRAME_SIZE_MAX_BYTES, Batch, Frame
from shared.sync.ranges import Ranges
from tests.support.sync_frames import (
    CENTRAL_UUID,
    INSTALL_UUID,
    SESSION_ID,
    TELEMETRY,
    make_batch,
    make_hello,
)

IDENTITY = EdgeIdentity("kaduna", "edge-1")
SILENCE_S = 45.0
CREDIT_BYTES = FRAME_SIZE_MAX_BYTES


def make_grant(held: Ranges | None = None, *, series_known: int = 0) -> SessionGrant:
    """Return a grant of a store that holds ``held`` of lane 2."""
    return SessionGrant(
        session_id=SESSION_ID,
        central_uuid=CENTRAL_UUID,
        site="kaduna",
        edge_id="edge-1",
        install_uuid=INSTALL_UUID,
        epoch=1,
        lanes={TELEMETRY: held} if held else {},
        series_known=series_known,
        site_key=1,
        edge_key=1,
    )


class Story:
    """Feeds events at a time that stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now_s = 0.0
        limits = SessionLimits(credit_bytes=CREDIT_BYTES, silence_timeout_s=SILENCE_S)
        self.session = InboxSession(IDENTITY, limits, now_s=0.0)

    def feed(self, *events: Event) -> list[Action]:
        actions: list[Action] = []
        for event in events:
            actions += self.session.receive(event, self.now_s)
        return actions

    def hear(self, *frames: Frame) -> list[Action]:
        return self.feed(*(Received(frame) for frame in frames))

    def hear_batches(self, *seqs: int, body: bytes = b"body") -> list[Action]:
        return self.hear(*(make_batch(seq, body) for seq in seqs))

    def stored(self, *spans: tuple[int, int], refused: Sequence[BatchRefusal] = ()) -> list[Action]:
        """Let the transaction that runs commit; ``spans`` of lane 2 are what it stored."""
        ranges = {TELEMETRY: Ranges.of(*spans)} if spans else {}
        return self.feed(Stored(StoreResult(ranges, tuple(refused))))

    def failed(self, *, is_permanent: bool = False) -> list[Action]:
        return self.feed(StoreFailed("disk", is_permanent=is_permanent, chance=1.0))

    def wait(self, duration_s: float) -> list[Action]:
        self.now_s += duration_s
        return self.feed(Tick())


def streaming(last_seq: int = 100, *, held: Ranges | None = None, series_count: int = 100) -> Story:
    """Return a story in which WELCOME has been sent to an edge with ``last_seq`` batches."""
    story = Story()
    story.hear(make_hello(last_seq, series_count=series_count))
    story.feed(Granted(make_grant(held), now_ms=0))
    return story


def frames(actions: Sequence[Action]) -> list[Frame]:
    """Return the frames that are to be sent."""
    return [action.frame for action in actions if isinstance(action, SendFrame)]


def transactions(actions: Sequence[Action]) -> list[list[int]]:
    """Return the seqs of each transaction asked for."""
    return [[b.seq for b in a.batches] for a in actions if isinstance(a, StoreBatches)]


def with_wrong_hash(batch: Batch) -> Batch:
    """Return ``batch`` with a hash that is not its body's."""
    return msgspec.structs.replace(batch, sha256=bytes(32))
