"""A reader that does not keep up gets the newest values, at a bounded cost to the server."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse

from shared.access.roles import Role
from shared.web.sockets import SocketTimes
from tests.support.sites import latest_value
from tests.support.web_world import NOW_MS, World, web_world

ASSETS = 200
ROUNDS = 150  # 200 frames of 300 bytes each: 9 MB, far beyond every buffer on the way
RECEIVE_BUFFER_BYTES = 16_384


def narrow_socket(address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(address[0], address[1], address[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return made


@asynccontextmanager
async def narrow_listener(world: World) -> AsyncGenerator[ClientWebSocketResponse, None]:
    connector = aiohttp.TCPConnector(socket_factory=narrow_socket)
    async with (
        aiohttp.ClientSession(world.base_url, connector=connector) as http,
        http.ws_connect("/ws/sensors") as ws,
    ):
        await ws.send_json({"type": "auth", "token": f"Bearer {world.token(Role.ANALYST)}"})
        await ws.receive_json()
        yield ws


async def publish_rounds(world: World, rounds: int) -> None:
    for number in range(rounds):
        values = [
            latest_value(f"kaduna/sensor/s-{asset}/ch4_pct", float(number), NOW_MS + number)
            for asset in range(ASSETS)
        ]
        world.parts.hub.publish("kaduna", values)
        world.parts.hub.flush()
        await asyncio.sleep(0)  # lets the writers write


async def all_gone(world: World) -> None:
    async with asyncio.timeout(20):
        while world.parts.hub.socket_count:  # noqa: ASYNC110 - a count, not an event
            await asyncio.sleep(0.02)


async def test_a_slow_reader_gets_the_newest_values_and_how_many_it_missed() -> None:
    async with web_world() as world, narrow_listener(world) as ws:
        await publish_rounds(world, ROUNDS)
        newest: dict[str, float] = {}
        delivered = skipped = 0
        while len(newest) < ASSETS or min(newest.values()) < ROUNDS - 1:
            frame = await ws.receive_json()
            value = frame["data"]["metrics"]["ch4_pct"]["value"]
            assert value >= newest.get(frame["data"]["id"], -1.0)
            newest[frame["data"]["id"]] = value
            delivered += 1
            skipped += frame.get("skipped", 0)
        assert delivered + skipped == ASSETS * ROUNDS
        assert skipped > delivered


async def test_a_slow_reader_holds_up_no_other() -> None:
    async with web_world() as world, narrow_listener(world):
        await publish_rounds(world, ROUNDS)
        async with world.http.ws_connect("/ws/sensors") as quick:
            await quick.send_json({"type": "auth", "token": f"Bearer {world.token(Role.ANALYST)}"})
            await quick.receive_json()
            world.parts.hub.publish(
                "kaduna", [latest_value("kaduna/sensor/new/ch4_pct", 1.0, NOW_MS)]
            )
            assert (await quick.receive_json())["data"]["id"] == "new"


async def test_a_reader_that_never_reads_is_let_go() -> None:
    times = SocketTimes(heartbeat_s=0.4, close_timeout_s=0.2)
    async with web_world(times=times) as world, narrow_listener(world):
        await publish_rounds(world, ROUNDS)
        await all_gone(world)


async def test_a_reader_that_never_reads_cannot_outlive_its_token() -> None:
    times = SocketTimes(expiry_check_s=0.02, close_timeout_s=0.2)
    async with web_world(times=times) as world, narrow_listener(world):
        await publish_rounds(world, ROUNDS)
        world.clock.advance_s(3600)
        await all_gone(world)
