"""Central's web application made from its configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from central.api.application import CentralStores, CentralWeb, build_central_web
from central.api.routes import ROUTES
from central.config import (
    ApiConfig,
    AuthConfig,
    CentralConfig,
    DatabaseConfig,
    PublicUrls,
    SyncConfig,
)
from central.errors import StoreError
from edge.api.routes import ROUTES as EDGE_ROUTES
from shared.access.passwords import PasswordHasher
from shared.access.roles import Role
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from shared.web.server import Endpoint, serve
from shared.web.sign_in import SignInStores
from tests.support.sites import FakeAccounts, FakeSite, latest_value
from tests.support.web_world import PASSWORD, SIGNING_KEY, account

CLOCK = SystemClock()
ENDPOINT = Endpoint(host="127.0.0.1", port=0)


@pytest.fixture
def passwords() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher()
    yield hasher
    hasher.close()


def configuration(tmp_path: Path, **api: Any) -> CentralConfig:
    key = tmp_path / "signing.pem"
    key.write_bytes(SIGNING_KEY.as_pem(private=True))
    key.chmod(0o600)
    unused = tmp_path / "unused"
    return CentralConfig(
        database=DatabaseConfig(url="postgresql:///nowhere"),
        auth=AuthConfig(signing_key_file=key, access_token_s=60),
        sync=SyncConfig(cert_file=unused, key_file=unused, client_ca_file=unused),
        api=ApiConfig(**api),
        public_urls=PublicUrls(api="https://mine.example/"),
    )


def built(
    config: CentralConfig, passwords: PasswordHasher, site: FakeSite | None = None
) -> CentralWeb:
    accounts = FakeAccounts()
    accounts.add(account(Role.ANALYST))
    stores = CentralStores(
        reader=site or FakeSite(),
        sign_in=SignInStores(accounts=accounts, refresh_tokens=accounts),
        passwords=passwords,
        readiness={},
    )
    return build_central_web(config, stores, clock=CLOCK, registry=CollectorRegistry())


async def test_the_configured_lifetime_of_tokens_holds(
    tmp_path: Path, passwords: PasswordHasher
) -> None:
    web = built(configuration(tmp_path), passwords)
    body = {"username": "u-1@kaduna.example", "password": PASSWORD}
    async with (
        serve(web.application, ENDPOINT) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        http.post("/api/v1/auth/token", json=body) as response,
    ):
        assert (await response.json())["expires_in"] == 60


async def test_limits_come_from_the_configuration(
    tmp_path: Path, passwords: PasswordHasher
) -> None:
    web = built(configuration(tmp_path, rate_limit_anonymous_per_minute=7), passwords)
    async with (
        serve(web.application, ENDPOINT) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        http.get("/openapi.json") as response,
    ):
        assert response.headers["X-RateLimit-Limit"] == "7"
        assert (await response.json())["info"]["title"] == "Headframe central"


async def test_an_outage_of_the_database_is_an_outage_and_not_a_fault(
    tmp_path: Path, passwords: PasswordHasher
) -> None:
    site = FakeSite(failure=StoreError("connection to /run/secret/path failed"))
    web = built(configuration(tmp_path), passwords, site)
    body = {"username": "u-1@kaduna.example", "password": PASSWORD}
    async with (
        serve(web.application, ENDPOINT) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        async with http.post("/api/v1/auth/token", json=body) as response:
            token = (await response.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with http.get("/api/v1/assets/vehicles", headers=headers) as response:
            assert response.status == 503
            assert "secret" not in await response.text()


async def test_pages_of_the_public_address_may_open_sockets(
    tmp_path: Path, passwords: PasswordHasher
) -> None:
    web = built(configuration(tmp_path), passwords)
    async with (
        serve(web.application, ENDPOINT) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        http.ws_connect("/ws/sensors", headers={"Origin": "https://mine.example"}) as ws,
    ):
        assert not ws.closed
        web.live.publish("kaduna", [latest_value("kaduna/sensor/a/ch4_pct", 1.0, 1)])


def test_a_missing_signing_key_stops_the_start_by_name(
    tmp_path: Path, passwords: PasswordHasher
) -> None:
    config = configuration(tmp_path)
    config.auth.signing_key_file.unlink()
    with pytest.raises(ConfigurationError, match=r"signing\.pem"):
        built(config, passwords)


@pytest.mark.parametrize("routes", [ROUTES, EDGE_ROUTES], ids=["central", "edge"])
def test_no_two_routes_share_a_name_or_an_address(routes: Any) -> None:
    names = [route.name for route in routes]
    addresses = [(route.method, path) for route in routes for path in route.paths]
    assert len(set(names)) == len(names)
    assert len(set(addresses)) == len(addresses)
