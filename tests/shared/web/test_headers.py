"""Every response carries the headers, whatever kind of response it is."""

import asyncio
import re
from collections.abc import AsyncGenerator

import pytest

from shared.access.roles import Role
from tests.support.web_world import NOW_MS, World, web_world

PROMISED = {
    "X-Process-Time": r"\d+\.\d{6}",
    "X-Request-Id": r"[A-Za-z0-9._-]{1,128}",
    "X-RateLimit-Limit": r"\d+",
    "X-RateLimit-Remaining": r"\d+",
    "X-RateLimit-Reset": r"\d+",
    "X-User-Id": r"\S+",
    "X-User-Type": r"admin|member|anonymous",
    "X-User-Role": r"\S+",
    "Server": r"headframe",
    "X-Content-Type-Options": r"nosniff",
    "Referrer-Policy": r"no-referrer",
    "Content-Security-Policy": r".*frame-ancestors 'none'.*",
}


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with web_world(per_account=1000, per_address=60) as running:
        running.site.add("kaduna/vehicle/truck-1/fuel_pct", 50.0, NOW_MS)
        yield running


def missing(headers: dict[str, str]) -> list[str]:
    found = {name.lower(): text for name, text in headers.items()}
    return [
        name
        for name, pattern in PROMISED.items()
        if not re.fullmatch(pattern, found.get(name.lower(), ""))
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/.well-known/jwks.json", 200),
        ("HEAD", "/healthz", 200),
        ("OPTIONS", "/healthz", 204),
        ("GET", "/", 503),
        ("GET", "/docs", 503),
        ("GET", "/no/such/thing", 404),
        ("DELETE", "/healthz", 405),
        ("GET", "/api/v1/assets/vehicles", 401),
        ("POST", "/api/v1/auth/token", 400),
        ("GET", "/ws/sensors", 400),
    ],
)
async def test_every_kind_of_answer_to_nobody(
    world: World, method: str, path: str, status: int
) -> None:
    answer = await world.ask(method, path)
    assert (answer.status, missing(answer.headers)) == (status, [])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/assets/vehicles", 200),
        ("/api/v1/assets/vehicles?limit=0", 400),
        ("/api/v1/safety/workers", 403),
        ("/api/v1/assets/equipment/ghost", 404),
    ],
)
async def test_every_kind_of_answer_to_somebody(world: World, path: str, status: int) -> None:
    answer = await world.get(path, Role.ANALYST)
    assert (answer.status, missing(answer.headers)) == (status, [])


async def test_a_fault_and_an_outage_have_them_too(world: World) -> None:
    world.site.failure = RuntimeError("a fault")
    answer = await world.get("/api/v1/assets/vehicles", Role.ANALYST)
    assert (answer.status, missing(answer.headers)) == (500, [])


async def test_a_socket_begins_with_them(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"GET /ws/sensors HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    assert " 101 " in lines[0]
    assert missing(dict(line.split(": ", 1) for line in lines[1:])) == []
    writer.close()


@pytest.mark.parametrize(
    "request_line",
    [
        b"this is not HTTP\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 500 + b"\r\n",
    ],
)
async def test_even_what_is_not_http_is_answered_in_our_shape(
    world: World, request_line: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(request_line)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert " 400 " in lines[0]
    assert missing(dict(line.split(": ", 1) for line in lines[1:])) == []
    assert b'"code":"INVALID_REQUEST"' in body
    writer.close()


async def test_a_refused_expectation_has_them(world: World) -> None:
    answer = await world.ask("GET", "/healthz", headers={"Expect": "a miracle"})
    assert (answer.status, missing(answer.headers)) == (417, [])


async def test_a_request_id_is_kept_if_it_is_usable(world: World) -> None:
    kept = await world.ask("GET", "/healthz", headers={"X-Request-Id": "trace-1.a_b"})
    new = await world.ask("GET", "/healthz", headers={"X-Request-Id": "not (usable)"})
    other = await world.ask("GET", "/healthz")
    assert kept.headers["X-Request-Id"] == "trace-1.a_b"
    assert re.fullmatch("[0-9a-f]{32}", new.headers["X-Request-Id"])
    assert new.headers["X-Request-Id"] != other.headers["X-Request-Id"]


async def test_the_headers_say_who_asks(world: World) -> None:
    nobody = await world.ask("GET", "/healthz")
    analyst = await world.get("/healthz", Role.ANALYST, Role.SUPERVISOR)
    admin = await world.get("/healthz", Role.ADMIN)
    waiting = await world.ask("GET", "/healthz", headers=world.headers())
    told = [
        (a.headers["X-User-Id"], a.headers["X-User-Type"], a.headers["X-User-Role"])
        for a in (nobody, analyst, admin, waiting)
    ]
    assert told == [
        ("anonymous", "anonymous", "anonymous"),
        ("u-1", "member", "analyst,supervisor"),
        ("u-1", "admin", "admin"),
        ("u-1", "member", "none"),
    ]


async def test_a_token_that_is_no_good_makes_nobody(world: World) -> None:
    answer = await world.ask("GET", "/healthz", headers={"Authorization": "Bearer x.y.z"})
    assert (answer.status, answer.headers["X-User-Id"]) == (200, "anonymous")
