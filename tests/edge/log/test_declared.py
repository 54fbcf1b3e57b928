"""What is declared lost: how it shrinks, and that nothing of it is forgotten."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.log.declared import ALL_TOPICS, DeclaredGap, GapReason, merge_oldest, without

GAP = DeclaredGap(
    reason=GapReason.SEQUENCE_GAP,
    topic="a",
    first_seq=10,
    last_seq=14,
    missing=5,
    from_ms=100,
    until_ms=200,
    declared_ms=201,
)


def spans(gaps: list[DeclaredGap]) -> list[tuple[int, int, int]]:
    return [(gap.first_seq, gap.last_seq, gap.missing) for gap in gaps]


def test_what_arrives_late_is_taken_out_of_its_gap() -> None:
    assert spans(without(GAP, 12)) == [(10, 11, 2), (13, 14, 2)]
    assert spans(without(GAP, 10)) == [(11, 14, 4)]
    assert without(replace(GAP, last_seq=10, missing=1), 10) == []


def test_of_a_merged_gap_only_the_number_is_known() -> None:
    assert spans(without(replace(GAP, merged=2, missing=2), 12)) == [(10, 14, 1)]
    assert without(replace(GAP, merged=2, missing=1), 12) == []


def test_old_gaps_of_one_device_become_one() -> None:
    gaps = [replace(GAP, from_ms=n, until_ms=n + 1) for n in range(8)]
    merged = merge_oldest(gaps, 6)
    assert merged[0] == replace(GAP, from_ms=0, until_ms=4, missing=20, merged=4)
    assert merged[1:] == gaps[4:]


def test_old_gaps_of_many_devices_become_one_where_that_is_not_enough() -> None:
    merged = merge_oldest([replace(GAP, topic=str(n)) for n in range(8)], 6)
    assert (merged[0].topic, merged[0].merged) == (ALL_TOPICS, 4)


gaps = st.builds(
    DeclaredGap,
    reason=st.sampled_from(GapReason),
    topic=st.sampled_from("abcdef"),
    first_seq=st.just(10),
    last_seq=st.just(14),
    missing=st.integers(1, 5),
    from_ms=st.integers(0, 100),
    until_ms=st.integers(100, 200),
    declared_ms=st.just(201),
)


@given(found=st.lists(gaps, max_size=60), gaps_max=st.integers(4, 50))
def test_merging_forgets_nothing(found: list[DeclaredGap], gaps_max: int) -> None:
    merged = merge_oldest(found, gaps_max)
    assert len(merged) <= max(gaps_max, 4)

    def sums(of: list[DeclaredGap]) -> Counter[GapReason]:
        counted = Counter[GapReason]()
        for gap in of:
            counted[gap.reason] += gap.missing
        return counted

    assert sums(merged) == sums(found)
    assert sum(gap.merged for gap in merged) == len(found)
