"""Tells an uplink session stories: events in, what it asks for out, at a time of our own."""

from collections.abc import Sequence

from edge.uplink.backoff import Backoff
from edge.uplink.events import (
    Action,
    Event,
    LogRead,
    Opened,
    ReadLog,
    Received,
    SendFrame,
    Tick,
)
from edge.uplink.session import UplinkSession
from shared.sync.frames import (
    FRAME_SIZE_MAX_BYTES,
    Ack,
    Batch,
    Frame,
    Role,
)
from shared.sync.ranges import Ranges
from tests.support.sync_frames import (
    TELEMETRY,
    make_batch,
    make_hello,
    make_welcome,
)

SILENCE_S = 45.0


class Story:
    """Feeds events at a time that stands still unless told otherwise."""

    def __init__(self, role: Role = Role.ALL, *, is_newest_first: bool = False) -> None:
        self.now_s = 0.0
        self.session = UplinkSession(
            silence_timeout_s=SILENCE_S,
            backoff=Backoff(min_s=0.5, max_s=60.0),
            now_s=0.0,
            role=role,
            is_newest_first=is_newest_first,
        )

    def feed(self, *events: Event) -> list[Action]:
        actions: list[Action] = []
        for event in events:
            actions += self.session.receive(event, self.now_s)
        return actions

    def hear(self, frame: Frame) -> list[Action]:
        return self.feed(Received(frame))

    def wait(self, duration_s: float) -> list[Action]:
        self.now_s += duration_s
        return self.feed(Tick())


def streaming(
    last_seq: int = 0, *, held: Ranges | None = None, credit_bytes: int = FRAME_SIZE_MAX_BYTES
) -> Story:
    story = Story()
    story.feed(Tick(), Opened(make_hello(last_seq)))
    story.hear(make_welcome(held, credit_bytes=credit_bytes))
    return story


def read(*seqs: int, first: int = 1, last: int | None = None, body: bytes = b"body") -> LogRead:
    batches = tuple(make_batch(seq, body) for seq in seqs)
    return LogRead(TELEMETRY, first, seqs[-1] if last is None else last, batches, (), False)


def frames(actions: Sequence[Action]) -> list[Frame]:
    return [action.frame for action in actions if isinstance(action, SendFrame)]


def sent_seqs(actions: Sequence[Action]) -> list[int]:
    return [frame.seq for frame in frames(actions) if isinstance(frame, Batch)]


def reads(actions: Sequence[Action]) -> list[ReadLog]:
    return [action for action in actions if isinstance(action, ReadLog)]


def ack(*spans: tuple[int, int], credit_bytes: int = FRAME_SIZE_MAX_BYTES) -> Ack:
    return Ack(lane=TELEMETRY, ranges=Ranges.of(*spans), credit_bytes=credit_bytes)
