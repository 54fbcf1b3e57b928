"""Whatever goes wrong is said in the envelope, with a stable code, and gives nothing away."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from shared.access.roles import Role
from shared.errors import CODE_OF_STATUS, UnavailableError
from tests.support.web_world import Answer, World, web_world

TOKEN = "/api/v1/auth/token"
VEHICLES = "/api/v1/assets/vehicles"


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with web_world() as running:
        yield running


def is_error(answer: Answer, status: int) -> bool:
    body = answer.body
    return (
        answer.status == body["status_code"] == status
        and body["data"] is None
        and len(body["detail"]) > 3
        and body["errors"][0]["code"] == CODE_OF_STATUS[status]
        and all(mistake.keys() == {"code", "field", "message"} for mistake in body["errors"])
    )


@pytest.mark.parametrize(
    ("status", "method", "path", "options"),
    [
        (400, "GET", VEHICLES + "?limit=0", {}),
        (404, "GET", "/api/v1/nothing", {}),
        (404, "GET", "/%00", {}),
        (405, "POST", VEHICLES, {}),
        (406, "GET", VEHICLES, {"headers": {"Accept": "text/csv"}}),
        (413, "POST", TOKEN, {"json": {"username": "x" * 70_000}}),
        (415, "POST", TOKEN, {"data": b"<a/>", "headers": {"Content-Type": "text/xml"}}),
        (400, "POST", TOKEN, {"data": b"{", "headers": {"Content-Type": "application/json"}}),
    ],
)
async def test_each_mistake_of_a_client_has_its_code(
    world: World, status: int, method: str, path: str, options: dict[str, Any]
) -> None:
    headers = {**world.headers(Role.ANALYST), **options.pop("headers", {})}
    assert is_error(await world.ask(method, path, headers=headers, **options), status)


async def test_without_a_token_there_is_a_challenge(world: World) -> None:
    answer = await world.get(VEHICLES)
    assert is_error(answer, 401)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="headframe"'


@pytest.mark.parametrize("header", ["Bearer", "Bearer x.y.z", "Basic dTpw", "token", "Bearer  "])
async def test_with_a_wrong_token_it_says_that_the_token_is_wrong(
    world: World, header: str
) -> None:
    answer = await world.ask("GET", VEHICLES, headers={"Authorization": header})
    assert is_error(answer, 401)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_an_expired_token_is_refused(world: World) -> None:
    headers = world.headers(Role.ANALYST)
    world.clock.advance_s(900)
    answer = await world.ask("GET", VEHICLES, headers=headers)
    assert is_error(answer, 401)
    assert "expired" in answer.body["detail"]


async def test_a_refused_method_names_the_possible_ones(world: World) -> None:
    answer = await world.ask("DELETE", VEHICLES)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_options_name_the_possible_methods(world: World) -> None:
    answer = await world.ask("OPTIONS", TOKEN)
    assert (answer.status, answer.headers["Allow"]) == (204, "OPTIONS, POST")


async def test_head_is_get_without_a_body(world: World) -> None:
    got = await world.ask("GET", "/healthz")
    head = await world.ask("HEAD", "/healthz")
    assert (head.status, head.content) == (200, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


async def test_a_fault_says_only_where_to_look(world: World) -> None:
    world.site.failure = RuntimeError("password of the database is hunter2")
    answer = await world.get(VEHICLES, Role.ANALYST)
    assert is_error(answer, 500)
    assert answer.headers["X-Request-Id"] in answer.body["detail"]
    assert b"hunter2" not in answer.content


class FarStoreError(UnavailableError):
    """What a store raises, with words for its own log."""


async def test_an_outage_asks_to_come_back_and_names_no_host(world: World) -> None:
    world.site.failure = FarStoreError("connection to db-7.internal refused")
    answer = await world.get(VEHICLES, Role.ANALYST)
    assert is_error(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert b"db-7" not in answer.content


async def test_a_fault_of_one_request_spoils_no_other(world: World) -> None:
    world.site.failure = RuntimeError("a fault")
    await world.get(VEHICLES, Role.ANALYST)
    world.site.failure = None
    world.site.add("kaduna/vehicle/truck-1/fuel_pct", 50.0, 0)
    assert (await world.get(VEHICLES, Role.ANALYST)).status == 200


async def test_two_requests_in_one_packet_are_both_answered(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    writer.write(one + last)
    assert (await reader.read()).count(b'"status":"alive"') == 2
    writer.close()
