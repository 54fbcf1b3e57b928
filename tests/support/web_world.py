"""The real web server over in-memory fakes, with a client: what the web tests run against."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey
from prometheus_client import CollectorRegistry

from shared.access.accounts import Account
from shared.access.passwords import PasswordHasher
from shared.access.roles import Role
from shared.access.tokens import TokenIssuer, TokenVerifier, with_thumbprint
from shared.web.addresses import Network
from shared.web.alert_routes import ALERT_ROUTES
from shared.web.application import build_application
from shared.web.assembly import Installation, assemble
from shared.web.asset_routes import ASSET_ROUTES
from shared.web.auth_routes import AUTH_ROUTES
from shared.web.context import WebParts, WebSettings
from shared.web.gap_routes import GAP_ROUTES
from shared.web.routes import Route
from shared.web.server import Endpoint, serve
from shared.web.sign_in import SignInStores
from shared.web.site_data import ReadinessCheck
from shared.web.sockets import FEEDS, SocketTimes
from shared.web.sync_routes import SYNC_ROUTES
from shared.web.telemetry_routes import TELEMETRY_ROUTES
from tests.support.clocks import HandClock
from tests.support.sites import FakeAccounts, FakeSite

ROUTES: tuple[Route, ...] = (
    *AUTH_ROUTES,
    *ASSET_ROUTES,
    *ALERT_ROUTES,
    *TELEMETRY_ROUTES,
    *SYNC_ROUTES,
    *GAP_ROUTES,
)
NOW_MS = 1_793_599_200_000  # 2026-11-02T06:00:00Z
TOKEN_S = 900
REFRESH_TOKEN_S = 604_800
PASSWORD = "SecurePass123"


def new_signing_key() -> RSAKey:
    """Return a fresh key; 2,048 bits take 50 ms."""
    return with_thumbprint(RSAKey.import_key(rsa.generate_private_key(65537, 2048)))


SIGNING_KEY = new_signing_key()
PASSWORDS = PasswordHasher()
PASSWORD_HASH = PASSWORDS.hash_now(PASSWORD)


def account(
    *roles: Role, user_id: str = "u-1", sites: tuple[str, ...] = ("kaduna",), **changes: Any
) -> Account:
    """Return an account whose password is ``PASSWORD``."""
    made = Account(user_id, f"{user_id}@kaduna.example", PASSWORD_HASH, roles, sites)
    return replace(made, **changes)


@dataclass
class World:
    """A running server and what stands behind it."""

    base_url: str
    http: aiohttp.ClientSession
    parts: WebParts
    site: FakeSite
    accounts: FakeAccounts
    clock: HandClock
    issuer: TokenIssuer
    port: int
    readiness: dict[str, ReadinessCheck]

    def token(self, *roles: Role, **changes: Any) -> str:
        """Return an access token of an account with ``roles``."""
        return self.issuer.issue(account(*roles, **changes), self.clock.utc_ms() // 1000).token

    def headers(self, *roles: Role, **changes: Any) -> dict[str, str]:
        """Return the header that signs such an account in."""
        return {"Authorization": f"Bearer {self.token(*roles, **changes)}"}

    async def get(self, path: str, *roles: Role, **options: Any) -> "Answer":
        """Return the answer to a GET by an account with ``roles``; by nobody if there are none."""
        headers = options.pop("headers", {})
        signed_in = self.headers(*roles) if roles else {}
        return await self.ask("GET", path, headers={**signed_in, **headers}, **options)

    async def ask(self, method: str, path: str, **options: Any) -> "Answer":
        """Return the answer to a request."""
        async with self.http.request(method, path, **options) as response:
            content = await response.read()
            return Answer(response.status, response.headers.copy(), content, response)


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: Any
    content: bytes
    response: aiohttp.ClientResponse

    @property
    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        return json.loads(self.content)

    @property
    def data(self) -> Any:
        """Return the data of the envelope."""
        return self.body["data"]

    @property
    def fields(self) -> list[str | None]:
        """Return the fields that ``errors`` names."""
        return [mistake["field"] for mistake in self.body["errors"]]


@dataclass
class WorldOptions:
    """What a test wants otherwise."""

    per_account: int = 0
    per_address: int = 0
    home_site: str | None = None
    static_dir: Path = field(default_factory=lambda: Path("no such folder"))
    metrics_allow: tuple[Network, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    times: SocketTimes = field(default_factory=SocketTimes)
    routes: Sequence[Route] = ROUTES
    site: FakeSite = field(default_factory=FakeSite)
    cert_file: Path | None = None
    key_file: Path | None = None
    port: int = 0


@asynccontextmanager
async def web_world(**options: Any) -> AsyncGenerator[World, None]:
    """Run a server on a free port of loopback."""
    wanted = WorldOptions(**options)
    site, accounts, clock = wanted.site, FakeAccounts(), HandClock(now_ms=NOW_MS)
    issuer = TokenIssuer(SIGNING_KEY, issuer="test", lifetime_s=TOKEN_S)
    registry, readiness = CollectorRegistry(), dict[str, ReadinessCheck]()
    parts = assemble(
        Installation(
            clock=clock,
            reader=site,
            stores=SignInStores(accounts=accounts, refresh_tokens=accounts),
            passwords=PASSWORDS,
            issuer=issuer,
            verifier=TokenVerifier([issuer.verification_key]),
            registry=registry,
            settings=WebSettings(
                title="Headframe test",
                version="0.0.0",
                stale_after_s=30.0,
                static_dir=wanted.static_dir,
                metrics_allow=wanted.metrics_allow,
                allowed_origins=wanted.allowed_origins,
            ),
            refresh_token_s=REFRESH_TOKEN_S,
            requests_per_account=wanted.per_account,
            requests_per_address=wanted.per_address,
            home_site=wanted.home_site,
            readiness=readiness,
            socket_times=wanted.times,
        )
    )
    application = build_application(
        routes=wanted.routes, feeds=FEEDS, parts=parts, registry=registry, description="Test"
    )
    endpoint = Endpoint(
        host="127.0.0.1", port=wanted.port, cert_file=wanted.cert_file, key_file=wanted.key_file
    )
    async with serve(application, endpoint) as port:
        base_url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(base_url) as http:
            yield World(base_url, http, parts, site, accounts, clock, issuer, port, readiness)
