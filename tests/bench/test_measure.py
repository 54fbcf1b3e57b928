"""Medians and percentiles are measurements, by nearest rank."""

import numpy as np
import pytest

from bench.measure import distribution, nearest_rank


@pytest.mark.parametrize(
    ("percent", "expected"),
    # Of 1..10: at least half are not above 5; 95 % and 99 % of ten are 9.5 and 9.9, so all ten.
    [(50.0, 5.0), (90.0, 9.0), (91.0, 10.0), (95.0, 10.0), (99.0, 10.0), (100.0, 10.0), (1.0, 1.0)],
)
def test_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert nearest_rank(np.arange(1.0, 11.0), percent) == expected


def test_distribution_does_not_depend_on_the_order() -> None:
    found = distribution([5.0, 1.0, 3.0])
    assert found is not None
    assert (found.n, found.minimum, found.median, found.p99, found.maximum) == (3, 1, 3, 5, 5)


def test_nothing_measured_has_no_figures() -> None:
    assert distribution([]) is None


def test_one_slow_in_a_hundred_is_beyond_the_p99_but_not_beyond_the_maximum() -> None:
    found = distribution([1.0] * 99 + [1000.0])
    assert found is not None
    assert (found.p99, found.maximum) == (1.0, 1000.0)
