"""What the API reads from a real PostgreSQL, compared with plain Python over the same samples."""

from collections.abc import Callable, Sequence
from statistics import fmean

import pytest

from shared.domain.samples import Value, ValueType
from shared.domain.telemetry import Aggregate, TelemetryQuery, TelemetryResult
from shared.errors import AggregateError
from shared.ids import Kind, SeriesName
from shared.web.site_data import SeriesQuery
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, entry, type_of

STEP_MS = 10_000
NAME = SeriesName("kaduna", "sensor", "ch4-01", "ch4_pct")


def asked(aggregate: Aggregate, **differences: object) -> TelemetryQuery:
    fields: dict[str, object] = {
        "series": NAME,
        "start_ms": NOW_MS,
        "end_ms": NOW_MS + 60_000,
        "step_ms": STEP_MS,
        "aggregate": aggregate,
    }
    return TelemetryQuery(**(fields | differences))  # pyright: ignore[reportArgumentType] a test's shorthand


async def answer(
    world: CentralWorld, aggregate: Aggregate, **differences: object
) -> TelemetryResult:
    found = await world.reader.telemetry(asked(aggregate, **differences))
    assert found is not None
    return found


async def filled(world: CentralWorld, values: Sequence[Value], spacing_ms: int = 1_000) -> None:
    samples = [Sample(1, NOW_MS + n * spacing_ms, value) for n, value in enumerate(values)]
    await world.deliver(batch(1, samples), series=[entry(1, value_type=type_of(values[0]))])


def last(step: Sequence[float]) -> float:
    return step[-1]


OF_A_STEP: dict[Aggregate, Callable[[Sequence[float]], float]] = {
    Aggregate.MEAN: fmean,
    Aggregate.MIN: min,
    Aggregate.MAX: max,
    Aggregate.COUNT: len,
    Aggregate.LAST: last,
}


@pytest.mark.parametrize("aggregate", OF_A_STEP)
async def test_each_aggregate_is_what_python_says(
    world: CentralWorld, aggregate: Aggregate
) -> None:
    values = [float(n * 7 % 13) for n in range(40)]  # 1 Hz: ten to a step, the fifth is empty
    await filled(world, values)
    steps = [values[start : start + 10] for start in range(0, 40, 10)]
    points = [
        (NOW_MS + n * STEP_MS, pytest.approx(OF_A_STEP[aggregate](step)))
        for n, step in enumerate(steps)
    ]
    result = await answer(world, aggregate)
    assert result.points == points
    assert (result.unit, result.value_type) == ("%", ValueType.NUMBER)
    assert result.next_start_ms is None


async def test_raw_gives_every_sample_of_the_half_open_range(world: CentralWorld) -> None:
    await filled(world, [1.0, 2.0, 3.0])
    result = await answer(world, Aggregate.RAW, start_ms=NOW_MS, end_ms=NOW_MS + 2_000)
    assert result.points == [(NOW_MS, 1.0), (NOW_MS + 1_000, 2.0)]


async def test_steps_are_whole_multiples_since_the_epoch(world: CentralWorld) -> None:
    await filled(world, [1.0] * 20)
    start_ms = NOW_MS + 4_000  # in the middle of a step: the step keeps its beginning
    result = await answer(world, Aggregate.COUNT, start_ms=start_ms)
    assert result.points == [(NOW_MS, 6), (NOW_MS + STEP_MS, 10)]


async def test_steps_before_1970_begin_before_their_samples(world: CentralWorld) -> None:
    samples = [Sample(1, -1, 1.0), Sample(1, 0, 2.0), Sample(1, -STEP_MS, 3.0)]
    await world.deliver(batch(1, samples), series=[entry(1)])
    result = await answer(world, Aggregate.COUNT, start_ms=-60_000, end_ms=60_000)
    assert result.points == [(-STEP_MS, 2), (0, 1)]


async def test_more_points_than_fit_come_in_pages(world: CentralWorld) -> None:
    await filled(world, [float(n) for n in range(25)])
    for aggregate, pages in ((Aggregate.RAW, 3), (Aggregate.MAX, 1)):
        start_ms: int | None = NOW_MS
        seen: list[tuple[int, Value]] = []
        for _ in range(pages):
            result = await answer(world, aggregate, start_ms=start_ms, points_max=10)
            seen += result.points
            start_ms = result.next_start_ms
        assert start_ms is None
        assert len(seen) == {Aggregate.RAW: 25, Aggregate.MAX: 3}[aggregate]
        assert seen == sorted(set(seen))


async def test_integers_beyond_what_a_float_holds_stay_exact(world: CentralWorld) -> None:
    large = 2**60 + 1
    await filled(world, [large, large + 2])
    assert (await answer(world, Aggregate.MAX)).points == [(NOW_MS, large + 2)]
    assert (await answer(world, Aggregate.LAST)).points == [(NOW_MS, large + 2)]
    (mean,) = (await answer(world, Aggregate.MEAN)).points
    assert mean == (NOW_MS, float(large + 1))


async def test_flags_are_averaged_as_0_and_1_and_read_as_true_and_false(
    world: CentralWorld,
) -> None:
    await filled(world, [True, False, True, True])
    assert (await answer(world, Aggregate.MEAN)).points == [(NOW_MS, 0.75)]
    assert (await answer(world, Aggregate.MIN)).points == [(NOW_MS, 0)]
    raw = (await answer(world, Aggregate.RAW)).points
    assert [value for _, value in raw] == [True, False, True, True]
    assert all(type(value) is bool for _, value in raw)


async def test_text_is_counted_and_read_but_not_averaged(world: CentralWorld) -> None:
    await filled(world, ["idle", "running", "fault\x00"])
    assert (await answer(world, Aggregate.LAST)).points == [(NOW_MS, "fault\x00")]
    assert (await answer(world, Aggregate.COUNT)).points == [(NOW_MS, 3)]
    with pytest.raises(AggregateError):
        await answer(world, Aggregate.MEAN)


async def test_no_such_series_is_told_from_no_samples(world: CentralWorld) -> None:
    await filled(world, [1.0])
    assert (await answer(world, Aggregate.MEAN, end_ms=NOW_MS)).points == []
    other = SeriesName("kaduna", "sensor", "ch4-01", "co_ppm")
    assert await world.reader.telemetry(asked(Aggregate.MEAN, series=other)) is None
    assert await world.reader.telemetry(asked(Aggregate.MEAN, unit="ppm")) is None


async def test_a_device_that_once_sent_true_and_now_sends_1_has_one_history(
    world: CentralWorld,
) -> None:
    samples = [Sample(1, NOW_MS, True), Sample(2, NOW_MS + 1, 0.5), Sample(3, NOW_MS + 2, 2**60)]
    flag, integer = ValueType.FLAG, ValueType.INTEGER
    series = [entry(1, value_type=flag), entry(2), entry(3, value_type=integer)]
    await world.deliver(batch(1, samples), series=series)
    raw = await answer(world, Aggregate.RAW)
    assert [value for _, value in raw.points] == [1.0, 0.5, float(2**60)]
    assert raw.value_type is ValueType.NUMBER


async def test_the_unit_of_the_newest_sample_is_taken_unless_another_is_asked_for(
    world: CentralWorld,
) -> None:
    samples = [Sample(1, NOW_MS, 1.0), Sample(2, NOW_MS + 1, 10_000.0)]
    await world.deliver(batch(1, samples), series=[entry(1, unit="%"), entry(2, unit="ppm")])
    assert (await answer(world, Aggregate.RAW)).points == [(NOW_MS + 1, 10_000.0)]
    assert (await answer(world, Aggregate.RAW, unit="%")).points == [(NOW_MS, 1.0)]


async def test_latest_gives_one_value_per_name_the_newest(world: CentralWorld) -> None:
    samples = [Sample(1, NOW_MS, 1.0), Sample(2, NOW_MS + 1, 2.0), Sample(3, NOW_MS, 3.0)]
    series = [entry(1), entry(2, unit="ppm"), entry(3, "heart_rate_bpm", kind="worker")]
    await world.deliver(batch(1, samples), series=series)
    (sensor,) = await world.reader.latest("kaduna", [Kind.SENSOR])
    assert (sensor.value, sensor.series.unit, sensor.ts_ms) == (2.0, "ppm", NOW_MS + 1)
    both = await world.reader.latest("kaduna", [Kind.SENSOR, Kind.WORKER])
    assert [latest.value for latest in both] == [2.0, 3.0]
    assert list(await world.reader.latest("kaduna", [Kind.SENSOR], "elsewhere")) == []
    assert list(await world.reader.latest("obuasi", [Kind.SENSOR])) == []


async def test_latest_tells_when_a_value_from_the_future_was_received(world: CentralWorld) -> None:
    samples = [Sample(1, NOW_MS + 200_000, 1.0), Sample(2, NOW_MS - 1, 2.0)]
    await world.deliver(batch(1, samples, recv_max_ms=NOW_MS), series=[entry(1), entry(2, "b_c")])
    found = await world.reader.latest("kaduna", [Kind.SENSOR])
    assert [(value.ts_ms, value.ranked_ms) for value in found] == [
        (NOW_MS - 1, NOW_MS - 1),
        (NOW_MS + 200_000, NOW_MS),
    ]


async def test_the_catalogue_is_listed_in_pages_in_code_point_order(world: CentralWorld) -> None:
    metrics = ["b_c", "a_c", "c_c", "ch4_pct"]
    series = [entry(ix, metric) for ix, metric in enumerate(metrics, 1)]
    series.append(entry(5, "a_c", unit="K"))
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=series)
    query = SeriesQuery("kaduna", frozenset({Kind.SENSOR}), limit=2)
    first = await world.reader.series(query)
    assert [(s.series.name.metric, s.series.unit) for s in first] == [("a_c", "%"), ("a_c", "K")]
    after = ("sensor", "ch4-01", "a_c", "K", 1)
    rest = await world.reader.series(
        SeriesQuery("kaduna", frozenset({Kind.SENSOR}), limit=9, after=after)
    )
    assert [(s.series.name.metric, s.last_ms) for s in rest] == [
        ("b_c", NOW_MS),
        ("c_c", None),
        ("ch4_pct", None),
    ]


async def test_the_catalogue_is_searched_by_text_taken_literally(world: CentralWorld) -> None:
    await world.deliver(series=[entry(1, "ch4_pct"), entry(2, "chx4_pct")])
    query = SeriesQuery("kaduna", frozenset({Kind.SENSOR}), limit=9, text="CH4_")
    assert [s.series.name.metric for s in await world.reader.series(query)] == ["ch4_pct"]
    for text in ("%", "ch_4", "\x00"):
        query = SeriesQuery("kaduna", frozenset({Kind.SENSOR}), limit=9, text=text)
        assert list(await world.reader.series(query)) == []


async def test_values_of_a_type_we_do_not_know_are_left_out(world: CentralWorld) -> None:
    newer = entry(1)._replace(value_type=9)
    await world.deliver(series=[newer])
    query = SeriesQuery("kaduna", frozenset({Kind.SENSOR}), limit=9)
    assert list(await world.reader.series(query)) == []
    assert await world.reader.telemetry(asked(Aggregate.RAW)) is None


async def test_the_catalogue_is_searched_by_several_words_in_any_order(
    world: CentralWorld,
) -> None:
    await world.deliver(series=[entry(1, "ch4_pct"), entry(2, "co_ppm")])
    expected = {"pct 01 SENSOR": ["ch4_pct"], " 01 ": ["ch4_pct", "co_ppm"], "pct ppm": []}
    for text, metrics in expected.items():
        query = SeriesQuery("kaduna", frozenset({Kind.SENSOR}), limit=9, text=text)
        assert [s.series.name.metric for s in await world.reader.series(query)] == metrics
