"""When an edge is fenced, and what its new epoch shares with the old one. Pure."""

from collections.abc import Sequence

import pytest

from central.store.fencing import Fence, History, judge_history
from shared.sync.frames import Hello, LaneExtent, Mark
from shared.sync.marks import first_other, make_marks, marked_held, marked_seqs
from shared.sync.ranges import Ranges
from tests.support.sync_frames import make_hello


def sha_of(seq: int, timeline: int = 0) -> bytes:
    return bytes([timeline]) * 8 + seq.to_bytes(8, "big")


def hello_of(
    last_seq: int, *, fork: int = 10**9, series_count: int = 9, also: Sequence[int] = ()
) -> Hello:
    """Return the HELLO of a log whose batches from ``fork`` on are of another timeline."""
    plain = make_hello(last_seq, series_count=series_count)
    marks = tuple(
        Mark(seq, sha_of(seq, timeline=int(seq >= fork)))
        for seq in {*marked_seqs(1, last_seq), *also}
    )
    return Hello(
        site=plain.site,
        edge_id=plain.edge_id,
        install_uuid=plain.install_uuid,
        boot_id=plain.boot_id,
        epoch=1,
        software=plain.software,
        lanes={2: LaneExtent(1, last_seq)},
        series_count=series_count,
        sent_at_ms=0,
        marks={2: marks},
    )


def history_of(held: Ranges, *, series_known: int = 9, hashes_known: bool = True) -> History:
    hashes = {(2, seq): sha_of(seq) for first, last in held.spans
              for seq in range(first, last + 1)}  # fmt: skip
    return History({2: held}, series_known, hashes if hashes_known else {})


HELD_TO_100 = Ranges.of((1, 100))


@pytest.mark.parametrize("last_seq", [100, 101, 5_000])
def test_a_log_that_goes_on_from_what_is_held_is_not_fenced(last_seq: int) -> None:
    assert judge_history(hello_of(last_seq), history_of(HELD_TO_100)) is None


def test_a_log_that_ends_before_is_an_old_image_and_shares_all_it_has() -> None:
    fence = judge_history(hello_of(60), history_of(HELD_TO_100))
    assert fence == Fence(
        "lane 2 is held up to 100, the edge's log ends at 60", {2: Ranges.of((1, 60))}
    )


def test_an_old_image_that_went_on_for_long_is_found_by_what_central_marks() -> None:
    held, hello = HELD_TO_100, hello_of(5_000, fork=61)
    assert judge_history(hello, history_of(held)) is None  # none of its marks falls within
    marks = make_marks({2: {seq: sha_of(seq) for seq in marked_held(held)}})
    own = {2: {seq: sha_of(seq, timeline=int(seq >= 61)) for seq in marked_held(held)}}
    assert first_other(marks, own) == (2, 69)
    told = hello_of(5_000, fork=61, also=marked_held(held))
    fence = judge_history(told, history_of(held))
    assert fence == Fence("lane 2: batch 69 is held with other content", {2: Ranges.of((1, 37))})


@pytest.mark.parametrize("fork", range(1, 102))
def test_never_is_shared_what_differs(fork: int) -> None:
    fence = judge_history(hello_of(101, fork=fork), history_of(HELD_TO_100))
    if fork == 101:
        assert fence is None  # only its newest batch differs from what anybody else made
        return
    assert fence is not None
    assert (fence.shared.get(2, Ranges()).last or 0) < fork


def test_an_edge_without_marks_shares_nothing_for_certain() -> None:
    fence = judge_history(make_hello(60, series_count=9), history_of(HELD_TO_100))
    assert fence is not None
    assert fence.shared == {}


def test_hashes_that_nobody_knows_any_more_prove_nothing() -> None:
    assert judge_history(hello_of(100), history_of(HELD_TO_100, hashes_known=False)) is None


def test_holes_in_what_is_held_are_still_to_be_sent() -> None:
    held = Ranges.of((1, 10), (20, 100))
    fence = judge_history(hello_of(60), history_of(held))
    assert fence is not None
    assert fence.shared == {2: Ranges.of((1, 10), (20, 60))}


def test_a_catalogue_that_is_shorter_than_what_is_known_is_an_old_one() -> None:
    fence = judge_history(hello_of(100, series_count=3), history_of(HELD_TO_100))
    assert fence == Fence("9 series are known, the edge's log has 3", {2: HELD_TO_100})


def test_marks_reach_back_over_any_log_and_are_few() -> None:
    assert marked_seqs(1, 0) == []
    assert marked_seqs(3, 10) == [10, 9, 7, 3]
    assert len(marked_seqs(1, 2**62)) == 63
