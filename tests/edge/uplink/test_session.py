"""How the edge connects, is turned away, loses and leaves a session."""

import pytest

from edge.uplink.events import (
    Cut,
    Dial,
    Event,
    HangUp,
    LogRead,
    Opened,
    Received,
    SendFrame,
    SendReport,
    StopRequested,
    Tick,
    Violated,
    Written,
)
from edge.uplink.liveness import REPORT_EVERY_S
from edge.uplink.session import REWOUND_RETRY_S
from edge.uplink.states import State
from shared.errors import IllegalEventError, PeerViolationError
from shared.sync.frames import (
    Ack,
    Bye,
    Frame,
    Ping,
    Pong,
    Refuse,
    SeriesFrame,
)
from shared.sync.ranges import Ranges
from tests.support.sync_frames import (
    make_batch,
    make_hello,
    make_series,
    make_welcome,
)
from tests.support.uplink_story import (
    SILENCE_S,
    Story,
    ack,
    frames,
    read,
    reads,
    sent_seqs,
    streaming,
)

# Cuts.


def test_after_a_cut_what_was_under_way_is_sent_again_unless_central_has_it() -> None:
    story = streaming(4)
    story.feed(read(1, 2, 3, 4))
    story.hear(ack((1, 1)))
    story.feed(Cut("reset by peer", chance=1.0))
    assert story.session.ledger is None
    assert story.wait(0.5) == [Dial()]
    story.feed(Opened(make_hello(4)))
    actions = story.hear(make_welcome(Ranges.of((1, 1), (3, 3))))  # 3 arrived, its ack did not
    assert reads(actions)[0].first == 2
    assert sent_seqs(story.feed(read(2, first=2))) == [2]


def test_waits_longer_after_each_failure_and_tells_why() -> None:
    story = Story()
    waits_s: list[float] = []
    for _ in range(3):
        assert story.feed(Tick()) == [Dial()]
        story.feed(Cut("connection refused", chance=1.0))
        waits_s.append((story.session.deadline_s or 0.0) - story.now_s)
        story.now_s += waits_s[-1]
    assert waits_s == [0.5, 1.0, 2.0]
    assert story.session.error == "connection refused"


def test_thirty_good_seconds_forgive_earlier_failures() -> None:
    story = Story()
    for wait_s in (0.5, 1.0, 2.0):
        story.feed(Tick(), Cut("refused", chance=1.0))
        story.now_s += wait_s
    story.feed(Tick(), Opened(make_hello()), Received(make_welcome()))
    story.now_s += 30.0
    story.feed(Cut("reset", chance=1.0))
    assert story.session.deadline_s == story.now_s + 0.5


def test_silence_ends_the_connection_but_any_frame_is_a_sign_of_life() -> None:
    story = streaming(0)
    story.now_s += SILENCE_S - 1.0
    story.hear(Ack(lane=0, ranges=Ranges(), credit_bytes=0))
    assert HangUp() not in story.wait(SILENCE_S - 0.1)
    assert HangUp() in story.wait(0.1)
    assert story.session.error == "silence: nothing for 45 s"
    assert story.session.state is State.CLOSING


def test_a_welcome_that_never_comes_is_silence_too() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello()))
    assert story.session.deadline_s == SILENCE_S
    assert story.wait(SILENCE_S) == [HangUp()]


# Being turned away.


def test_a_refusal_is_obeyed_and_explained() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello()))
    refuse = Refuse(code="busy", detail="100 edges", retry_after_s=10.0)
    assert story.hear(refuse) == [HangUp()]
    story.feed(Cut("closed", chance=1.0))
    assert story.session.error == "refused by central: busy: 100 edges"
    assert story.session.deadline_s == 10.5  # asked patience and own backoff


def test_patience_asked_for_is_bounded() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello()))
    story.hear(Refuse(code="busy", detail="", retry_after_s=86_400.0))
    story.feed(Cut("closed", chance=1.0))
    assert story.session.deadline_s == 600.5


def test_a_central_that_holds_more_than_this_log_ever_had_is_not_fed() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello(3)))
    actions = story.hear(make_welcome(Ranges.of((1, 9))))
    assert actions == [SendFrame(Bye(reason="rewound")), HangUp()]
    assert story.session.error == "rewound: central holds lane 2 up to 9, this log ends at 3"
    story.feed(Cut("closed", chance=1.0))
    assert story.session.deadline_s == REWOUND_RETRY_S + 0.5


def test_a_protocol_violation_ends_the_session() -> None:
    story = streaming(0)
    actions = story.feed(Violated("not msgpack"))
    assert actions == [SendFrame(Bye(reason="protocol_violation")), HangUp()]
    assert story.session.state is State.CLOSING


def test_a_goodbye_of_central_is_followed_by_another_attempt() -> None:
    story = streaming(0)
    assert story.hear(Bye(reason="shutdown")) == [HangUp()]
    story.feed(Cut("closed", chance=1.0))
    assert story.wait(0.5) == [Dial()]


# Signs of life and reports.


def test_measures_the_round_trip() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello()))
    (ping,) = [f for f in frames(story.hear(make_welcome())) if isinstance(f, Ping)]
    story.now_s += 0.6
    story.hear(Pong(ping_id=ping.ping_id))
    assert story.session.liveness.rtt_ms == pytest.approx(600.0)


def test_an_answer_to_an_older_ping_measures_nothing() -> None:
    story = streaming(0)
    story.hear(Pong(ping_id=77))
    assert story.session.liveness.rtt_ms is None


def test_reports_at_once_and_every_few_seconds() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello()))
    assert SendReport(None) in story.hear(make_welcome())
    assert SendReport(None) not in story.wait(REPORT_EVERY_S - 0.1)
    assert SendReport(None) in story.wait(0.1)


def test_answers_a_ping() -> None:
    assert streaming(0).hear(Ping(ping_id=5)) == [SendFrame(Pong(ping_id=5))]


# Stopping.


def test_says_goodbye_when_the_edge_stops() -> None:
    story = streaming(0)
    assert story.feed(StopRequested()) == [SendFrame(Bye(reason="shutdown")), HangUp()]
    story.feed(Cut("closed", chance=0.5))
    assert story.session.state is State.STOPPED


def test_stops_at_once_while_waiting() -> None:
    story = Story()
    story.feed(StopRequested())
    assert story.session.state is State.STOPPED


def test_a_connection_that_comes_after_the_order_to_stop_is_closed() -> None:
    story = Story()
    story.feed(Tick(), StopRequested())
    assert story.feed(Opened(make_hello())) == [HangUp()]


def test_frames_under_way_while_hanging_up_are_ignored() -> None:
    story = streaming(1)
    story.feed(read(1))
    story.hear(Bye(reason="shutdown"))
    assert story.hear(ack((1, 1))) == []


# What cannot be.


@pytest.mark.parametrize(
    "event",
    [Opened(make_hello()), Cut("x", 0.0), Written(1), read(1), Violated("x")],
    ids=lambda event: type(event).__name__,
)
def test_an_impossible_event_raises_and_changes_nothing(event: Event) -> None:
    story = Story()
    with pytest.raises(IllegalEventError):
        story.feed(event)
    assert story.feed(Tick()) == [Dial()]


@pytest.mark.parametrize(
    "frame",
    [make_welcome(), make_hello(), make_batch(1), SeriesFrame(entries=make_series(1, 1))],
    ids=lambda frame: type(frame).__name__,
)
def test_a_frame_that_may_not_come_while_streaming_is_a_violation(frame: Frame) -> None:
    story = streaming(0)
    with pytest.raises(PeerViolationError):
        story.hear(frame)
    assert story.session.state is State.STREAMING


@pytest.mark.parametrize(
    "answer",
    [read(2, 1, last=9), read(1, 10, last=9), LogRead(2, 1, 9, (), make_series(2, 2), False)],
    ids=["descending", "outside", "hole in the catalogue"],
)
def test_a_wrong_answer_of_the_log_raises_and_changes_nothing(answer: LogRead) -> None:
    story = streaming(9)
    with pytest.raises(IllegalEventError):
        story.feed(answer)
    assert sent_seqs(story.feed(read(1, last=9))) == [1]
