"""The edge's HTTP face as a whole: its real log and snapshot, no link to central anywhere."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from edge.api.server import EdgeApi, EdgeSources
from edge.config import ApiConfig, EdgeConfig, LogConfig
from edge.live.recent import RecentSamples
from edge.live.snapshot import LiveSnapshot
from edge.log.journal import Journal
from edge.log.records import PendingBatch
from shared.access.accounts import Account
from shared.access.roles import Role
from shared.access.tokens import TokenIssuer, jwks_document
from shared.clock import SystemClock
from shared.domain.samples import Series, ValueType
from shared.errors import ConfigurationError
from shared.ids import SeriesName
from tests.support.edge_log import no_gaps
from tests.support.ports import free_port
from tests.support.web_world import PASSWORD, PASSWORD_HASH, SIGNING_KEY

CLOCK = SystemClock()
SERIES = Series(SeriesName("kaduna", "sensor", "ch4-1", "ch4_pct"), "%", ValueType.NUMBER)
CENTRAL = TokenIssuer(SIGNING_KEY, issuer="headframe-central", lifetime_s=900)
OFFICER = Account("u-7", "o@kaduna.example", "", (Role.SAFETY_OFFICER,), ("kaduna",))


@dataclass
class RunningEdge:
    """An edge's API on a free port with what stands behind it."""

    http: aiohttp.ClientSession
    journal: Journal
    snapshot: LiveSnapshot
    recent: RecentSamples

    async def measure(self, *samples: tuple[int, float]) -> None:
        """Make samples durable, then current: the order of the edge's own ingest."""
        times = [ts_ms for ts_ms, _ in samples]
        values = [value for _, value in samples]
        count = len(samples)
        await self.journal.append(
            PendingBatch(
                series_ix=[1] * count, value_type=[int(ValueType.NUMBER)] * count, ts_ms=times,
                value=values, quality=[0] * count, recv_min_ms=min(times), recv_max_ms=max(times),
                new_series=((1, SERIES),), new_sources=((1, "t"),),
            )
        )  # fmt: skip
        self.snapshot.add_series(1, SERIES)
        self.snapshot.apply([1] * count, times, values, [0] * count)
        self.recent.append([1] * count, [int(ValueType.NUMBER)] * count, times, values)

    async def data(self, path: str, token: str) -> Any:
        """Return the data of a GET."""
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.get(path, headers=headers) as response:
            assert response.status == 200, await response.text()
            return (await response.json())["data"]

    async def sign_in(self, username: str = "a@kaduna.example") -> str:
        """Return an access token for a cached account."""
        body = {"username": username, "password": PASSWORD}
        async with self.http.post("/api/v1/auth/token", json=body) as response:
            assert response.status == 200, await response.text()
            return str((await response.json())["access_token"])


def configuration(state_dir: Path, **api: Any) -> EdgeConfig:
    accounts = state_dir / "accounts.json"
    entry = {
        "username": "a@kaduna.example", "user_id": "u-1", "password_hash": PASSWORD_HASH,
        "roles": ["analyst"], "sites": ["kaduna"],
    }  # fmt: skip
    accounts.write_text(json.dumps([entry]))
    jwks = state_dir / "jwks.json"
    jwks.write_text(json.dumps(jwks_document([CENTRAL.verification_key])))
    settings = ApiConfig(port=free_port(), accounts_file=accounts, jwks_file=jwks, **api)
    return EdgeConfig(site="kaduna", edge_id="edge-1", state_dir=state_dir, api=settings)


@asynccontextmanager
async def running_edge(state_dir: Path) -> AsyncGenerator[RunningEdge, None]:
    config = configuration(state_dir)
    journal = Journal.open(state_dir, "kaduna", "edge-1", LogConfig(), CLOCK)
    snapshot = LiveSnapshot(series_max=10)
    recent = RecentSamples(known_series=0, newest_ms=lambda _: None, started_ms=0)
    sources = EdgeSources(
        snapshot=snapshot, recent=recent, log=journal, link=lambda: None,
        alerts=list, message_gaps=no_gaps,
        broker_refused=dict[str, int], registry=CollectorRegistry(),
    )  # fmt: skip
    api = EdgeApi(config, sources, CLOCK)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(api.run())
        await api.listening.wait()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as http:
            yield RunningEdge(http, journal, snapshot, recent)
        task.cancel()
    await journal.close()


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncGenerator[RunningEdge, None]:
    async with running_edge(tmp_path) as running:
        yield running


async def test_a_cached_account_reads_what_was_just_measured(edge: RunningEdge) -> None:
    now_ms = CLOCK.utc_ms()
    await edge.measure((now_ms - 2_000, 0.3), (now_ms - 1_000, 0.4))
    token = await edge.sign_in()
    page = await edge.data("/api/v1/safety/environmental/sensors", token)
    assert page["items"][0]["metrics"]["ch4_pct"]["value"] == 0.4
    path = "/api/v1/analytics/telemetry?series=kaduna/sensor/ch4-1/ch4_pct&agg=raw"
    points = (await edge.data(path, token))["points"]
    assert points == [[now_ms - 2_000, 0.3], [now_ms - 1_000, 0.4]]


async def test_a_token_of_central_works_with_no_link(edge: RunningEdge) -> None:
    token = CENTRAL.issue(OFFICER, CLOCK.utc_ms() // 1000).token
    assert await edge.data("/api/v1/safety/workers", token) == {"items": [], "next_cursor": None}


async def test_a_new_value_reaches_the_socket_after_its_commit(edge: RunningEdge) -> None:
    token = await edge.sign_in()
    async with edge.http.ws_connect("/ws/sensors") as ws:
        await ws.send_json({"type": "auth", "token": f"Bearer {token}"})
        assert (await ws.receive_json())["type"] == "auth_ok"
        await edge.measure((CLOCK.utc_ms(), 0.7))
        frame = await ws.receive_json(timeout=10)
    assert frame["data"]["metrics"]["ch4_pct"]["value"] == 0.7


async def test_the_link_and_the_backlog_are_told(edge: RunningEdge) -> None:
    await edge.measure((CLOCK.utc_ms(), 0.7))
    status = await edge.data("/api/v1/sync/status", await edge.sign_in())
    (own,) = status["edges"]
    assert (own["edge_id"], own["state"]) == ("edge-1", "disconnected")
    assert own["lanes"]["2"]["backlog_samples"] == 1


async def test_sign_ins_survive_a_restart(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as before:
        body = {"username": "a@kaduna.example", "password": PASSWORD}
        async with before.http.post("/api/v1/auth/token", json=body) as response:
            refresh_token = (await response.json())["refresh_token"]
    async with running_edge(tmp_path) as after:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        async with after.http.post("/api/v1/auth/token", data=form) as response:
            assert response.status == 200


def test_a_broken_accounts_file_stops_the_start_by_name(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    assert config.api.accounts_file is not None
    config.api.accounts_file.write_text("[{}]")
    sources = EdgeSources(
        snapshot=LiveSnapshot(series_max=1),
        recent=RecentSamples(known_series=0, newest_ms=lambda _: None, started_ms=0),
        log=NoLog(), link=lambda: None, alerts=list, message_gaps=no_gaps,
        broker_refused=dict[str, int], registry=CollectorRegistry(),
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"accounts\.json"):
        EdgeApi(config, sources, CLOCK)


class NoLog:
    """A log that nobody asks."""

    async def read_series(self, first_ix: int) -> Any: ...

    async def read_samples(self, series_ix: int, **range_: int) -> Any: ...

    def state(self) -> Any: ...
