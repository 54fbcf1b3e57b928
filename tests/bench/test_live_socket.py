"""Frames of the live sockets become arrivals of numbered samples."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.errors import BenchError
from bench.live_socket import SocketWatch, watched_socket
from shared.clock import SystemClock

LOGIN = ("analyst@kaduna.test", "secret")


def frame(asset: str, metric: str = "reading_number", value: object = 7) -> dict[str, Any]:
    reading = {"value": value, "unit": "", "ts": "2026-01-02T03:04:05.678Z", "quality": "good"}
    return {"type": "sensor", "cursor": "1", "data": {"id": asset, "metrics": {metric: reading}}}


def watch_of(*frames: dict[str, Any]) -> SocketWatch:
    watch = SocketWatch("http://edge", "bench-live", SystemClock())
    for at_ms, each in enumerate(frames):
        watch.note(json.dumps(each), at_ms)
    return watch


def test_a_sample_arrives_with_its_own_time() -> None:
    watch = watch_of(frame("bench-live-0001", value=7.0))
    assert watch.taken_ms == {("bench-live-0001", 7): 1_767_323_045_678}
    assert watch.seen_ms == {("bench-live-0001", 7): 0}


def test_only_its_first_arrival_counts() -> None:
    assert watch_of(frame("bench-live-1"), frame("bench-live-1")).seen_ms == {
        ("bench-live-1", 7): 0
    }


def test_other_assets_metrics_and_messages_are_left_out() -> None:
    others = [frame("pump-1"), frame("bench-live-1", metric="ch4_pct"), {"type": "pong"}]
    assert watch_of(*others).seen_ms == {}


@pytest.mark.parametrize("value", [0.5, "seven", None])
def test_a_value_that_is_no_number_of_a_sample_is_of_nobody(value: object) -> None:
    assert watch_of(frame("bench-live-1", value=value)).seen_ms == {("bench-live-1", -1): 0}


def server(answer: dict[str, Any], *frames: dict[str, Any]) -> TestServer:
    """Return a server that signs anybody in, answers the socket's sign-in, sends and closes."""

    async def token(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "abc"})

    async def socket(request: web.Request) -> web.WebSocketResponse:
        opened = web.WebSocketResponse()
        await opened.prepare(request)
        assert await opened.receive_json() == {"type": "auth", "token": "Bearer abc"}
        for each in (answer, *frames):
            await opened.send_json(each)
        await opened.close(code=1011)
        return opened

    application = web.Application()
    application.router.add_post("/api/v1/auth/token", token)
    application.router.add_get("/ws/sensors", socket)
    return TestServer(application)


async def test_a_socket_that_the_server_closes_ends_the_run() -> None:
    async with server({"type": "auth_ok"}, frame("bench-live-1")) as started:
        url = str(started.make_url("/")).rstrip("/")
        with pytest.raises(BenchError, match="closed the socket with 1011"):
            async with watched_socket(url, LOGIN, "bench-live", SystemClock()):
                await asyncio.Event().wait()


async def test_a_refused_sign_in_is_told() -> None:
    async with server({"type": "error", "code": "UNAUTHORIZED"}) as started:
        url = str(started.make_url("/")).rstrip("/")
        with pytest.raises(BenchError, match="UNAUTHORIZED"):
            async with watched_socket(url, LOGIN, "bench-live", SystemClock()):
                pass
