"""Vehicles, equipment, workers and sensors as the contract shows them."""

from collections.abc import AsyncGenerator

import pytest

from shared.access.roles import Role
from shared.domain.samples import Quality
from tests.support.web_world import NOW_MS, World, web_world

VEHICLES = "/api/v1/assets/vehicles"
PUMP = "/api/v1/assets/equipment/pump-1"


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with web_world() as running:
        yield running


async def test_an_asset_has_the_shape_of_the_contract(world: World) -> None:
    truck = "kaduna/vehicle/truck-1"
    for metric, value in (("lat_deg", 10.5), ("lng_deg", 7.4), ("zone", "pit-north-2")):
        world.site.add(f"{truck}/{metric}", value, NOW_MS - 900)
    world.site.add(f"{truck}/fuel_pct", 71.5, NOW_MS - 800, Quality.LATE | Quality.GAP_BEFORE)
    (item,) = (await world.get(VEHICLES, Role.OPERATOR)).data["items"]
    assert item == {
        "id": "truck-1",
        "site": "kaduna",
        "kind": "vehicle",
        "name": "truck-1",
        "status": "online",
        "connection": "online",
        "ts": "2026-11-02T05:59:59.200Z",
        "age_s": 0.8,
        "location": {
            "coordinates": {"lat": 10.5, "lng": 7.4, "altitude_m": None, "accuracy_m": None},
            "zone": "pit-north-2",
            "level": None,
            "quality": "good",
        },
        "metrics": {
            "fuel_pct": {
                "value": 71.5,
                "unit": "%",
                "ts": "2026-11-02T05:59:59.200Z",
                "quality": "late+gap_before",
            }
        },
    }


async def test_a_position_that_cannot_be_is_shown_as_such(world: World) -> None:
    for metric, value in (("lat_deg", 100.0), ("lng_deg", 200.0)):
        world.site.add(f"kaduna/vehicle/truck-1/{metric}", value, NOW_MS, Quality.OUT_OF_RANGE)
    (item,) = (await world.get(VEHICLES, Role.OPERATOR)).data["items"]
    assert item["location"]["quality"] == "out_of_range"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (VEHICLES, "vehicle"),
        ("/api/v1/assets/equipment", "equipment"),
        ("/api/v1/safety/workers", "worker"),
        ("/api/v1/safety/environmental/sensors", "sensor"),
    ],
)
async def test_each_list_has_its_kind_only(world: World, path: str, kind: str) -> None:
    for other in ("vehicle", "equipment", "worker", "sensor", "container"):
        world.site.add(f"kaduna/{other}/x-1/speed_mps", 1.0, NOW_MS)
    items = (await world.get(path, Role.SAFETY_OFFICER)).data["items"]
    assert [item["kind"] for item in items] == [kind]


async def test_an_empty_site_has_empty_lists(world: World) -> None:
    assert (await world.get(VEHICLES, Role.OPERATOR)).data == {"items": [], "next_cursor": None}


async def test_pages_show_everything_once_in_order(world: World) -> None:
    for number in range(25):
        world.site.add(f"kaduna/vehicle/truck-{number:02d}/fuel_pct", 1.0, NOW_MS)
    found, cursor = list[str](), ""
    while cursor is not None:
        suffix = f"&cursor={cursor}" if cursor else ""
        data = (await world.get(f"{VEHICLES}?limit=10{suffix}", Role.OPERATOR)).data
        found += [item["id"] for item in data["items"]]
        cursor = data["next_cursor"]
    assert found == [f"truck-{number:02d}" for number in range(25)]


async def test_a_page_that_is_just_full_is_the_last(world: World) -> None:
    for number in range(10):
        world.site.add(f"kaduna/vehicle/truck-{number:02d}/fuel_pct", 1.0, NOW_MS)
    assert (await world.get(f"{VEHICLES}?limit=10", Role.OPERATOR)).data["next_cursor"] is None


async def test_filters_are_joined(world: World) -> None:
    for name, status, zone in (("a", "hauling", "n"), ("b", "hauling", "s"), ("c", "idle", "n")):
        world.site.add(f"kaduna/vehicle/{name}/status", status, NOW_MS)
        world.site.add(f"kaduna/vehicle/{name}/zone", zone, NOW_MS)
    answer = await world.get(f"{VEHICLES}?status=hauling&zone=n", Role.OPERATOR)
    assert [item["id"] for item in answer.data["items"]] == ["a"]


async def test_sensors_can_be_asked_for_by_what_they_measure(world: World) -> None:
    world.site.add("kaduna/sensor/a/ch4_pct", 0.4, NOW_MS)
    world.site.add("kaduna/sensor/b/co_ppm", 4.0, NOW_MS)
    path = "/api/v1/safety/environmental/sensors?metric=ch4_pct"
    answer = await world.get(path, Role.OPERATOR)
    assert [item["id"] for item in answer.data["items"]] == ["a"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("cursor=garbage", "cursor"),
        ("lmit=10", "lmit"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_wrong_parameter_is_named(world: World, query: str, field: str) -> None:
    answer = await world.get(f"{VEHICLES}?{query}", Role.OPERATOR)
    assert (answer.status, answer.fields) == (400, [field])


async def test_all_wrong_parameters_are_named_at_once(world: World) -> None:
    answer = await world.get(f"{VEHICLES}?limit=0&zoom=3&site=a&site=b", Role.OPERATOR)
    assert sorted(answer.fields, key=str) == ["limit", "site", "zoom"]


async def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    for name in ("vehicle/a", "vehicle/b"):
        world.site.add(f"kaduna/{name}/speed_mps", 1.0, NOW_MS)
    cursor = (await world.get(f"{VEHICLES}?limit=1", Role.OPERATOR)).data["next_cursor"]
    answer = await world.get(f"/api/v1/assets/equipment?cursor={cursor}", Role.OPERATOR)
    assert (answer.status, answer.fields) == (400, ["cursor"])


async def test_one_machine_is_found_by_its_code(world: World) -> None:
    world.site.add("kaduna/equipment/pump-1/status", "running", NOW_MS)
    world.site.add("kaduna/equipment/pump-1/flow_l_min", 412.0, NOW_MS)
    data = (await world.get(PUMP, Role.OPERATOR)).data
    assert (data["id"], data["status"], list(data["metrics"])) == (
        "pump-1",
        "running",
        ["flow_l_min"],
    )


async def test_a_machine_of_another_kind_is_not_found(world: World) -> None:
    world.site.add("kaduna/vehicle/pump-1/fuel_pct", 1.0, NOW_MS)
    assert (await world.get(PUMP, Role.OPERATOR)).status == 404


async def test_a_machine_that_has_not_changed_is_not_sent_again(world: World) -> None:
    world.site.add("kaduna/equipment/pump-1/flow_l_min", 412.0, NOW_MS)
    etag = (await world.get(PUMP, Role.OPERATOR)).headers["ETag"]
    world.clock.advance_s(5)  # older, but the same
    again = await world.get(PUMP, Role.OPERATOR, headers={"If-None-Match": etag})
    assert (again.status, again.content, again.headers["ETag"]) == (304, b"", etag)
    world.site.add("kaduna/equipment/pump-1/flow_l_min", 413.0, NOW_MS + 1)
    changed = await world.get(PUMP, Role.OPERATOR, headers={"If-None-Match": etag})
    assert changed.status == 200


async def test_a_machine_is_sent_only_in_the_state_that_is_asked_for(world: World) -> None:
    world.site.add("kaduna/equipment/pump-1/flow_l_min", 412.0, NOW_MS)
    etag = (await world.get(PUMP, Role.OPERATOR)).headers["ETag"]
    wishes = [etag, f'"other", {etag}', "*", '"other"']
    answers = [await world.get(PUMP, Role.OPERATOR, headers={"If-Match": tag}) for tag in wishes]
    assert [answer.status for answer in answers] == [200, 200, 200, 412]
    assert answers[-1].body["errors"][0]["code"] == "PRECONDITION_FAILED"
    both = {"If-Match": '"other"', "If-None-Match": etag}
    assert (await world.get(PUMP, Role.OPERATOR, headers=both)).status == 412


async def test_going_stale_is_a_change(world: World) -> None:
    world.site.add("kaduna/equipment/pump-1/flow_l_min", 412.0, NOW_MS)
    etag = (await world.get(PUMP, Role.OPERATOR)).headers["ETag"]
    world.clock.advance_s(31)
    answer = await world.get(PUMP, Role.OPERATOR, headers={"If-None-Match": etag})
    assert (answer.status, answer.data["status"]) == (200, "stale")


async def test_moving_is_a_change(world: World) -> None:
    world.site.add("kaduna/equipment/pump-1/zone", "pit-north-2", NOW_MS)
    etag = (await world.get(PUMP, Role.OPERATOR)).headers["ETag"]
    world.site.add("kaduna/equipment/pump-1/zone", "workshop", NOW_MS)
    answer = await world.get(PUMP, Role.OPERATOR, headers={"If-None-Match": etag})
    assert answer.status == 200


@pytest.mark.parametrize("asset_id", ["Pump-1", "pump 1", "%00", "-", "ä", "a" * 128])
async def test_what_can_be_no_name_is_not_found_and_not_looked_up(
    world: World, asset_id: str
) -> None:
    world.site.failure = RuntimeError("looked up")
    answer = await world.get(f"/api/v1/assets/equipment/{asset_id}", Role.OPERATOR)
    assert answer.status in {400, 404}
