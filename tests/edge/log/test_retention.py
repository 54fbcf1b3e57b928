"""What the log forgets and when it refuses: tables."""

import pytest

from edge.log.retention import (
    Limits,
    SegmentFact,
    effective_segment_size_bytes,
    refusal,
    removable,
)

LIMITS = Limits(size_max_bytes=1_000, free_space_min_bytes=100)


def segment(
    first_seq: int, *, sealed: bool = True, settled: bool = True, lane: int = 2
) -> SegmentFact:
    return SegmentFact(lane, first_seq, 400, sealed, settled)


@pytest.mark.parametrize(
    ("why", "segments", "free_bytes", "removed"),
    [
        ("within the budget", [segment(1), segment(2)], 5_000, []),
        ("800 of 1000 bytes used and the disk at its floor", [segment(1), segment(2)], 100, []),
        ("1200 of 1000: one is enough", [segment(1), segment(2), segment(3)], 5_000, [1]),
        ("1600 of 1000: two, oldest first", [segment(4), segment(3), segment(2), segment(1)],
         5_000, [1, 2]),
        ("not acknowledged stays", [segment(1, settled=False), segment(2), segment(3)],
         5_000, [2]),
        ("nothing acknowledged: nothing goes", [segment(n, settled=False) for n in (1, 2, 3)],
         5_000, []),
        ("the one being written stays", [segment(1, sealed=False), segment(2), segment(3)],
         5_000, [2]),
        ("disk 50 below its floor", [segment(1), segment(2)], 50, [1]),
        ("disk 500 below its floor", [segment(1), segment(2)], -400, [1, 2]),
        ("lanes count together", [segment(5, lane=0), segment(4), segment(6)], 5_000, [4]),
        ("no segments", [], 0, []),
    ],
)  # fmt: skip
def test_only_what_central_holds_goes_and_only_as_much_as_is_short(
    why: str, segments: list[SegmentFact], free_bytes: int, removed: list[int]
) -> None:
    chosen = removable(segments, free_bytes=free_bytes, limits=LIMITS)
    assert [one.first_seq for one in chosen] == removed, why


@pytest.mark.parametrize(
    ("size_bytes", "free_bytes", "word"),
    [
        (999, 100, None),
        (1_000, 100, "size_max_bytes"),
        (0, 99, "free_space_min_bytes"),
        (2_000, 0, "free_space_min_bytes"),
    ],
)
def test_refuses_at_either_limit_and_names_it(
    size_bytes: int, free_bytes: int, word: str | None
) -> None:
    reason = refusal(size_bytes=size_bytes, free_bytes=free_bytes, limits=LIMITS)
    assert (reason is None) if word is None else (reason is not None and word in reason)


@pytest.mark.parametrize(
    ("configured", "budget", "effective"),
    [
        (1_048_576, 8_388_608, 1_048_576),  # an eighth of the budget: as configured
        (134_217_728, 8_388_608, 2_097_152),  # more than the budget: a quarter of it
        (1_048_576, 524_288, 262_144),  # never less than the smallest segment that makes sense
    ],
)
def test_a_small_budget_has_small_segments(configured: int, budget: int, effective: int) -> None:
    assert effective_segment_size_bytes(configured, Limits(budget, 0)) == effective
