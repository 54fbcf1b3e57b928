"""What the edge sends, and what it does with central's verdicts."""

import pytest

from edge.uplink.events import (
    Acknowledge,
    AdoptSession,
    Committed,
    Dial,
    FindHour,
    HourFound,
    LogRead,
    LogUnreadable,
    NoteAbsent,
    NoteRefused,
    Opened,
    Received,
    Reconcile,
    SendFrame,
    Throttled,
    Tick,
    Written,
)
from edge.uplink.ledger import READ_BATCHES_MAX
from edge.uplink.schedule import LIVE_FOR_S
from edge.uplink.session import SEND_AHEAD_MAX_BYTES
from edge.uplink.states import State
from shared.errors import IllegalEventError, PeerViolationError
from shared.sync.frames import (
    BATCH_COST_BYTES,
    BODY_SIZE_MAX_BYTES,
    FRAME_SIZE_MAX_BYTES,
    SERIES_COST_BYTES,
    Ack,
    Batch,
    Nack,
    NackCode,
    Role,
    SeriesFrame,
)
from shared.sync.ranges import Ranges
from tests.support.sync_frames import (
    CENTRAL_UUID,
    TELEMETRY,
    make_batch,
    make_hello,
    make_series,
    make_welcome,
)
from tests.support.uplink_story import (
    Story,
    ack,
    frames,
    read,
    reads,
    sent_seqs,
    streaming,
)

# From nothing to streaming.


def test_dials_at_once_and_greets_when_connected() -> None:
    story = Story()
    assert story.feed(Tick()) == [Dial()]
    assert story.feed(Opened(make_hello(9))) == [SendFrame(make_hello(9))]
    assert story.session.state is State.GREETING


def test_welcome_is_adopted_before_anything_is_read() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello(9)))
    actions = story.hear(make_welcome(Ranges.of((1, 4))))
    assert actions[:2] == [
        AdoptSession(1, CENTRAL_UUID, Role.ALL),
        Reconcile(TELEMETRY, Ranges.of((1, 4))),
    ]
    assert [(r.first, r.last) for r in reads(actions)] == [(5, 9)]
    assert story.session.error is None


def test_asks_only_for_what_central_lacks() -> None:
    story = streaming(10, held=Ranges.of((1, 3), (5, 5), (8, 10)))
    # The read of 4 is under way since WELCOME; its answer leads to the next hole, 6-7.
    actions = story.feed(read(4, first=4))
    assert sent_seqs(actions) == [4]
    assert [(r.first, r.last) for r in reads(actions)] == [(6, 7)]


def test_a_long_backlog_is_read_in_bounded_spans() -> None:
    actions = Story().feed(Tick(), Opened(make_hello(10_000_000)), Received(make_welcome()))
    assert [(r.first, r.last) for r in reads(actions)] == [(1, READ_BATCHES_MAX)]


# Sending.


def test_new_batches_are_read_as_soon_as_they_are_committed() -> None:
    story = streaming(0)
    assert reads(story.feed(Committed(TELEMETRY, 1)))[0].first == 1
    assert sent_seqs(story.feed(read(1))) == [1]


def test_a_lane_that_began_after_hello_is_sent_too_and_first() -> None:
    story = streaming(0)
    story.feed(Committed(TELEMETRY, 1))
    actions = story.feed(Committed(0, 1), read(1))
    assert [r.lane for r in reads(actions)] == [0]


def test_what_is_recorded_now_does_not_wait_behind_the_backlog() -> None:
    story = streaming(1_000)  # the read of the first of these is under way
    story.feed(Committed(TELEMETRY, 1_001))
    actions = story.feed(read(1, 2, 3, last=READ_BATCHES_MAX))
    assert [(r.first, r.last) for r in reads(actions)] == [(1_001, 1_001)]
    actions = story.feed(read(1_001, first=1_001))
    assert sent_seqs(actions) == [1_001]
    assert [r.first for r in reads(actions)] == [4]  # and the backlog goes on


def test_what_is_owed_for_a_minute_joins_the_backlog() -> None:
    story = streaming(0)
    story.feed(Committed(TELEMETRY, 500))  # the read of the first of these is under way
    story.now_s += LIVE_FOR_S
    story.feed(Committed(TELEMETRY, 501))
    actions = story.feed(read(1, last=READ_BATCHES_MAX))
    assert [r.first for r in reads(actions)] == [501]


def test_series_go_before_the_batches_that_use_them() -> None:
    story = streaming(1)
    actions = story.feed(LogRead(TELEMETRY, 1, 1, (make_batch(1),), make_series(1, 3), False))
    assert [type(frame) for frame in frames(actions)][:2] == [SeriesFrame, Batch]


def test_batches_wait_while_the_catalogue_has_more() -> None:
    story = streaming(1)
    actions = story.feed(LogRead(TELEMETRY, 1, 1, (make_batch(1),), make_series(1, 3), True))
    assert sent_seqs(actions) == []
    assert [(r.first, r.series_from) for r in reads(actions)] == [(1, 4)]


def test_never_has_more_under_way_than_the_credit() -> None:
    body = bytes(FRAME_SIZE_MAX_BYTES // 4)
    # A fourth of the credit each, and the flat price on top: three fit, the fourth does not.
    story = streaming(8)
    actions = story.feed(read(1, 2, 3, 4, body=body))
    assert sent_seqs(actions) == [1, 2, 3]
    cost_bytes = 3 * (len(body) + BATCH_COST_BYTES)
    assert reads(story.feed(Written(cost_bytes))) == []
    granted = ack((1, 1), credit_bytes=FRAME_SIZE_MAX_BYTES + len(body) + BATCH_COST_BYTES)
    assert reads(story.hear(granted))[0].first == 4


def test_credit_is_cumulative_so_an_old_grant_takes_nothing_back() -> None:
    story = streaming(0)
    story.hear(Ack(lane=0, ranges=Ranges(), credit_bytes=9 * FRAME_SIZE_MAX_BYTES))
    story.hear(Ack(lane=0, ranges=Ranges(), credit_bytes=FRAME_SIZE_MAX_BYTES))
    assert story.session.ledger is not None
    assert story.session.ledger.credit_left_bytes == 9 * FRAME_SIZE_MAX_BYTES


def test_series_too_are_bounded_by_the_credit() -> None:
    fitting = FRAME_SIZE_MAX_BYTES // SERIES_COST_BYTES
    story = streaming(1)
    entries = make_series(1, fitting + 5)
    actions = story.feed(LogRead(TELEMETRY, 1, 1, (make_batch(1),), entries, False))
    assert sum(len(f.entries) for f in frames(actions) if isinstance(f, SeriesFrame)) == fitting
    story.feed(Written(FRAME_SIZE_MAX_BYTES))
    more = Ack(lane=0, ranges=Ranges(), credit_bytes=2 * FRAME_SIZE_MAX_BYTES)
    assert reads(story.hear(more))[0].series_from == fitting + 1


def test_reads_no_further_than_the_transport_keeps_up() -> None:
    story = streaming(9, credit_bytes=64 * FRAME_SIZE_MAX_BYTES)
    body = bytes(SEND_AHEAD_MAX_BYTES)
    assert reads(story.feed(read(1, body=body))) == []
    assert reads(story.feed(Written(len(body) + BATCH_COST_BYTES)))[0].first == 2


def test_a_batch_too_long_for_a_frame_is_refused_here_and_does_not_block() -> None:
    story = streaming(2)
    too_long = make_batch(1, bytes(BODY_SIZE_MAX_BYTES + 1))
    actions = story.feed(LogRead(TELEMETRY, 1, 2, (too_long, make_batch(2)), (), False))
    assert sent_seqs(actions) == [2]
    assert [a.code for a in actions if isinstance(a, NoteRefused)] == ["too_large"]


def test_numbers_that_are_not_in_the_log_are_told_and_passed_over() -> None:
    story = streaming(9)
    actions = story.feed(read(2, 5, first=1, last=9))
    assert NoteAbsent(TELEMETRY, Ranges.of((1, 1), (3, 4))) in actions
    assert reads(actions)[0].first == 6
    actions = story.feed(LogRead(TELEMETRY, 6, 9, (), (), False))
    assert NoteAbsent(TELEMETRY, Ranges.of((6, 9))) in actions


def test_numbers_that_the_log_declared_lost_are_not_looked_for() -> None:
    story = Story()
    story.feed(Tick(), Opened(make_hello(9), lost={TELEMETRY: Ranges.of((1, 6), (9, 1_000_000))}))
    assert [(r.first, r.last) for r in reads(story.hear(make_welcome()))] == [(7, 8)]


def test_an_unreadable_log_is_asked_again_after_a_while() -> None:
    story = streaming(1)
    assert reads(story.feed(LogUnreadable("disk error"))) == []
    assert reads(story.wait(0.5)) == []
    assert reads(story.wait(0.5))[0].first == 1


# Verdicts.


def test_an_ack_tells_the_log_what_central_holds() -> None:
    story = streaming(3)
    story.feed(read(1, 2, 3))
    assert story.hear(ack((1, 1), (3, 3)))[0] == Acknowledge(TELEMETRY, Ranges.of((1, 1), (3, 3)))


def test_an_ack_of_what_was_never_sent_is_a_violation_and_changes_nothing() -> None:
    story = streaming(3)
    story.feed(read(1, first=1, last=3))
    with pytest.raises(PeerViolationError, match="3 of lane 2, which was not sent"):
        story.hear(ack((1, 1), (3, 3)))
    assert story.hear(ack((1, 1)))[0] == Acknowledge(TELEMETRY, Ranges.of((1, 1)))


def test_an_ack_that_comes_twice_is_harmless() -> None:
    story = streaming(1)
    story.feed(read(1))
    assert story.hear(ack((1, 1))) == story.hear(ack((1, 1)))


def test_a_nack_is_told_and_the_lane_goes_on() -> None:
    story = streaming(2)
    story.feed(read(1, 2))
    nack = Nack(lane=TELEMETRY, seq=1, code=NackCode.BAD_HASH, detail="differs")
    assert story.hear(nack) == [NoteRefused(TELEMETRY, 1, "bad_hash", "differs")]
    assert reads(story.feed(Committed(TELEMETRY, 3)))[0].first == 3


def test_what_central_keeps_in_quarantine_needs_to_be_kept_here_no_longer() -> None:
    story = streaming(1)
    story.feed(read(1))
    nack = Nack(lane=TELEMETRY, seq=1, code=NackCode.QUARANTINED, detail="bad body")
    assert Acknowledge(TELEMETRY, Ranges.of((1, 1))) in story.hear(nack)


# The order of the backlog.


def newest_first(last_seq: int) -> Story:
    story = Story(is_newest_first=True)
    story.feed(Tick(), Opened(make_hello(last_seq)))
    return story


def test_the_newest_hour_goes_first_and_within_it_the_oldest() -> None:
    story = newest_first(9)
    assert story.hear(make_welcome())[-1] == FindHour(TELEMETRY, 9)
    assert [(r.first, r.last) for r in reads(story.feed(HourFound(TELEMETRY, 7, 9)))] == [(7, 9)]
    actions = story.feed(read(7, 8, 9, first=7))
    assert sent_seqs(actions) == [7, 8, 9]
    assert actions[-1] == FindHour(TELEMETRY, 6)
    story.feed(HourFound(TELEMETRY, 1, 6))
    assert sent_seqs(story.feed(read(1, 2, 3, 4, 5, 6))) == [1, 2, 3, 4, 5, 6]


def test_what_is_recorded_now_goes_beside_the_newest_hour() -> None:
    story = newest_first(9)
    story.hear(make_welcome())
    story.feed(Committed(TELEMETRY, 10))
    chosen = reads(story.feed(HourFound(TELEMETRY, 7, 9)))
    assert [(r.first, r.last) for r in chosen] == [(10, 10)]
    following = reads(story.feed(read(10, first=10)))
    assert [(r.first, r.last) for r in following] == [(7, 9)]


def test_an_hour_that_central_holds_in_part_is_filled_up() -> None:
    story = newest_first(9)
    assert story.hear(make_welcome(Ranges.of((8, 9))))[-1] == FindHour(TELEMETRY, 7)
    assert [(r.first, r.last) for r in reads(story.feed(HourFound(TELEMETRY, 4, 7)))] == [(4, 7)]


def test_an_hour_that_nobody_asked_for_is_a_mistake_of_the_shell() -> None:
    with pytest.raises(IllegalEventError):
        streaming().feed(HourFound(TELEMETRY, 1, 1))


# Held up by the budget.


def test_while_bulk_is_held_up_alerts_go_and_afterwards_bulk_goes_on() -> None:
    story = streaming()
    assert not story.feed(Throttled(True), Committed(TELEMETRY, 1))
    (of_alert,) = reads(story.feed(Committed(0, 1)))
    assert of_alert.lane == 0
    story.feed(LogRead(0, 1, 1, (make_batch(1, lane=0),), (), False))
    assert reads(story.feed(Throttled(False)))[0].lane == TELEMETRY


def test_what_was_held_up_before_the_connection_stays_so_on_it() -> None:
    story = Story()
    story.feed(Throttled(True), Tick(), Opened(make_hello(9)))
    assert reads(story.hear(make_welcome())) == []
