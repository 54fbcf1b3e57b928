"""How central greets, refuses, loses and leaves an edge."""

import pytest

from central.inbox.events import (
    Cut,
    Denied,
    Event,
    Granted,
    HangUp,
    KeepReport,
    NoteEnding,
    OpenSession,
    StopRequested,
    StoreBatches,
    Stored,
    StoreFailed,
    TakenOver,
    Violated,
)
from central.inbox.ports import StoreResult
from central.inbox.refusals import RETRY_AFTER_S
from central.inbox.session import HELLO_TIMEOUT_S
from central.inbox.states import State
from shared.errors import IllegalEventError, PeerViolationError
from shared.sync.frames import (
    Ack,
    Bye,
    Frame,
    Hello,
    Ping,
    Pong,
    Refuse,
    RefuseCode,
    Report,
    SeriesFrame,
    Welcome,
)
from shared.sync.ranges import SPANS_PER_FRAME_MAX, Ranges
from tests.support.inbox_story import (
    CREDIT_BYTES,
    SILENCE_S,
    Story,
    frames,
    make_grant,
    streaming,
    transactions,
)
from tests.support.sync_frames import TELEMETRY, make_batch, make_hello, make_series, make_welcome

REPORT = Report(sent_at_ms=0, lanes={}, disk_free_bytes=0, rtt_ms=None, quarantined={})


def refusal(story_frames: list[Frame]) -> Refuse:
    (refuse,) = [frame for frame in story_frames if isinstance(frame, Refuse)]
    return refuse


# Greeting.


def test_asks_the_store_and_welcomes_with_what_it_holds() -> None:
    story = Story()
    assert story.hear(make_hello(9)) == [OpenSession(make_hello(9))]
    (welcome,) = frames(story.feed(Granted(make_grant(Ranges.of((1, 4))), now_ms=77)))
    assert isinstance(welcome, Welcome)
    assert welcome.lanes == {TELEMETRY: Ranges.of((1, 4))}
    assert (welcome.epoch, welcome.credit_bytes, welcome.server_ms) == (1, CREDIT_BYTES, 77)
    assert welcome.heartbeat_s == SILENCE_S / 3


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        (make_hello(edge_id="edge-2"), RefuseCode.BAD_IDENTITY),
        (make_hello(protocol=2), RefuseCode.BAD_PROTOCOL),
    ],
)
def test_refuses_a_hello_that_does_not_fit(hello: Hello, code: RefuseCode) -> None:
    actions = Story().hear(hello)
    assert refusal(frames(actions)).code == code
    assert actions[-1] == HangUp()


def test_refuses_an_edge_whose_log_ends_before_what_is_held() -> None:
    story = Story()
    story.hear(make_hello(5))
    actions = story.feed(Granted(make_grant(Ranges.of((1, 9))), now_ms=0))
    refuse = refusal(frames(actions))
    assert (refuse.code, refuse.retry_after_s) == ("rewound", RETRY_AFTER_S[RefuseCode.REWOUND])
    assert refuse.detail == "lane 2 is held up to 9, the edge's log ends at 5"
    assert NoteEnding("rewound", refuse.detail) in actions


def test_refuses_an_edge_whose_catalogue_ends_before_what_is_known() -> None:
    story = Story()
    story.hear(make_hello(5, series_count=3))
    actions = story.feed(Granted(make_grant(series_known=4), now_ms=0))
    assert refusal(frames(actions)).code == "rewound"


def test_tells_the_edge_to_come_back_when_the_store_cannot_answer() -> None:
    story = Story()
    story.hear(make_hello())
    refuse = refusal(frames(story.feed(Denied(RefuseCode.UNAVAILABLE, "no connection"))))
    assert (refuse.code, refuse.retry_after_s) == ("unavailable", 1.0)


def test_a_welcome_with_too_many_spans_understates_what_is_held() -> None:
    held = Ranges.of_numbers(range(1, 2 * (SPANS_PER_FRAME_MAX + 9), 2))
    story = Story()
    story.hear(make_hello(1_000_000))
    (welcome,) = frames(story.feed(Granted(make_grant(held), now_ms=0)))
    assert isinstance(welcome, Welcome)
    assert len(welcome.lanes[TELEMETRY].spans) == SPANS_PER_FRAME_MAX
    assert held.contains(welcome.lanes[TELEMETRY])


def test_waits_for_hello_only_so_long() -> None:
    story = Story()
    assert story.session.deadline_s == HELLO_TIMEOUT_S
    assert HangUp() in story.wait(HELLO_TIMEOUT_S)


# Breaking the rules.


@pytest.mark.parametrize(
    "frame",
    [make_batch(1), REPORT, make_welcome(), SeriesFrame(entries=make_series(1, 1))],
    ids=lambda frame: type(frame).__name__,
)
def test_anything_before_hello_is_a_violation(frame: Frame) -> None:
    story = Story()
    with pytest.raises(PeerViolationError):
        story.hear(frame)
    assert story.session.state is State.GREETING


@pytest.mark.parametrize(
    "frame",
    [make_hello(), make_welcome(), Ack(lane=2, ranges=Ranges(), credit_bytes=0)],
    ids=lambda frame: type(frame).__name__,
)
def test_a_frame_that_may_not_come_while_streaming_is_a_violation(frame: Frame) -> None:
    story = streaming()
    with pytest.raises(PeerViolationError):
        story.hear(frame)
    assert story.session.state is State.STREAMING


def test_a_catalogue_with_a_hole_is_a_violation() -> None:
    story = streaming()
    story.hear(SeriesFrame(entries=make_series(1, 3)))
    with pytest.raises(PeerViolationError, match="series 5-6 do not continue 1-3"):
        story.hear(SeriesFrame(entries=make_series(5, 6)))


def test_a_violation_is_refused_with_its_reason() -> None:
    story = streaming()
    actions = story.feed(Violated("unknown frame type 99"))
    assert refusal(frames(actions)).detail == "unknown frame type 99"
    assert story.session.state is State.CLOSING


def test_more_than_the_credit_is_refused_and_not_kept() -> None:
    story = streaming()
    body = bytes(CREDIT_BYTES // 4)
    story.hear_batches(1, 2, 3, body=body)
    actions = story.hear_batches(4, body=body)
    assert refusal(frames(actions)).code == "credit_exceeded"
    assert transactions(actions) == []


def test_a_flood_of_small_frames_is_refused() -> None:
    story = streaming()
    actions = story.hear(*(Ping(ping_id=n) for n in range(60)))
    assert len(frames(actions)) == 60  # the burst that a stalled link may let loose
    assert refusal(frames(story.hear(Ping(ping_id=60)))).code == "too_fast"


def test_a_steady_trickle_is_never_a_flood() -> None:
    story = streaming()
    for n in range(1_000):
        story.now_s += 1.0
        assert frames(story.hear(Ping(ping_id=n), REPORT)) == [Pong(ping_id=n)]


# Ending.


def test_silence_ends_the_session_but_any_frame_is_a_sign_of_life() -> None:
    story = streaming()
    story.now_s += SILENCE_S - 1
    story.hear(Ping(ping_id=1))
    assert story.wait(SILENCE_S - 0.1) == []
    assert HangUp() in story.wait(0.1)


def test_gives_way_to_a_newer_connection_of_the_same_edge() -> None:
    assert frames(streaming().feed(TakenOver())) == [Bye(reason="taken_over")]


def test_says_goodbye_when_central_stops() -> None:
    story = streaming()
    assert frames(story.feed(StopRequested())) == [Bye(reason="shutdown")]
    story.feed(Cut())
    assert story.session.state is State.CLOSED


def test_a_goodbye_of_the_edge_ends_the_session() -> None:
    assert streaming().hear(Bye(reason="shutdown")) == [HangUp()]


def test_a_commit_that_ends_after_the_cut_is_nothing_special() -> None:
    story = streaming()
    (store,) = story.hear_batches(1)
    assert isinstance(store, StoreBatches)
    story.feed(Cut())
    assert story.stored((1, 1)) == []
    assert story.session.deadline_s is None


def test_a_grant_that_comes_after_the_cut_is_nothing_special() -> None:
    story = Story()
    story.hear(make_hello(0))
    story.feed(Cut())
    assert story.feed(Granted(make_grant(Ranges.of((1, 9))), now_ms=0)) == []


def test_reports_are_kept() -> None:
    assert streaming().hear(REPORT) == [KeepReport(REPORT)]


@pytest.mark.parametrize(
    "event",
    [Granted(make_grant(), 0), Stored(StoreResult({})), StoreFailed("x", True, 0.0), TakenOver()],
    ids=lambda event: type(event).__name__,
)
def test_an_impossible_event_raises_and_changes_nothing(event: Event) -> None:
    story = Story()
    with pytest.raises(IllegalEventError):
        story.feed(event)
    assert story.hear(make_hello(9)) == [OpenSession(make_hello(9))]
