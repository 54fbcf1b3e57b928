"""Who asks, and whether they may ask that often. Owns the limits and the response headers.

It judges a request from its address and headers alone, before any route sees it, and knows
nothing of aiohttp, so that the same judgement serves requests that could not even be parsed.
"""

import re
import secrets
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import count

from shared.access.roles import Role
from shared.access.tokens import Principal, TokenVerifier
from shared.clock import Clock
from shared.errors import AccessError
from shared.web.addresses import client_key
from shared.web.limits import Allowance, WindowLimiter

RATE_WINDOW_S = 60.0
# One window is 200 bytes: 10 MB at most, far more accounts and addresses than a mine has.
RATE_KEYS_MAX = 50_000
# All pages behind one address come back at once when a server restarts, each with two sockets.
SOCKETS_FACTOR = 10
SERVER_NAME = "headframe"
ANONYMOUS = "anonymous"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_BEARER = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]+) *")


class RateClass(Enum):
    """How a request is counted."""

    COUNTED = auto()
    PROBE = auto()  # counted apart, so that other requests of an address cannot starve its probes
    SOCKET = auto()  # counted apart and more: it signs in only with its first message
    FREE = auto()  # not counted: files of the page, probes of the local supervisor


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known of a request before its route runs."""

    request_id: str
    started_s: float  # monotonic
    principal: Principal | None  # whose valid token came with it
    refusal: str | None  # why the token that came with it is not valid
    allowance: Allowance

    @property
    def user_type(self) -> str:
        """Return ``admin``, ``member`` or ``anonymous``."""
        if self.principal is None:
            return ANONYMOUS
        return "admin" if Role.ADMIN in self.principal.roles else "member"

    @property
    def user_role(self) -> str:
        """Return the roles joined by commas; ``none`` for an account that waits for approval."""
        if self.principal is None:
            return ANONYMOUS
        return ",".join(self.principal.roles) or "none"


class Admission:
    """Judges requests; keeps one window per account and per address."""

    def __init__(
        self,
        *,
        clock: Clock,
        verifier: TokenVerifier,
        per_account: int,
        per_address: int,
    ) -> None:
        """``per_account`` and ``per_address`` are requests per ``RATE_WINDOW_S``; 0: no limit."""
        self._clock = clock
        self._verifier = verifier
        self._accounts = _limiter(per_account)
        self._addresses = _limiter(per_address)
        self._sockets = _limiter(per_address * SOCKETS_FACTOR)
        # Unique, not secret: a random beginning for this process, then a count.
        self._id_start = secrets.token_hex(8)
        self._id_count = count()

    def admit(
        self,
        *,
        address: str | None,
        authorization: str | None,
        request_id: str | None,
        rate_class: RateClass = RateClass.COUNTED,
    ) -> Visit:
        """Return who asks and whether it is within their limit; counts the request."""
        principal, refusal = self._identify(authorization)
        now_s = self._clock.monotonic_s()
        return Visit(
            request_id=self._chosen_id(request_id),
            started_s=now_s,
            principal=principal,
            refusal=refusal,
            allowance=self._allowance(principal, address, rate_class, now_s),
        )

    def stamp(self, headers: MutableMapping[str, str], visit: Visit) -> None:
        """Set the headers that every response carries."""
        principal, allowance = visit.principal, visit.allowance
        headers["X-Process-Time"] = f"{self._clock.monotonic_s() - visit.started_s:.6f}"
        headers["X-Request-Id"] = visit.request_id
        headers["X-RateLimit-Limit"] = str(allowance.limit)
        headers["X-RateLimit-Remaining"] = str(allowance.remaining)
        headers["X-RateLimit-Reset"] = str(allowance.reset_s)
        headers["X-User-Id"] = principal.user_id if principal else ANONYMOUS
        headers["X-User-Type"] = visit.user_type
        headers["X-User-Role"] = visit.user_role
        headers["Server"] = SERVER_NAME
        headers["X-Content-Type-Options"] = "nosniff"

    def _identify(self, authorization: str | None) -> tuple[Principal | None, str | None]:
        if authorization is None:
            return None, None
        match = _BEARER.fullmatch(authorization)
        if match is None:
            return None, "expected the header Authorization: Bearer <token>"
        try:
            return self._verifier.verify(match[1], self._clock.utc_ms() / 1000), None
        except AccessError as error:
            return None, str(error)

    def _chosen_id(self, offered: str | None) -> str:
        if offered is not None and _REQUEST_ID.fullmatch(offered):
            return offered
        return f"{self._id_start}{next(self._id_count):016x}"

    def _allowance(
        self,
        principal: Principal | None,
        address: str | None,
        rate_class: RateClass,
        now_s: float,
    ) -> Allowance:
        limiter, key = (
            (self._accounts, principal.user_id)
            if principal
            else (self._addresses, client_key(address))
        )
        if rate_class is RateClass.FREE:
            return replace(limiter.peek(key, now_s), allowed=True)
        if rate_class is RateClass.SOCKET:
            return self._sockets.take(key, now_s)
        if rate_class is RateClass.PROBE:
            return self._addresses.take(f"probe {client_key(address)}", now_s)
        return limiter.take(key, now_s)


def _limiter(limit: int) -> WindowLimiter:
    return WindowLimiter(limit=limit, window_s=RATE_WINDOW_S, keys_max=RATE_KEYS_MAX)
