"""A site's web server for tests of states that a real site is hard to bring into.

It speaks the contract's REST and WebSocket shapes from :mod:`tests.support.staged_mine`, serves
the built page under the real content security policy, and can drop its sockets, refuse new ones
and let a device fall silent. ``python -m tests.support.staged_site`` serves it for a developer.
"""

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from shared.clock import SystemClock, iso_utc
from shared.units import quantity_of
from shared.web.pages import PAGE_POLICY
from tests.support.staged_mine import PERIOD_MS, SITE, Device, Json, is_sampled, small_mine

ROOT = Path(__file__).resolve().parents[2]
TOKEN_LIFE_S = 900
RAW_MAX = 10_000
PASSWORD = "headframe-test"
OFFICERS = frozenset({"admin", "safety_officer", "remote_engineer"})
ANALYSTS = frozenset({"admin", "analyst", "remote_engineer"})


def _claims_part(claims: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


def _answer(data: object, status: int = 200, detail: str | None = None) -> web.Response:
    body = {"status_code": status, "data": data, "detail": detail}
    return web.json_response(body, status=status)


@dataclass
class StagedSite:
    """The server. Every public method may be called from the test's thread."""

    page: str = "central"
    devices: list[Device] = field(default_factory=small_mine)
    alerts: list[Json] = field(default_factory=list[Json])  # that stand
    edge_connected: bool = True
    has_history: bool = True
    is_down: bool = False  # answers 503 to every request of the API
    frame_period_s: float = 0.5
    asked: list[str] = field(default_factory=list[str])  # path and query of every request
    url: str = ""
    password: str = PASSWORD
    root: Path = ROOT

    def __post_init__(self) -> None:
        self._clock = SystemClock()
        self._sockets: set[web.WebSocketResponse] = set()
        self._accepts_sockets = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()

    # --- what a test does to it

    def device(self, asset_id: str) -> Device:
        return next(device for device in self.devices if device.id == asset_id)

    def now_ms(self) -> int:
        return self._clock.utc_ms()

    def silence(self, asset_id: str, age_s: float = 0.0) -> None:
        """Let a device have sent nothing for ``age_s`` and send nothing from now on."""
        self.device(asset_id).frozen_ms = self._clock.utc_ms() - int(age_s * 1000)

    def drop_sockets(self, *, accept_new: bool = True) -> None:
        """Close every WebSocket, and refuse new ones until :meth:`accept_sockets`."""
        self._accepts_sockets = accept_new
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._close_sockets(), self._loop).result(10)

    def accept_sockets(self) -> None:
        self._accepts_sockets = True

    def start(self) -> "StagedSite":
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._run(ready, 0)), daemon=True).start()
        assert ready.wait(10)
        return self

    def stop(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def _run(self, ready: threading.Event, port: int) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        listener = web.TCPSite(runner, "127.0.0.1", port)
        await listener.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await self._stopped.wait()
        await self._close_sockets()
        await runner.cleanup()

    async def _close_sockets(self) -> None:
        for each in list(self._sockets):
            await each.close(code=aiohttp.WSCloseCode.GOING_AWAY)

    # --- the server

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard])
        routes = application.router
        routes.add_post("/api/v1/auth/token", self._token)
        routes.add_post("/api/auth/logout", self._logout)
        routes.add_get("/api/v1/safety/environmental/sensors", self._assets_of("sensor"))
        routes.add_get("/api/v1/assets/vehicles", self._assets_of("vehicle"))
        routes.add_get("/api/v1/safety/workers", self._assets_of("worker"))
        routes.add_get("/api/v1/assets/equipment", self._assets_of("equipment"))
        routes.add_get("/api/v1/sync/status", self._sync_status)
        routes.add_get("/api/v1/safety/alerts", self._alerts)
        routes.add_get("/api/v1/analytics/series", self._series)
        routes.add_get("/api/v1/analytics/telemetry", self._telemetry)
        routes.add_get("/ws/sensors", self._socket)
        routes.add_get("/ws/telemetry", self._socket)
        routes.add_get("/", self._index)
        routes.add_static("/", ROOT / self.page / "static")
        return application

    @web.middleware
    async def _guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if self.is_down and request.path.startswith("/api/"):
            return _answer(None, 503, "no answer today")
        is_api = request.path.startswith("/api/v1") and request.path != "/api/v1/auth/token"
        if is_api and not self._roles(request.headers.get("authorization", "")):
            return _answer(None, 401, "sign in first")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = PAGE_POLICY
            response.headers["Cache-Control"] = "no-store"
        return response

    async def _index(self, _request: web.Request) -> web.FileResponse:
        return web.FileResponse(ROOT / self.page / "static" / "index.html")

    def _roles(self, authorization: str) -> frozenset[str]:
        """A token's middle part holds its claims; nothing is signed here."""
        try:
            part = authorization.removeprefix("Bearer ").split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=="))
        except (IndexError, ValueError):
            return frozenset()
        return frozenset(claims["roles"])

    async def _token(self, request: web.Request) -> web.Response:
        asked = await request.json()
        refresh = asked.get("grant_type") == "refresh_token"
        username = asked["refresh_token"] if refresh else asked["username"]
        if not refresh and asked["password"] != PASSWORD:
            body = {"status_code": 401, "data": None, "detail": "wrong", "error": "invalid_grant"}
            return web.json_response(body, status=401)
        claims: Json = {"sub": "u1", "username": username, "sites": [SITE]}
        claims["roles"] = [username.split("@")[0]]
        token = f"e30.{_claims_part(claims)}.c2ln"
        granted = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFE_S}
        granted["refresh_token"] = username
        return web.json_response({"status_code": 200, "data": granted, "detail": None, **granted})

    async def _logout(self, _request: web.Request) -> web.Response:
        return _answer({})

    def _assets_of(self, wanted: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def assets(request: web.Request) -> web.Response:
            if wanted == "worker" and not self._roles(request.headers["authorization"]) & OFFICERS:
                return _answer(None, 403, "worker data is for safety officers")
            now_ms = self._clock.utc_ms()
            found = [device.as_json(now_ms) for device in self.devices if device.kind == wanted]
            return _answer({"items": found, "next_cursor": None})

        return assets

    async def _alerts(self, request: web.Request) -> web.Response:
        assert request.query["state"] == "raised"
        return _answer({"items": self.alerts, "next_cursor": None})

    async def _sync_status(self, request: web.Request) -> web.Response:
        if not self._roles(request.headers["authorization"]) & ANALYSTS:
            return _answer(None, 403, "the link is shown to analysts")
        now_ms = self._clock.utc_ms()
        backlog = 240 if self.edge_connected else 184_220
        lane: Json = {
            "last_seq": 91_244,
            "acked": 91_244 - backlog // 60,
            "backlog_samples": backlog,
        }
        lane |= {"backlog_batches": backlog // 60, "backlog_bytes": backlog * 2}
        lane["oldest_age_s"] = 1 if self.edge_connected else 614
        edge: Json = {
            "edge_id": "edge-1",
            "rtt_ms": 612.4,
            "lanes": {"2": lane},
            "inbox_pending": 0,
        }
        edge["state"] = "connected" if self.edge_connected else "disconnected"
        edge["since"] = iso_utc(now_ms - (7_860_000 if self.edge_connected else 614_000))
        edge["last_seen"] = iso_utc(now_ms - (900 if self.edge_connected else 614_000))
        edge["quarantined"] = {"bad_json": 3, "future_time": 1}
        edge["broker_refused"] = {"not_permitted": 7}
        edge["error"] = None if self.edge_connected else "connection refused"
        return _answer({"site": SITE, "edges": [edge]})

    # --- history

    async def _series(self, request: web.Request) -> web.Response:
        if not self.has_history:
            return _answer(None, 404, "no such route")
        words = request.query.get("q", "").lower().split()
        now = iso_utc(self._clock.utc_ms())
        names = [
            (f"{SITE}/{device.kind}/{device.id}/{metric}", metric)
            for device in self.devices
            for metric in device.metrics
        ]
        found = [
            {
                "series": name,
                "unit": quantity_of(metric).unit,
                "last_ts": now,
                "type": "text" if metric == "status" else "number",
            }
            for name, metric in sorted(names)
            if all(word in name for word in words)
        ]
        return _answer({"items": found[:50], "next_cursor": None})

    async def _telemetry(self, request: web.Request) -> web.Response:
        query = request.query
        site, kind, asset_id, metric = query["series"].split("/")
        known = [each for each in self.devices if (each.kind, each.id) == (kind, asset_id)]
        if not self.has_history or site != SITE or not known or metric not in known[0].metrics:
            return _answer(None, 404, f"no series {query['series']!r}")
        now_ms = self._clock.utc_ms()
        start_ms, end_ms = int(query["start"]), min(int(query["end"]), now_ms)
        start_ms = max(start_ms, now_ms - 7 * 86_400_000)
        if query["agg"] == "raw":
            limit = int(query.get("limit", RAW_MAX))
            points = _raw(known[0], metric, start_ms, end_ms, now_ms, limit)
        else:
            step_ms = int(float(query["step"]) * 1000)
            points = _steps(known[0], metric, query["agg"], (start_ms, end_ms, step_ms), now_ms)
        unit = quantity_of(metric).unit
        return _answer({"series": query["series"], "unit": unit, "points": points})

    # --- live

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self._accepts_sockets:
            return _answer(None, 503, "no sockets right now")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        first = await socket.receive_json(timeout=5)
        roles = self._roles(first["token"])
        if not roles:
            await socket.close(code=4401, message=b"sign in first")
            return socket
        await socket.send_json({"type": "auth_ok", "user_id": "u1", "roles": sorted(roles)})
        self._sockets.add(socket)
        try:
            await self._stream(socket, request.path == "/ws/sensors", roles)
        except ConnectionError:
            pass  # the page went away
        finally:
            self._sockets.discard(socket)
        return socket

    async def _stream(
        self, socket: web.WebSocketResponse, is_sensors: bool, roles: frozenset[str]
    ) -> None:
        kind = "sensor" if is_sensors else "telemetry"
        while not socket.closed:
            now_ms = self._clock.utc_ms()
            for device in self.devices:
                is_mine = (device.kind == "sensor") == is_sensors
                is_allowed = device.kind != "worker" or roles & OFFICERS
                if is_mine and is_allowed and device.frozen_ms is None and not socket.closed:
                    await socket.send_json({"type": kind, "cursor": str(now_ms),
                                            "data": device.as_json(now_ms)})  # fmt: skip
            await asyncio.sleep(self.frame_period_s)


def _raw(
    device: Device, metric: str, start_ms: int, end_ms: int, now_ms: int, limit: int
) -> list[tuple[int, float | str]]:
    first_ms = -(-start_ms // PERIOD_MS) * PERIOD_MS
    points: list[tuple[int, float | str]] = []
    for ts_ms in range(first_ms, end_ms, PERIOD_MS):
        if is_sampled(device, ts_ms, now_ms):
            is_word = metric == "status"
            value = device.word(ts_ms) if is_word else device.value(metric, ts_ms)
            points.append((ts_ms, value))
        if len(points) == limit:
            break
    return points


def _steps(
    device: Device, metric: str, aggregate: str, bounds: tuple[int, int, int], now_ms: int
) -> list[tuple[int, float | str]]:
    start_ms, end_ms, step_ms = bounds
    points: list[tuple[int, float | str]] = []
    for step_start_ms in range(start_ms // step_ms * step_ms, end_ms, step_ms):
        times = range(max(start_ms, step_start_ms), min(step_start_ms + step_ms, end_ms))
        seconds = range(-(-times.start // PERIOD_MS) * PERIOD_MS, times.stop, PERIOD_MS)
        looked_at = seconds[:: max(1, len(seconds) // 12)]  # a sketch of long steps is enough
        sampled = [t for t in looked_at if is_sampled(device, t, now_ms)]
        if not sampled:
            continue
        if aggregate == "count":
            points.append((step_start_ms, round(len(seconds) * len(sampled) / len(looked_at))))
        elif metric == "status":
            points.append((step_start_ms, device.word(sampled[-1])))
        else:
            values = [device.value(metric, t) for t in sampled]
            points.append((step_start_ms, _aggregate(values, aggregate)))
    return points


def _aggregate(values: list[float], aggregate: str) -> float:
    match aggregate:
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "last":
            return values[-1]
        case _:
            return sum(values) / len(values)


if __name__ == "__main__":
    import sys

    site = StagedSite(page=sys.argv[1] if len(sys.argv) > 1 else "central").start()
    print(f"{site.url}  admin@x.test {PASSWORD}")  # noqa: T201 - for a developer
    threading.Event().wait()
