"""From what an installation has (stores, keys, limits) to the parts that routes use."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from shared.access.passwords import PasswordHasher
from shared.access.tokens import TokenIssuer, TokenVerifier
from shared.clock import Clock
from shared.web.admission import Admission
from shared.web.context import WebParts, WebSettings
from shared.web.known_sites import KnownSites
from shared.web.sign_in import SignIn, SignInStores
from shared.web.site_data import ReadinessCheck, SiteReader
from shared.web.sockets import SocketHub, SocketTimes
from shared.web.web_metrics import WebMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What a server is made of before there is a server."""

    clock: Clock
    reader: SiteReader
    stores: SignInStores
    passwords: PasswordHasher
    issuer: TokenIssuer
    verifier: TokenVerifier
    registry: CollectorRegistry
    settings: WebSettings
    refresh_token_s: int
    requests_per_account: int  # a minute; 0: no limit
    requests_per_address: int
    home_site: str | None = None  # of an edge: the only site it serves
    readiness: Mapping[str, ReadinessCheck] = field(default_factory=dict[str, ReadinessCheck])
    socket_times: SocketTimes = field(default_factory=SocketTimes)


def assemble(installation: Installation) -> WebParts:
    """Return the parts; a refresh token that turns out to be copied closes its owner's sockets."""
    clock, settings = installation.clock, installation.settings
    hub = SocketHub(clock, stale_after_s=settings.stale_after_s, times=installation.socket_times)
    sign_in = SignIn(
        installation.stores,
        passwords=installation.passwords,
        issuer=installation.issuer,
        clock=clock,
        refresh_token_s=installation.refresh_token_s,
    )
    sign_in.on_reuse(hub.revoke_account)
    return WebParts(
        clock=clock,
        reader=installation.reader,
        known_sites=KnownSites(installation.reader, clock, installation.home_site),
        verifier=installation.verifier,
        admission=Admission(
            clock=clock,
            verifier=installation.verifier,
            per_account=installation.requests_per_account,
            per_address=installation.requests_per_address,
        ),
        sign_in=sign_in,
        hub=hub,
        metrics=WebMetrics(installation.registry),
        settings=settings,
        readiness=installation.readiness,
    )
