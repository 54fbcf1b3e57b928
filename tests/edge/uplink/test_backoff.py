"""Backoff: the arithmetic of the waits."""

import pytest

from edge.uplink.backoff import DELAY_MIN_S, GOOD_TRAFFIC_S, Backoff

FRESH = Backoff(min_s=0.5, max_s=60.0)


@pytest.mark.parametrize(
    ("failures", "ceiling_s"),
    # 0.5 s doubled with each failure after the first: 0.5 * 2**(n - 1), at most 60.
    [(1, 0.5), (2, 1.0), (3, 2.0), (7, 32.0), (8, 60.0), (1_000, 60.0)],
)
def test_the_ceiling_doubles_with_each_failure(failures: int, ceiling_s: float) -> None:
    backoff = FRESH
    for _ in range(failures):
        backoff = backoff.after_failure(good_traffic_s=0.0)
    assert backoff.delay_s(chance=1.0) == ceiling_s
    assert backoff.delay_s(chance=0.5) == ceiling_s / 2


def test_no_draw_makes_a_busy_loop() -> None:
    assert FRESH.after_failure(0.0).delay_s(chance=0.0) == DELAY_MIN_S


def test_good_traffic_makes_the_next_failure_a_first_one() -> None:
    tired = Backoff(min_s=0.5, max_s=60.0, attempt=9)
    assert tired.after_failure(GOOD_TRAFFIC_S).attempt == 1
    assert tired.after_failure(GOOD_TRAFFIC_S - 0.1).attempt == 10


def test_a_configured_maximum_holds_even_below_the_minimum_delay() -> None:
    assert Backoff(min_s=0.001, max_s=0.002).after_failure(0.0).delay_s(chance=1.0) == 0.002
