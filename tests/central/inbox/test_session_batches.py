"""How central stores what it receives, and what it answers."""

import pytest

from central.inbox.account import FORGED_MAX
from central.inbox.events import HangUp, NoteRefused, StoreBatches
from central.inbox.gathering import TRANSACTION_BATCHES_MAX
from central.inbox.ports import BatchRefusal
from central.inbox.session import UNSTORABLE_IN_ROW_MAX
from shared.errors import IllegalEventError
from shared.sync.frames import (
    BATCH_COST_BYTES,
    SERIES_COST_BYTES,
    Ack,
    Nack,
    NackCode,
    Refuse,
    SeriesFrame,
)
from shared.sync.ranges import Ranges
from tests.support.inbox_story import (
    CREDIT_BYTES,
    frames,
    streaming,
    transactions,
    with_wrong_hash,
)
from tests.support.sync_frames import TELEMETRY, make_batch, make_series

COST_BYTES = len(b"body") + BATCH_COST_BYTES


def ack(*spans: tuple[int, int], credit_bytes: int) -> Ack:
    return Ack(lane=TELEMETRY, ranges=Ranges.of(*spans), credit_bytes=credit_bytes)


def test_acknowledges_only_what_is_committed() -> None:
    story = streaming()
    assert frames(story.hear_batches(1)) == []
    assert frames(story.stored((1, 1))) == [ack((1, 1), credit_bytes=CREDIT_BYTES + COST_BYTES)]


def test_what_comes_during_a_transaction_gathers_for_the_next() -> None:
    story = streaming()
    assert transactions(story.hear_batches(1, 2, 3)) == [[1]]
    actions = story.stored((1, 1))
    assert transactions(actions) == [[2, 3]]
    assert frames(story.stored((2, 3))) == [ack((2, 3), credit_bytes=CREDIT_BYTES + 3 * COST_BYTES)]


def test_a_transaction_is_bounded() -> None:
    story = streaming(last_seq=1_000)
    story.hear_batches(*range(1, TRANSACTION_BATCHES_MAX + 10))
    (second,) = transactions(story.stored((1, 1)))
    assert len(second) == TRANSACTION_BATCHES_MAX


def test_a_transaction_is_bounded_in_bytes_but_takes_one_batch_of_any_size() -> None:
    story = streaming()
    body = bytes(CREDIT_BYTES - BATCH_COST_BYTES)
    for seq in range(1, 5):
        assert transactions(story.hear_batches(seq, body=body)) == [[seq]]
        story.stored((seq, seq))


def test_series_are_stored_with_or_before_the_batches_after_them() -> None:
    story = streaming()
    story.hear_batches(1)
    story.hear(SeriesFrame(entries=make_series(1, 2)), make_batch(2))
    (store,) = [a for a in story.stored((1, 1)) if isinstance(a, StoreBatches)]
    assert (store.series, [b.seq for b in store.batches]) == (make_series(1, 2), [2])


def test_series_alone_give_their_credit_back() -> None:
    story = streaming()
    story.hear(SeriesFrame(entries=make_series(1, 2)))
    credit_bytes = CREDIT_BYTES + 2 * SERIES_COST_BYTES
    assert frames(story.stored()) == [Ack(lane=0, ranges=Ranges(), credit_bytes=credit_bytes)]


def test_lanes_are_acknowledged_apart() -> None:
    story = streaming()
    story.hear_batches(1)
    story.hear(make_batch(1, lane=0), make_batch(2))
    story.stored((1, 1))
    with pytest.raises(IllegalEventError, match="lane 0 seq 1 must be either stored or refused"):
        story.stored((2, 2))


# A store that fails.


def test_a_store_that_fails_now_is_asked_again_later_with_the_same() -> None:
    story = streaming()
    story.hear_batches(1)
    assert story.failed() == []
    assert transactions(story.hear_batches(2)) == []  # gathered, not tried: it would fail too
    assert transactions(story.wait(0.05)) == []
    assert transactions(story.wait(0.05)) == [[1]]
    assert transactions(story.stored((1, 1))) == [[2]]


def test_retries_grow_to_a_few_seconds_and_the_session_stays() -> None:
    story = streaming()
    story.hear_batches(1)
    waits_s: list[float] = []
    for _ in range(8):
        story.failed()
        waits_s.append(round((story.session.deadline_s or 0.0) - story.now_s, 3))
        story.now_s += waits_s[-1]
        assert transactions(story.wait(0.0)) == [[1]]
    # 0.1 s doubled each time, at most 5 s.
    assert waits_s == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_no_credit_is_given_while_nothing_is_committed() -> None:
    story = streaming()
    story.hear_batches(1, 2, 3)
    for _ in range(5):
        assert frames(story.failed()) == []
        story.wait(5.0)
    assert story.session.account.granted_bytes == CREDIT_BYTES


def test_the_one_bad_batch_is_found_by_halving_and_refused_alone() -> None:
    story = streaming()
    story.hear_batches(1, 2, 3, 4, 5)
    story.stored((1, 1))  # 2-5 run now; 4 is bad
    assert transactions(story.failed(is_permanent=True)) == [[2, 3]]
    assert transactions(story.stored((2, 3))) == [[4, 5]]
    assert transactions(story.failed(is_permanent=True)) == [[4]]
    actions = story.failed(is_permanent=True)
    assert transactions(actions) == [[5]]
    (nack,) = [f for f in frames(actions) if isinstance(f, Nack)]
    assert (nack.seq, nack.code) == (4, NackCode.STORE_FAILED)
    story.stored((5, 5))
    assert story.session.account.granted_bytes == CREDIT_BYTES + 5 * COST_BYTES


def test_a_bad_batch_does_not_take_its_catalogue_along() -> None:
    story = streaming()
    story.hear_batches(1)
    story.hear(SeriesFrame(entries=make_series(1, 2)), make_batch(2))
    story.stored((1, 1))
    (retried,) = [a for a in story.failed(is_permanent=True) if isinstance(a, StoreBatches)]
    assert (retried.series, retried.batches) == (make_series(1, 2), ())


def test_a_catalogue_that_contradicts_what_is_known_ends_the_session() -> None:
    story = streaming()
    story.hear(SeriesFrame(entries=make_series(1, 2)))
    actions = story.failed(is_permanent=True)
    assert [f.code for f in frames(actions) if isinstance(f, Refuse)] == ["catalogue_conflict"]


def test_a_store_that_takes_nothing_at_all_ends_the_session() -> None:
    story = streaming()
    story.hear_batches(1)
    for seq in range(2, UNSTORABLE_IN_ROW_MAX + 1):
        story.failed(is_permanent=True)
        story.hear_batches(seq)
    actions = story.failed(is_permanent=True)
    assert [f.code for f in frames(actions) if isinstance(f, Refuse)] == ["unavailable"]
    assert actions[-1] == HangUp()


def test_success_in_between_shows_that_the_store_works() -> None:
    story = streaming()
    for seq in range(1, 3 * UNSTORABLE_IN_ROW_MAX, 2):
        story.hear_batches(seq)
        story.failed(is_permanent=True)
        story.hear_batches(seq + 1)
        story.stored((seq + 1, seq + 1))


# Refused batches.


def test_a_quarantined_batch_is_nacked_and_told() -> None:
    story = streaming()
    story.hear_batches(1)
    refusal = BatchRefusal(TELEMETRY, 1, NackCode.QUARANTINED, "bad body")
    actions = story.stored(refused=[refusal])
    assert frames(actions) == [
        Nack(lane=TELEMETRY, seq=1, code="quarantined", detail="bad body"),
        Ack(lane=0, ranges=Ranges(), credit_bytes=CREDIT_BYTES + COST_BYTES),
    ]
    assert NoteRefused(TELEMETRY, 1, "quarantined", "bad body") in actions


def test_the_reason_of_a_refusal_is_cut_to_what_a_frame_may_carry() -> None:
    story = streaming()
    story.hear_batches(1)
    actions = story.stored(refused=[BatchRefusal(TELEMETRY, 1, NackCode.CONFLICT, "x" * 5_000)])
    assert [len(f.detail) for f in frames(actions) if isinstance(f, Nack)] == [1_000]


def test_a_body_that_does_not_match_its_hash_never_reaches_the_store() -> None:
    story = streaming()
    actions = story.hear(with_wrong_hash(make_batch(1)))
    assert transactions(actions) == []
    nack, credit = frames(actions)
    assert isinstance(nack, Nack)
    assert (nack.seq, nack.code) == (1, NackCode.BAD_HASH)
    assert credit == Ack(lane=0, ranges=Ranges(), credit_bytes=CREDIT_BYTES + COST_BYTES)
    assert transactions(story.hear_batches(2)) == [[2]]


def test_one_forged_batch_after_another_ends_the_session() -> None:
    story = streaming()
    for seq in range(1, FORGED_MAX + 1):
        story.hear(with_wrong_hash(make_batch(seq)))
    actions = story.hear(with_wrong_hash(make_batch(FORGED_MAX + 1)))
    assert [f.code for f in frames(actions) if isinstance(f, Refuse)] == ["too_many_refused"]


def test_an_answer_of_the_store_that_forgets_a_batch_raises() -> None:
    story = streaming()
    story.hear_batches(1)
    with pytest.raises(IllegalEventError, match="seq 1 must be either stored or refused"):
        story.stored((2, 2))
