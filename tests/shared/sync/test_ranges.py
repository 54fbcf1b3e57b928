"""Ranges against plain Python sets: the interval arithmetic may never differ from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sync.ranges import Ranges

numbers = st.sets(st.integers(min_value=0, max_value=40))


@given(numbers, numbers)
def test_agrees_with_sets_of_numbers(left: set[int], right: set[int]) -> None:
    a, b = Ranges.of_numbers(left), Ranges.of_numbers(right)
    assert set(a.union(b)) == left | right
    assert set(a.difference(b)) == left - right
    assert set(a.intersection(b)) == left & right
    assert a.contains(b) == (right <= left)
    assert a.count == len(left)
    assert [a.first, a.last] == ([min(left), max(left)] if left else [None, None])


@given(numbers, st.integers(0, 40), st.integers(0, 40))
def test_missing_is_what_is_not_there_between_two_numbers(
    held: set[int], first: int, last: int
) -> None:
    assert set(Ranges.of_numbers(held).missing(first, last)) == set(range(first, last + 1)) - held


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5))))
def test_spans_in_any_order_come_out_ascending_and_apart(pairs: list[tuple[int, int]]) -> None:
    ranges = Ranges.of(*((first, first + length) for first, length in pairs))
    assert ranges == Ranges(ranges.spans)  # the constructor accepts only the normal form
    assert set(ranges) == {n for first, length in pairs for n in range(first, first + length + 1)}


def test_a_long_lane_with_few_holes_stays_small() -> None:
    ranges = Ranges.of((1, 10_000_000)).difference(Ranges.of_numbers([5, 77]))
    assert ranges.spans == ((1, 4), (6, 76), (78, 10_000_000))
    assert 77 not in ranges
    assert 78 in ranges


def test_neighbours_join() -> None:
    assert Ranges.of((1, 3)).add(4).add(6, 7).add(5).spans == ((1, 7),)


def test_lowest_spans_understates_and_never_invents() -> None:
    ranges = Ranges.of((1, 2), (4, 5), (7, 8))
    assert ranges.lowest_spans(2).spans == ((1, 2), (4, 5))
    assert ranges.lowest_spans(3) is ranges


@pytest.mark.parametrize("spans", [((5, 4),), ((1, 3), (4, 5)), ((5, 6), (1, 2)), ((1, 5), (3, 9))])
def test_refuses_spans_out_of_normal_form(spans: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="ranges"):
        Ranges(spans)


def test_reads_well_in_a_log_line() -> None:
    assert str(Ranges.of((1, 4), (6, 6))) == "1-4,6"
    assert str(Ranges()) == "none"
