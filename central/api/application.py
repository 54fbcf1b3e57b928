"""Central's web application: its configuration, stores and keys joined to the route table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry

from central.api.routes import ROUTES, SOCKETS
from central.config import CentralConfig
from shared.access.passwords import PasswordHasher
from shared.access.tokens import TokenIssuer, TokenVerifier, load_signing_key
from shared.clock import Clock
from shared.version import installed_version
from shared.web.application import build_application
from shared.web.assembly import Installation, assemble
from shared.web.context import WebSettings
from shared.web.server import Endpoint
from shared.web.sign_in import SignInStores
from shared.web.site_data import LiveSink, ReadinessCheck, SiteReader

STATIC_DIR = Path(__file__).parent.parent / "static"
DESCRIPTION = (
    "Headquarters of a mine: everything its sites have measured, live and past. Every answer is "
    "`{status_code, data, detail}`; errors name what is wrong where in `errors`. Sign in with "
    "`POST /api/v1/auth/token`, then send `Authorization: Bearer …`. Live values come over the "
    "WebSockets `/ws/sensors` and `/ws/telemetry`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralWeb:
    """The application, where it is to listen, and where new values go."""

    application: web.Application
    endpoint: Endpoint
    live: LiveSink


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralStores:
    """What central's web needs of the rest of central."""

    reader: SiteReader
    sign_in: SignInStores
    passwords: PasswordHasher
    readiness: Mapping[str, ReadinessCheck]


def build_central_web(
    config: CentralConfig, stores: CentralStores, *, clock: Clock, registry: CollectorRegistry
) -> CentralWeb:
    """Return central's web application; nothing of it runs yet.

    Raises:
        ConfigurationError: if the signing key cannot be used.
    """
    issuer = TokenIssuer(
        load_signing_key(config.auth.signing_key_file),
        issuer=config.auth.issuer,
        lifetime_s=config.auth.access_token_s,
    )
    api = config.api
    parts = assemble(
        Installation(
            clock=clock,
            reader=stores.reader,
            stores=stores.sign_in,
            passwords=stores.passwords,
            issuer=issuer,
            verifier=TokenVerifier([issuer.verification_key]),
            registry=registry,
            settings=WebSettings(
                title="Headframe central",
                version=installed_version(),
                stale_after_s=api.stale_after_s,
                static_dir=STATIC_DIR,
                metrics_allow=api.metrics_allow,
                allowed_origins=_origins(config),
            ),
            refresh_token_s=config.auth.refresh_token_s,
            requests_per_account=api.rate_limit_per_minute,
            requests_per_address=api.rate_limit_anonymous_per_minute,
            readiness=stores.readiness,
        )
    )
    application = build_application(
        routes=ROUTES, feeds=SOCKETS, parts=parts, registry=registry, description=DESCRIPTION
    )
    endpoint = Endpoint(
        host=api.host, port=api.port, cert_file=api.tls_cert_file, key_file=api.tls_key_file
    )
    return CentralWeb(application=application, endpoint=endpoint, live=parts.hub)


def _origins(config: CentralConfig) -> tuple[str, ...]:
    urls = (config.public_urls.api, config.public_urls.edge)
    return tuple(url.rstrip("/") for url in urls if url is not None)
