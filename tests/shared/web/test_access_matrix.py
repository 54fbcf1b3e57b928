"""Each role at each route: allowed or refused, straight from the table and from the contract."""

from collections.abc import AsyncGenerator

import pytest

from shared.access.roles import ROLES_OF_RIGHT, Right, Role
from shared.web.routes import Audience, Route
from shared.web.site_data import EdgeStatus, LinkState
from tests.support.alerts import make_alert
from tests.support.web_world import NOW_MS, ROUTES, World, web_world

# What each role may read, written down from the contract once more, apart from the table.
EVERYBODY = set(Role)
CONTRACT = {
    "/api/v1/assets/vehicles": EVERYBODY,
    "/api/v1/assets/equipment": EVERYBODY,
    "/api/v1/assets/equipment/{equipment_id}": EVERYBODY,
    "/api/v1/safety/workers": {Role.ADMIN, Role.REMOTE_ENGINEER, Role.SAFETY_OFFICER},
    "/api/v1/safety/environmental/sensors": EVERYBODY,
    "/api/v1/safety/alerts": EVERYBODY,
    "/api/v1/safety/alerts/{alert_id}": EVERYBODY,
    "/api/v1/analytics/telemetry": EVERYBODY,
    "/api/v1/analytics/series": EVERYBODY,
    "/api/v1/sync/status": {Role.ADMIN, Role.REMOTE_ENGINEER, Role.ANALYST},
    "/api/v1/sync/gaps": {Role.ADMIN, Role.REMOTE_ENGINEER, Role.ANALYST},
}
GUARDED = [route for route in ROUTES if route.access is not Audience.ANYONE]
ADDRESS = {
    "/api/v1/assets/equipment/{equipment_id}": "/api/v1/assets/equipment/pump-1",
    "/api/v1/safety/alerts/{alert_id}": "/api/v1/safety/alerts/a1",
    "/api/v1/analytics/telemetry": (
        "/api/v1/analytics/telemetry?series=kaduna/sensor/ch4-1/ch4_pct"
    ),
}


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with web_world() as running:
        for name in ("vehicle/truck-1", "equipment/pump-1", "worker/w-1", "sensor/ch4-1"):
            running.site.add(f"kaduna/{name}/ch4_pct", 0.4, NOW_MS)
        running.site.alert_records["kaduna"] = [make_alert()]
        running.site.edges["kaduna"] = [EdgeStatus("edge-1", LinkState.CONNECTED, 0, 0, 1.0)]
        yield running


def address(route: Route) -> str:
    return ADDRESS.get(route.paths[0], route.paths[0])


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
async def test_nobody_is_let_in(world: World, route: Route) -> None:
    for template in {*route.paths, address(route)}:
        path = template.replace("{equipment_id}", "pump-1").replace("{alert_id}", "a1")
        status = (await world.ask(route.method, path)).status
        assert (path, status) == (path, 401)


@pytest.mark.parametrize("role", Role)
async def test_each_role_may_what_the_contract_says(world: World, role: Role) -> None:
    found = {
        route.paths[0]: (await world.get(address(route), role)).status
        for route in GUARDED
        if isinstance(route.access, Right)
    }
    assert found == {path: 200 if role in roles else 403 for path, roles in CONTRACT.items()}


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
async def test_an_account_that_waits_for_approval_may_only_see_itself(
    world: World, route: Route
) -> None:
    answer = await world.ask(route.method, address(route), headers=world.headers())
    assert (answer.status == 403) == isinstance(route.access, Right)


def test_the_table_and_the_contract_name_the_same_routes() -> None:
    table = {r.paths[0]: ROLES_OF_RIGHT[r.access] for r in GUARDED if isinstance(r.access, Right)}
    assert table == CONTRACT


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
async def test_another_sites_data_does_not_exist(world: World, route: Route) -> None:
    if route.access is Audience.SIGNED_IN:
        return
    world.site.add("abuja/sensor/ch4-1/ch4_pct", 0.4, NOW_MS)
    path = address(route).replace("series=kaduna", "series=abuja")
    if "series=" not in path:
        path += "?site=abuja"
    assert (await world.get(path, Role.ADMIN)).status == 404


async def test_a_role_with_no_right_to_workers_sees_them_nowhere(world: World) -> None:
    series = "/api/v1/analytics/telemetry?series=kaduna/worker/w-1/ch4_pct"
    assert (await world.get(series, Role.ANALYST)).status == 403
    assert (await world.get("/api/v1/analytics/series?kind=worker", Role.ANALYST)).status == 403
    listed = await world.get("/api/v1/analytics/series", Role.ANALYST)
    assert "worker" not in {item["kind"] for item in listed.data["items"]}


async def test_who_may_see_workers_sees_them_in_every_listing(world: World) -> None:
    listed = await world.get("/api/v1/analytics/series", Role.SAFETY_OFFICER)
    assert "worker" in {item["kind"] for item in listed.data["items"]}
    series = "/api/v1/analytics/telemetry?series=kaduna/worker/w-1/ch4_pct"
    assert (await world.get(series, Role.SAFETY_OFFICER)).status == 200
