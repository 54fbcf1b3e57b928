"""The edge's HTTP face: its own data, its own sign-in, its own page, with or without a link."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from edge.api.accounts import CachedAccounts
from edge.api.keys import CentralKeys, own_signing_key
from edge.api.live_feed import LiveFeed
from edge.api.reader import EdgeReader, ReaderSources
from edge.api.refresh_tokens import LocalRefreshTokens
from edge.api.routes import ROUTES, SOCKETS
from edge.config import EdgeConfig
from shared.access.passwords import PasswordHasher
from shared.access.tokens import TokenIssuer, TokenVerifier
from shared.clock import Clock
from shared.version import installed_version
from shared.web.application import build_application
from shared.web.assembly import Installation, assemble
from shared.web.context import WebSettings
from shared.web.server import Endpoint, serve
from shared.web.sign_in import SignInStores
from shared.web.site_data import ReadinessCheck

STATIC_DIR = Path(__file__).parent.parent / "static"
ACCESS_TOKEN_S = 900
REFRESH_TOKEN_S = 604_800
REFRESH_TOKENS_NAME = "sign_ins.db"
DESCRIPTION = (
    "One edge of a mine: what its site measures, live and as far back as its log reaches, with or "
    "without a link to headquarters. Every answer is `{status_code, data, detail}`. Sign in with "
    "`POST /api/v1/auth/token`; tokens of central work too."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSources(ReaderSources):
    """What the API needs of the rest of the edge."""

    registry: CollectorRegistry
    readiness: Mapping[str, ReadinessCheck] = field(default_factory=dict[str, ReadinessCheck])


class EdgeApi:
    """The server; make one, then `run` it in a task."""

    def __init__(self, config: EdgeConfig, sources: EdgeSources, clock: Clock) -> None:
        """Read keys and accounts.

        Raises:
            ConfigurationError: if a configured file cannot be used.
            LocalStateError: if the edge's own key cannot be made.
        """
        self._config = config
        self._sources = sources
        self._clock = clock
        self._issuer = TokenIssuer(
            own_signing_key(config.api.signing_key_file, config.state_dir),
            issuer=f"headframe-edge/{config.site}/{config.edge_id}",
            lifetime_s=ACCESS_TOKEN_S,
        )
        own = self._issuer.verification_key
        self._verifier = TokenVerifier([own])
        self._central_keys = CentralKeys(config.api.jwks_file, own, self._verifier)
        self._central_keys.refresh()
        self._accounts = CachedAccounts(config.api.accounts_file, clock)
        self.listening = asyncio.Event()
        self.port: int | None = None  # once listening; of use where the configured one is 0

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            OSError: if the address is in use or not ours.
            ConfigurationError: if the certificate cannot be used.
            LocalStateError: if the file of sign-ins cannot be used.
        """
        passwords = PasswordHasher()
        tokens = await LocalRefreshTokens.open(self._config.state_dir / REFRESH_TOKENS_NAME)
        try:
            await self._serve(
                SignInStores(accounts=self._accounts, refresh_tokens=tokens), passwords
            )
        finally:
            await tokens.close()
            await asyncio.to_thread(passwords.close)

    async def _serve(self, stores: SignInStores, passwords: PasswordHasher) -> None:
        parts = assemble(self._installation(stores, passwords))
        application = build_application(
            routes=ROUTES,
            feeds=SOCKETS,
            parts=parts,
            registry=self._sources.registry,
            description=DESCRIPTION,
        )
        feed = LiveFeed(self._config.site, self._sources.snapshot, parts.hub)
        async with serve(application, self._endpoint()) as self.port, asyncio.TaskGroup() as group:
            group.create_task(feed.run(), name="live feed")
            group.create_task(self._central_keys.watch(), name="central keys")
            self.listening.set()

    def _endpoint(self) -> Endpoint:
        api = self._config.api
        return Endpoint(
            host=api.host, port=api.port, cert_file=api.tls_cert_file, key_file=api.tls_key_file
        )

    def _installation(self, stores: SignInStores, passwords: PasswordHasher) -> Installation:
        config, api = self._config, self._config.api
        urls = (config.public_urls.api, config.public_urls.edge)
        return Installation(
            clock=self._clock,
            reader=EdgeReader(site=config.site, edge_id=config.edge_id, sources=self._sources),
            stores=stores,
            passwords=passwords,
            issuer=self._issuer,
            verifier=self._verifier,
            registry=self._sources.registry,
            settings=WebSettings(
                title=f"Headframe edge {config.edge_id} at {config.site}",
                version=installed_version(),
                stale_after_s=api.stale_after_s,
                static_dir=STATIC_DIR,
                metrics_allow=api.metrics_allow,
                allowed_origins=tuple(url.rstrip("/") for url in urls if url is not None),
            ),
            refresh_token_s=REFRESH_TOKEN_S,
            requests_per_account=api.rate_limit_per_minute,
            requests_per_address=api.rate_limit_anonymous_per_minute,
            home_site=config.site,
            readiness=self._sources.readiness,
        )
