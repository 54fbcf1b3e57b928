"""Sync state, health, readiness, metrics."""

import asyncio
from ipaddress import ip_network
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families,  # pyright: ignore[reportUnknownVariableType] library is untyped
)

from shared.access.roles import Role
from shared.errors import ApiError
from shared.web.health import READINESS_AGE_MAX_S, health_routes
from shared.web.parameters import NoParameters
from shared.web.routes import Call
from shared.web.site_data import EdgeStatus, LaneStatus, LinkState
from tests.support.web_world import NOW_MS, web_world

SYNC = "/api/v1/sync/status"


async def test_the_state_of_an_edge_has_the_agreed_shape() -> None:
    lane = LaneStatus(
        last_seq=100, acked=97, backlog_batches=3, backlog_samples=214, backlog_bytes=1460,
        oldest_unacked_ms=NOW_MS - 700,
    )  # fmt: skip
    edge = EdgeStatus(
        "edge-1", LinkState.CONNECTED, NOW_MS - 60_000, NOW_MS - 1_000, 612.5, {2: lane},
        {"bad_json": 2}, {"not_permitted": 1}, 0,
        sent_today_bytes={"lane_2": 9_000}, held_up="daily_cap",
        connections={"urgent": LinkState.CONNECTED, "bulk": LinkState.DISCONNECTED},
    )  # fmt: skip
    async with web_world() as world:
        world.site.edges["kaduna"] = [edge]
        assert (await world.get(SYNC, Role.ANALYST)).data == {
            "site": "kaduna",
            "edges": [
                {
                    "edge_id": "edge-1",
                    "state": "connected",
                    "since": "2026-11-02T05:59:00.000Z",
                    "last_seen": "2026-11-02T05:59:59.000Z",
                    "rtt_ms": 612.5,
                    "lanes": {
                        "2": {
                            "last_seq": 100,
                            "acked": 97,
                            "backlog_batches": 3,
                            "backlog_samples": 214,
                            "backlog_bytes": 1460,
                            "oldest_age_s": 0.7,
                        }
                    },
                    "quarantined": {"bad_json": 2},
                    "broker_refused": {"not_permitted": 1},
                    "inbox_pending": 0,
                    "held": {},
                    "parked": {},
                    "error": None,
                    "sent_today_bytes": {"lane_2": 9_000},
                    "held_up": "daily_cap",
                    "connections": {"urgent": "connected", "bulk": "disconnected"},
                }
            ],
        }


async def test_an_edge_never_heard_of_has_no_times() -> None:
    async with web_world() as world:
        world.site.edges["kaduna"] = [
            EdgeStatus("edge-1", LinkState.DISCONNECTED, None, None, None, error="refused")
        ]
        (edge,) = (await world.get(SYNC, Role.ANALYST)).data["edges"]
        assert (edge["since"], edge["last_seen"], edge["error"]) == (None, None, "refused")


async def test_health_is_the_process_alone() -> None:
    async with web_world() as world:
        world.site.failure = RuntimeError("the database is gone")
        answer = await world.get("/healthz")
        assert (answer.status, answer.data) == (200, {"status": "alive", "version": "0.0.0"})


async def fine() -> str | None:
    return None


async def broken() -> str | None:
    return "no connection"


async def test_ready_means_every_check_is_fulfilled() -> None:
    async with web_world() as world:
        world.readiness["database"] = fine
        answer = await world.get("/readyz")
        assert (answer.status, answer.data) == (200, {"ready": True, "checks": {"database": "ok"}})


async def test_not_ready_says_why() -> None:
    async with web_world() as world:
        world.readiness |= {"database": broken, "sync": fine}
        answer = await world.get("/readyz")
        assert (answer.status, answer.fields) == (503, ["database"])
        assert answer.body["detail"] == "not ready: database: no connection"


async def test_everybody_who_asks_within_a_second_is_told_the_same() -> None:
    asked: list[str] = []

    async def slow() -> str | None:
        asked.append("database")
        await asyncio.sleep(0.05)
        return None

    async with web_world() as world:
        world.readiness["database"] = slow
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(world.get("/readyz")) for _ in range(20)]
        assert ({task.result().status for task in tasks}, len(asked)) == ({200}, 1)
        world.clock.advance_s(READINESS_AGE_MAX_S + 0.1)
        world.readiness["database"] = broken
        assert (await world.get("/readyz")).status == 503


async def test_a_check_that_breaks_is_not_fulfilled() -> None:
    async def broken_check() -> str | None:
        raise RuntimeError("a fault")

    async with web_world() as world:
        world.readiness["database"] = broken_check
        assert (await world.get("/readyz")).status == 500


async def test_metrics_are_openmetrics_and_count_requests_by_route() -> None:
    async with web_world() as world:
        await world.get("/api/v1/assets/equipment/pump-1", Role.ANALYST)
        await world.get("/no/such/thing")
        answer = await world.get("/metrics")
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        families = {f.name: f for f in text_string_to_metric_families(answer.content.decode())}
        counted = {
            (s.labels["route"], s.labels["status"]): s.value
            for s in families["headframe_http_requests"].samples
        }
        assert counted["/api/v1/assets/equipment/{equipment_id}", "404"] == 1
        assert counted["unknown", "404"] == 1
        assert "headframe_http_request_duration_seconds" in families
        assert "headframe_web_sockets" in families


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("192.0.2.1", False), (None, False)],
)
async def test_metrics_are_for_the_networks_that_may(address: str | None, *, allowed: bool) -> None:
    routes = health_routes(CollectorRegistry(), (ip_network("10.0.0.0/8"),))
    (metrics,) = [route for route in routes if route.path == "/metrics"]
    peer = cast("web.Request", SimpleNamespace(remote=address, path="/metrics"))
    async with web_world() as world:
        visit = world.parts.admission.admit(address=address, authorization=None, request_id=None)
        call = Call(peer, world.parts, visit, NoParameters(), NoParameters(), None)
        if allowed:
            await metrics.answer(call)
            return
        with pytest.raises(ApiError) as refused:
            await metrics.answer(call)
        assert refused.value.status == 404


async def test_a_header_that_claims_an_address_proves_nothing() -> None:
    async with web_world(per_address=1) as world:
        claims = [{"X-Forwarded-For": f"203.0.113.{n}"} for n in range(3)]
        found = [(await world.ask("GET", SYNC, headers=claim)).status for claim in claims]
        assert found == [401, 429, 429]
