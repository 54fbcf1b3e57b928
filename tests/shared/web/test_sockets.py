"""The live sockets, from the first message to the close code."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError

from shared.access.roles import Role
from shared.web.socket_messages import MESSAGE_SIZE_MAX_BYTES
from shared.web.socket_session import MESSAGES_PER_MINUTE_MAX
from shared.web.sockets import SocketTimes
from tests.support.sites import latest_value
from tests.support.web_world import NOW_MS, TOKEN_S, World, web_world

QUICK = SocketTimes(auth_timeout_s=0.2, expiry_check_s=0.02, close_timeout_s=0.5)


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with web_world(times=QUICK) as running:
        yield running


@asynccontextmanager
async def listening(
    world: World, path: str, *roles: Role, subscribe: dict[str, Any] | None = None, **changes: Any
) -> AsyncGenerator[ClientWebSocketResponse, None]:
    """Open a socket, sign in, subscribe, and wait until the server has obeyed."""
    async with world.http.ws_connect(path) as ws:
        token = world.token(*roles, **changes)
        await ws.send_json({"type": "auth", "token": f"Bearer {token}"})
        assert (await ws.receive_json())["type"] == "auth_ok"
        if subscribe is not None:
            await ws.send_json({"type": "subscribe", **subscribe})
            await ws.send_json({"type": "ping"})
        yield ws


def publish(world: World, name: str, value: float | str, ts_ms: int = NOW_MS) -> None:
    world.parts.hub.publish("kaduna", [latest_value(f"kaduna/{name}", value, ts_ms)])


async def closed(ws: ClientWebSocketResponse) -> int | None:
    """Read to the end and return why the server closed."""
    async for _ in ws:
        pass
    return ws.close_code


async def test_a_token_is_answered_with_who_it_is_and_until_when(world: World) -> None:
    async with world.http.ws_connect("/ws/sensors") as ws:
        await ws.send_json({"type": "auth", "token": f"Bearer {world.token(Role.ANALYST)}"})
        answer = await ws.receive_json()
    assert answer.pop("cursor").endswith("-0")
    assert answer == {
        "type": "auth_ok",
        "user_id": "u-1",
        "roles": ["analyst"],
        "expires_at": "2026-11-02T06:15:00.000Z",
    }


async def test_values_are_gathered_seldom_until_somebody_listens(world: World) -> None:
    async def gather() -> None:
        await world.parts.hub.pause(0.001)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(gather())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done, "nobody listens"
        async with listening(world, "/ws/sensors", Role.ANALYST):
            await asyncio.wait_for(waiting, 0.5)
            await asyncio.wait_for(gather(), 0.5)


async def test_a_new_value_arrives_as_its_asset(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        publish(world, "sensor/ch4-1/ch4_pct", 0.42)
        frame = await ws.receive_json()
    assert frame["type"] == "sensor"
    assert (frame["data"]["id"], frame["data"]["status"]) == ("ch4-1", "online")
    assert frame["data"]["metrics"]["ch4_pct"]["value"] == 0.42
    assert "skipped" not in frame


async def test_a_frame_has_the_whole_asset_but_only_changed_metrics(world: World) -> None:
    async with listening(world, "/ws/telemetry", Role.ANALYST) as ws:
        publish(world, "vehicle/truck-1/zone", "pit-north-2")
        await ws.receive_json()
        publish(world, "vehicle/truck-1/fuel_pct", 71.5)
        data = (await ws.receive_json())["data"]
    assert list(data["metrics"]) == ["fuel_pct"]
    assert data["location"]["zone"] == "pit-north-2"


async def test_each_socket_carries_its_kinds(world: World) -> None:
    async with (
        listening(world, "/ws/sensors", Role.ANALYST) as sensors,
        listening(world, "/ws/telemetry", Role.ANALYST) as telemetry,
    ):
        publish(world, "vehicle/truck-1/fuel_pct", 1.0)
        publish(world, "sensor/ch4-1/ch4_pct", 2.0)
        assert (await sensors.receive_json())["data"]["kind"] == "sensor"
        frame = await telemetry.receive_json()
        assert (frame["type"], frame["data"]["kind"]) == ("telemetry", "vehicle")


async def test_silence_is_closed_after_the_time_for_signing_in(world: World) -> None:
    async with world.http.ws_connect("/ws/sensors") as ws:
        assert await closed(ws) == 4401


@pytest.mark.parametrize(
    "first",
    [
        "garbage",
        "{}",
        '{"type":"subscribe"}',
        '{"type":"auth"}',
        '{"type":"auth","token":7}',
        '{"type":"auth","token":"x.y.z"}',
        '{"type":"auth","token":"Bearer "}',
        '{"type":"auth","token":"Bearer x.y.z"}',
    ],
)
async def test_anything_but_a_good_token_first_is_closed(world: World, first: str) -> None:
    async with world.http.ws_connect("/ws/sensors") as ws:
        await ws.send_str(first)
        assert await closed(ws) == 4401


async def test_the_reason_of_a_close_can_be_read(world: World) -> None:
    async with world.http.ws_connect("/ws/sensors") as ws:
        await ws.send_json({"type": "auth", "token": "x.y.z"})
        reason = (await ws.receive()).extra
        assert reason == "token must be the word Bearer, a space and an access token"


async def test_a_long_reason_is_cut_between_letters(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        await ws.send_json({"type": "subscribe", "filter": {"site": "ö" * 100}})
        reason = (await ws.receive()).extra
        assert reason == "no site '" + "ö" * 57  # 9 + 2 * 57 = 123 bytes


async def test_an_account_without_the_right_is_closed_differently(world: World) -> None:
    async with world.http.ws_connect("/ws/sensors") as ws:
        await ws.send_json({"type": "auth", "token": f"Bearer {world.token()}"})
        assert await closed(ws) == 4403


async def test_an_account_without_a_site_is_closed(world: World) -> None:
    async with world.http.ws_connect("/ws/sensors") as ws:
        token = world.token(Role.ANALYST, sites=())
        await ws.send_json({"type": "auth", "token": f"Bearer {token}"})
        assert await closed(ws) == 4403


async def test_an_expired_token_ends_the_socket(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        world.clock.advance_s(TOKEN_S)
        assert await closed(ws) == 4401


async def test_a_newer_token_keeps_it_open(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        world.clock.advance_s(TOKEN_S - 1)
        await ws.send_json({"type": "auth", "token": f"Bearer {world.token(Role.ANALYST)}"})
        assert (await ws.receive_json())["type"] == "auth_ok"
        world.clock.advance_s(2)
        await ws.send_json({"type": "ping"})
        assert await ws.receive_json() == {"type": "pong"}


async def test_a_newer_token_must_be_of_the_same_account(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        other = world.token(Role.ADMIN, user_id="u-2")
        await ws.send_json({"type": "auth", "token": f"Bearer {other}"})
        assert await closed(ws) == 4401


async def test_a_newer_token_that_gives_less_shows_less(world: World) -> None:
    async with (
        listening(world, "/ws/telemetry", Role.SAFETY_OFFICER) as ws,
        listening(world, "/ws/telemetry", Role.SAFETY_OFFICER) as other,
    ):
        await ws.send_json({"type": "auth", "token": f"Bearer {world.token(Role.OPERATOR)}"})
        assert (await ws.receive_json())["roles"] == ["operator"]
        publish(world, "worker/w-1/heart_rate_bpm", 88.0)
        assert (await other.receive_json())["data"]["id"] == "w-1"
        await ws.send_json({"type": "ping"})
        assert await ws.receive_json() == {"type": "pong"}


async def test_a_revoked_account_is_closed(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        world.parts.hub.revoke_account("u-1")
        assert await closed(ws) == 4401


async def test_workers_are_kept_from_who_may_not_see_them(world: World) -> None:
    async with (
        listening(world, "/ws/telemetry", Role.ANALYST) as analyst,
        listening(world, "/ws/telemetry", Role.SAFETY_OFFICER) as officer,
    ):
        publish(world, "worker/w-1/heart_rate_bpm", 88.0)
        assert (await officer.receive_json())["data"]["id"] == "w-1"
        publish(world, "vehicle/truck-1/fuel_pct", 1.0)
        assert (await analyst.receive_json())["data"]["id"] == "truck-1"


async def test_asking_for_workers_without_the_right_is_closed(world: World) -> None:
    wanted = {"filter": {"kind": "worker"}}
    async with listening(world, "/ws/telemetry", Role.ANALYST, subscribe=wanted) as ws:
        assert await closed(ws) == 4403


@pytest.mark.parametrize("sites", [("abuja",), ("abuja", "lagos")])
async def test_another_sites_values_never_arrive(world: World, sites: tuple[str, ...]) -> None:
    async with (
        listening(world, "/ws/sensors", Role.ANALYST, sites=sites) as other,
        listening(world, "/ws/sensors", Role.ANALYST) as ours,
    ):
        publish(world, "sensor/ch4-1/ch4_pct", 1.0)
        await ours.receive_json()
        await other.send_json({"type": "ping"})
        assert await other.receive_json() == {"type": "pong"}


async def test_asking_for_another_site_is_closed(world: World) -> None:
    wanted = {"filter": {"site": "abuja"}}
    async with listening(world, "/ws/sensors", Role.ANALYST, subscribe=wanted) as ws:
        assert await closed(ws) == 4403


@pytest.mark.parametrize(
    "wanted",
    [
        {"id": "truck-2"},
        {"id": ["truck-2", "truck-3"]},
        {"metric": "speed_mps"},
        {"kind": ["vehicle"], "id": "truck-2"},
        {"site": "kaduna", "metric": ["speed_mps", "heading_deg"]},
    ],
)
async def test_a_filter_lets_only_the_wanted_through(world: World, wanted: dict[str, Any]) -> None:
    async with listening(world, "/ws/telemetry", Role.ANALYST, subscribe={"filter": wanted}) as ws:
        assert await ws.receive_json() == {"type": "pong"}
        publish(world, "vehicle/truck-1/fuel_pct", 1.0)
        publish(world, "vehicle/truck-2/speed_mps", 2.0)
        assert (await ws.receive_json())["data"]["id"] == "truck-2"


@pytest.mark.parametrize(
    "message",
    [
        "garbage",
        '{"type":"dance"}',
        '{"type":"subscribe","filter":{"colour":"red"}}',
        '{"type":"subscribe","filter":{"kind":"ghost"}}',
        '{"type":"subscribe","filter":7}',
    ],
)
async def test_a_wrong_message_is_told_and_ends_nothing(world: World, message: str) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        await ws.send_str(message)
        answer = await ws.receive_json()
        assert (answer["type"], answer["code"]) == ("error", "INVALID_REQUEST")
        publish(world, "sensor/ch4-1/ch4_pct", 1.0)
        assert (await ws.receive_json())["type"] == "sensor"


async def test_a_client_that_talks_without_end_is_closed(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        for _ in range(MESSAGES_PER_MINUTE_MAX + 1):
            await ws.send_json({"type": "ping"})
        assert await closed(ws) == 1008


async def test_a_message_that_is_too_long_is_closed(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        await ws.send_str('"' + "x" * MESSAGE_SIZE_MAX_BYTES + '"')
        assert await closed(ws) == 1009


async def test_resuming_brings_what_was_missed(world: World) -> None:
    async with listening(world, "/ws/sensors", Role.ANALYST) as ws:
        publish(world, "sensor/a/ch4_pct", 1.0)
        cursor = (await ws.receive_json())["cursor"]
    publish(world, "sensor/b/ch4_pct", 2.0)
    publish(world, "sensor/b/ch4_pct", 3.0, NOW_MS + 1)
    wanted = {"resume": cursor}
    async with listening(world, "/ws/sensors", Role.ANALYST, subscribe=wanted) as ws:
        frames = [await ws.receive_json() for _ in range(2)]
    (frame,) = [frame for frame in frames if frame["type"] == "sensor"]
    assert frame["data"]["metrics"]["ch4_pct"]["value"] == 3.0


@pytest.mark.parametrize("cursor", ["", "0", "other-5", "x-y-z", "-1"])
async def test_a_cursor_of_another_life_brings_the_newest_of_everything(
    world: World, cursor: str
) -> None:
    for name in ("a", "b"):
        publish(world, f"sensor/{name}/ch4_pct", 1.0)
    wanted = {"resume": cursor}
    async with listening(world, "/ws/sensors", Role.ANALYST, subscribe=wanted) as ws:
        frames = [await ws.receive_json() for _ in range(3)]
    assert {frame["data"]["id"] for frame in frames if "data" in frame} == {"a", "b"}


async def test_without_a_cursor_nothing_old_is_sent(world: World) -> None:
    publish(world, "sensor/a/ch4_pct", 1.0)
    async with listening(world, "/ws/sensors", Role.ANALYST, subscribe={}) as ws:
        assert await ws.receive_json() == {"type": "pong"}
        publish(world, "sensor/b/ch4_pct", 1.0)
        assert (await ws.receive_json())["data"]["id"] == "b"


async def test_a_page_of_another_origin_gets_no_socket(world: World) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await world.http.ws_connect("/ws/sensors", headers={"Origin": "https://evil.example"})
    assert refused.value.status == 403


async def test_our_own_page_gets_one(world: World) -> None:
    async with world.http.ws_connect("/ws/sensors", headers={"Origin": world.base_url}) as ws:
        assert not ws.closed


async def test_a_stopping_server_says_so_to_every_socket() -> None:
    async with web_world(times=QUICK) as world, asyncio.TaskGroup() as group:
        ws = await world.http.ws_connect("/ws/sensors")
        await ws.send_json({"type": "auth", "token": f"Bearer {world.token(Role.ANALYST)}"})
        await ws.receive_json()
        ending = group.create_task(closed(ws))
        world.parts.hub.close()
        assert await ending == 1001
        with pytest.raises(WSServerHandshakeError) as refused:
            await world.http.ws_connect("/ws/sensors")
        assert refused.value.status == 503
