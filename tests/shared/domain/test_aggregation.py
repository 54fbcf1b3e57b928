"""From samples to points."""

import math
from collections.abc import Callable
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.aggregation import aggregate_samples
from shared.domain.samples import ValueType
from shared.domain.telemetry import Aggregate, page_of
from shared.errors import AggregateError

# Two steps of 10 ms: [20, 30) with 1, 3, 2 and [40, 50) with 7.
TS_MS = [20, 25, 29, 40]
VALUES = [1.0, 3.0, 2.0, 7.0]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (Aggregate.MEAN, [(20, 2.0), (40, 7.0)]),
        (Aggregate.MIN, [(20, 1.0), (40, 7.0)]),
        (Aggregate.MAX, [(20, 3.0), (40, 7.0)]),
        (Aggregate.COUNT, [(20, 3), (40, 1)]),
        (Aggregate.LAST, [(20, 2.0), (40, 7.0)]),
        (Aggregate.RAW, [(20, 1.0), (25, 3.0), (29, 2.0), (40, 7.0)]),
    ],
)
def test_each_aggregate_by_hand(aggregate: Aggregate, expected: list[tuple[int, float]]) -> None:
    points = aggregate_samples(
        TS_MS, VALUES, value_type=ValueType.NUMBER, step_ms=10, aggregate=aggregate
    )
    assert points == expected


def test_steps_before_the_epoch_begin_at_whole_steps_too() -> None:
    points = aggregate_samples(
        [-15, -5, 5], [1.0, 2.0, 3.0], value_type=ValueType.NUMBER, step_ms=10,
        aggregate=Aggregate.LAST,
    )  # fmt: skip
    assert points == [(-20, 1.0), (-10, 2.0), (0, 3.0)]


def test_flags_count_as_zero_and_one() -> None:
    points = aggregate_samples(
        [1, 2, 3, 4], [True, False, True, True], value_type=ValueType.FLAG, step_ms=10,
        aggregate=Aggregate.MEAN,
    )  # fmt: skip
    assert points == [(0, 0.75)]


def test_large_integers_keep_every_digit() -> None:
    large = 2**53 + 1  # the first that float64 cannot hold
    points = aggregate_samples(
        [1, 2], [large, large - 2], value_type=ValueType.INTEGER, step_ms=10,
        aggregate=Aggregate.MAX,
    )  # fmt: skip
    assert points == [(0, large)]


@pytest.mark.parametrize("aggregate", [Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX])
def test_arithmetic_on_text_is_refused(aggregate: Aggregate) -> None:
    with pytest.raises(AggregateError, match="count, last, raw"):
        aggregate_samples(
            [1], ["running"], value_type=ValueType.TEXT, step_ms=10, aggregate=aggregate
        )


def test_text_has_a_last_and_a_count() -> None:
    texts = ["idle", "running"]
    for aggregate, expected in ((Aggregate.LAST, "running"), (Aggregate.COUNT, 2)):
        points = aggregate_samples(
            [1, 2], texts, value_type=ValueType.TEXT, step_ms=10, aggregate=aggregate
        )
        assert points == [(0, expected)]


def test_nothing_gives_nothing() -> None:
    assert (
        aggregate_samples([], [], value_type=ValueType.NUMBER, step_ms=10, aggregate=Aggregate.MEAN)
        == []
    )


PLAIN: dict[Aggregate, Callable[[list[float]], float]] = {
    Aggregate.MIN: min,
    Aggregate.MAX: max,
    Aggregate.COUNT: len,
    Aggregate.LAST: lambda values: values[-1],
    Aggregate.MEAN: lambda values: math.fsum(values) / len(values),
}


@given(
    rows=st.lists(st.tuples(st.integers(-10_000, 10_000), st.floats(-1e6, 1e6)), max_size=60).map(
        lambda rows: sorted(rows, key=lambda row: row[0])
    ),
    step_ms=st.integers(1, 5_000),
)
def test_agrees_with_the_plain_way(rows: list[tuple[int, float]], step_ms: int) -> None:
    expected = {
        step: [value for _, value in group]
        for step, group in groupby(rows, key=lambda row: row[0] // step_ms * step_ms)
    }
    for aggregate, plain in PLAIN.items():
        points = aggregate_samples(
            [ts for ts, _ in rows], [value for _, value in rows],
            value_type=ValueType.NUMBER, step_ms=step_ms, aggregate=aggregate,
        )  # fmt: skip
        assert [ts for ts, _ in points] == list(expected)
        for (_, value), values in zip(points, expected.values(), strict=True):
            assert value == pytest.approx(plain(values), rel=1e-9, abs=1e-6)


@given(
    times=st.lists(st.integers(0, 20), max_size=40).map(sorted),
    points_max=st.integers(1, 10),
)
def test_pages_lose_no_millisecond_that_fits(times: list[int], points_max: int) -> None:
    """Walk a series page by page as a client would; only an overfull millisecond is cut."""
    found: list[int] = []
    start_ms: int | None = 0
    while start_ms is not None:
        asked = [(ts, 0.0) for ts in times if ts >= start_ms][: points_max + 1]
        page, following = page_of(list(asked), points_max)
        assert len(page) <= points_max
        assert following is None or following > start_ms or not page
        found += [ts for ts, _ in page]
        start_ms = following
    expected = [
        ts for ts, group in groupby(times) for _ in range(min(len(list(group)), points_max))
    ]
    assert found == expected
