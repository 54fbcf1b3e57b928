"""The past of a series, and the list of series."""

from collections.abc import AsyncGenerator

import pytest

from shared.access.roles import Role
from shared.domain.telemetry import POINTS_MAX
from tests.support.web_world import NOW_MS, Answer, World, web_world

CH4 = "kaduna/sensor/ch4-1/ch4_pct"
START = NOW_MS - 60_000


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with web_world() as running:
        for second in range(60):
            running.site.add(CH4, second / 100, START + second * 1000)
        yield running


async def telemetry(world: World, **query: object) -> Answer:
    params = {"series": CH4, **query}
    return await world.get(
        "/api/v1/analytics/telemetry",
        Role.ANALYST,
        params={name: str(value) for name, value in params.items()},
    )


async def test_points_have_the_shape_of_the_contract(world: World) -> None:
    data = (await telemetry(world, start=START, end=NOW_MS, step=10, agg="last")).data
    assert data["series"] == CH4
    assert data["unit"] == "%"
    # Steps of 10 s from START (a multiple of 10 s): the last of each is its tenth second.
    assert data["points"] == [[START + n * 10_000, (n * 10 + 9) / 100] for n in range(6)]
    assert (data["agg"], data["step"], data["next_start"]) == ("last", 10.0, None)


async def test_times_may_be_iso_or_epoch(world: World) -> None:
    iso = await telemetry(
        world, start="2026-11-02T05:59:50Z", end="2026-11-02T07:00:00+01:00", agg="raw"
    )
    epoch = await telemetry(world, start=NOW_MS - 10_000, end=NOW_MS, agg="raw")
    assert iso.data["points"] == epoch.data["points"]
    assert len(iso.data["points"]) == 10


async def test_the_site_may_be_repeated_and_must_be_that_of_the_series(world: World) -> None:
    assert (await telemetry(world, site="kaduna")).status == 200
    other = await telemetry(world, site="zaria")
    assert (other.status, other.fields) == (400, ["site"])


async def test_raw_ignores_the_step(world: World) -> None:
    data = (await telemetry(world, agg="raw", step=10)).data
    assert (len(data["points"]), data["step"]) == (60, None)


async def test_by_default_it_is_the_mean_of_the_last_hour_in_a_thousand_points(
    world: World,
) -> None:
    # 3,600 s in at most 1,000 points, one of which a range that begins within a step needs more:
    # 3,600 / 999 = 3.6 s, in whole seconds 4.
    data = (await telemetry(world)).data
    assert (data["agg"], data["step"], len(data["points"])) == ("mean", 4.0, 15)


async def test_more_points_than_asked_for_come_in_the_next_answer(world: World) -> None:
    first = (await telemetry(world, start=START, agg="raw", limit=50)).data
    rest = (await telemetry(world, start=first["next_start"], agg="raw", limit=50)).data
    assert (len(first["points"]), len(rest["points"]), rest["next_start"]) == (50, 10, None)
    assert rest["points"][0][0] == START + 50_000


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"series": "kaduna/sensor/ch4-1"}, "series"),
        ({"series": "Kaduna/sensor/ch4-1/ch4_pct"}, "series"),
        ({"start": "yesterday"}, "start"),
        ({"start": NOW_MS, "end": NOW_MS}, "start"),
        ({"start": NOW_MS + 1}, "start"),
        ({"step": 0}, "step"),
        ({"step": "nan"}, "step"),
        ({"step": "inf"}, "step"),
        ({"agg": "median"}, "agg"),
        ({"limit": POINTS_MAX + 1}, "limit"),
        ({"start": 0, "step": 1}, "step"),
    ],
)
async def test_a_wrong_question_names_the_field(
    world: World, query: dict[str, object], field: str
) -> None:
    answer = await telemetry(world, **query)
    assert (answer.status, answer.fields) == (400, [field])


async def test_a_step_that_is_too_fine_is_told_the_finest_possible(world: World) -> None:
    # 100,000 s in 10,000 points are 10 s each.
    start = NOW_MS - 100_000_000
    assert "at least 10 s" in (await telemetry(world, start=start, step=9)).body["detail"]
    assert (await telemetry(world, start=start, step=10)).status == 200


async def test_a_missing_series_is_required_and_an_unknown_one_not_found(world: World) -> None:
    missing = await world.get("/api/v1/analytics/telemetry", Role.ANALYST)
    unknown = await telemetry(world, series="kaduna/sensor/ch4-1/co_ppm")
    assert (missing.status, missing.fields, unknown.status) == (400, ["series"], 404)


async def test_an_empty_range_has_no_points(world: World) -> None:
    data = (await telemetry(world, start=START - 20_000, end=START - 10_000)).data
    assert data["points"] == []


async def test_arithmetic_on_text_is_refused_by_name(world: World) -> None:
    status = "kaduna/equipment/pump-1/status"
    world.site.add(status, "running", START)
    refused = await telemetry(world, series=status)
    last = await telemetry(world, series=status, agg="last")
    assert (refused.status, refused.fields) == (400, ["agg"])
    assert last.data["points"][0][1] == "running"


async def series(world: World, query: str = "") -> Answer:
    return await world.get(f"/api/v1/analytics/series{query}", Role.ANALYST)


async def test_a_series_is_listed_with_what_a_chart_needs(world: World) -> None:
    (item,) = (await series(world)).data["items"]
    assert item == {
        "series": CH4,
        "site": "kaduna",
        "kind": "sensor",
        "id": "ch4-1",
        "metric": "ch4_pct",
        "unit": "%",
        "type": "number",
        "last_ts": "2026-11-02T05:59:59.000Z",
    }


async def test_series_are_found_by_kind_asset_and_words(world: World) -> None:
    world.site.add("kaduna/vehicle/truck-1/fuel_pct", 1.0, NOW_MS)
    world.site.add("kaduna/vehicle/truck-2/fuel_pct", 1.0, NOW_MS)
    for query, expected in (
        ("?kind=vehicle", 2),
        ("?kind=vehicle,sensor", 3),
        ("?kind=vehicle&kind=sensor", 3),
        ("?id=truck-2", 1),
        ("?q=CH4", 1),
        ("?q=truck fuel", 2),
        ("?q=truck ch4", 0),
        ("?q=", 3),
        ("?q=100%25", 0),
    ):
        found = (await series(world, query)).data["items"]
        assert (query, len(found)) == (query, expected)


async def test_the_pages_of_the_catalogue_show_everything_once(world: World) -> None:
    for number in range(7):
        world.site.add(f"kaduna/vehicle/truck-{number}/fuel_pct", 1.0, NOW_MS)
    found, cursor = list[str](), ""
    while cursor is not None:
        data = (await series(world, f"?limit=3{f'&cursor={cursor}' if cursor else ''}")).data
        found += [item["series"] for item in data["items"]]
        cursor = data["next_cursor"]
    assert len(found) == len(set(found)) == 8


async def test_an_unknown_kind_is_told_the_known_ones(world: World) -> None:
    answer = await series(world, "?kind=ghost")
    assert (answer.status, answer.fields) == (400, ["kind.0"])
    assert "sensor" in answer.body["detail"]
