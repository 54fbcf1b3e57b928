"""What an application is made of, as its routes see it: typed keys and one record of parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from shared.access.tokens import TokenVerifier
from shared.clock import Clock
from shared.web.addresses import Network
from shared.web.admission import Admission, Visit
from shared.web.known_sites import KnownSites
from shared.web.sign_in import SignIn
from shared.web.site_data import ReadinessCheck, SiteReader
from shared.web.sockets import SocketHub
from shared.web.web_metrics import WebMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """What differs between installations."""

    title: str
    version: str
    stale_after_s: float
    static_dir: Path
    metrics_allow: tuple[Network, ...] = ()  # beside loopback
    allowed_origins: tuple[str, ...] = ()  # beside the server's own, for sockets


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """Everything a route may use."""

    clock: Clock
    reader: SiteReader
    known_sites: KnownSites
    verifier: TokenVerifier
    admission: Admission
    sign_in: SignIn
    hub: SocketHub
    metrics: WebMetrics
    settings: WebSettings
    readiness: Mapping[str, ReadinessCheck] = field(default_factory=dict[str, ReadinessCheck])


PARTS = web.AppKey("parts", WebParts)
VISIT = web.RequestKey("visit", Visit)
