"""Is it alive, is it ready, what does it count: the routes for supervisors and monitoring."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import (
    CONTENT_TYPE_LATEST,
    generate_latest,  # pyright: ignore[reportUnknownVariableType] library is untyped
)
from pydantic import Field

from shared.errors import ApiError, ErrorCode, Mistake
from shared.web.addresses import LOOPBACK, Network, is_within
from shared.web.admission import RateClass
from shared.web.context import WebParts
from shared.web.routes import Audience, Call, Reply, Route
from shared.web.site_data import ReadinessCheck

READINESS_AGE_MAX_S = 1.0  # anyone may ask, as often as they like; the database is asked once
CHECK_TIMEOUT_S = 2.0  # a supervisor asks every few seconds; a check that hangs is a failure
OPENMETRICS_TYPE = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class HealthView:
    """The process answers."""

    status: str
    version: str


@dataclass(frozen=True, slots=True)
class ReadinessView:
    """Everything it needs is there."""

    ready: bool
    checks: Annotated[dict[str, str], Field(description="by name; `ok` each")]


async def _health(call: Call) -> Reply:
    return Reply(HealthView("alive", call.parts.settings.version))


class _Readiness:
    """What is missing, asked for once by all who want to know within a second."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()  # who waits here finds the answer of who was first
        self._reasons: Mapping[str, str | None] = {}
        self._checked_s = -math.inf

    async def answer(self, call: Call) -> Reply:
        return _readiness_reply(await self._fresh(call.parts))

    async def _fresh(self, parts: WebParts) -> Mapping[str, str | None]:
        async with self._turn:
            if parts.clock.monotonic_s() - self._checked_s > READINESS_AGE_MAX_S:
                checks = parts.readiness.items()
                self._reasons = {name: await _reason(check) for name, check in checks}
                self._checked_s = parts.clock.monotonic_s()
            return self._reasons


def _readiness_reply(reasons: Mapping[str, str | None]) -> Reply:
    missing = {name: reason for name, reason in reasons.items() if reason is not None}
    if missing:
        detail = "not ready: " + "; ".join(f"{name}: {why}" for name, why in missing.items())
        code = ErrorCode.SERVICE_UNAVAILABLE
        mistakes = [Mistake(code, name, why) for name, why in missing.items()]
        raise ApiError(503, detail, mistakes=mistakes)
    return Reply(ReadinessView(ready=True, checks=dict.fromkeys(reasons, "ok")))


async def _reason(check: ReadinessCheck) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return f"no answer in {CHECK_TIMEOUT_S:g} s"


def health_routes(
    registry: CollectorRegistry, metrics_allow: tuple[Network, ...]
) -> tuple[Route, ...]:
    """Return the routes; ``metrics_allow`` are networks beside loopback that may read metrics."""
    allowed = LOOPBACK + metrics_allow

    async def metrics(call: Call) -> Reply:
        # By the address of the peer itself: a header that names another one proves nothing.
        if not is_within(call.request.remote, allowed):
            raise ApiError(404, f"there is nothing at {call.request.path}")
        text: bytes = generate_latest(registry)  # pyright: ignore[reportUnknownVariableType] library is untyped
        return Reply(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return (
        Route(
            method="GET",
            path="/healthz",
            name="get_health",
            summary="The process is alive",
            access=Audience.ANYONE,
            answer=_health,
            tag="operation",
            prefixes=("",),
            data=HealthView,
            example={"status": "alive", "version": "0.1.0"},
            rate_class=RateClass.PROBE,
        ),
        Route(
            method="GET",
            path="/readyz",
            name="get_readiness",
            summary="Everything it needs is there, or what is missing",
            description="200 when ready; else 503, and `errors` names each check and why it fails.",
            access=Audience.ANYONE,
            answer=_Readiness().answer,
            tag="operation",
            prefixes=("",),
            data=ReadinessView,
            example={"ready": True, "checks": {"database": "ok"}},
            rate_class=RateClass.FREE,
        ),
        Route(
            method="GET",
            path="/metrics",
            name="get_metrics",
            summary="Counters and gauges in OpenMetrics text",
            description="For loopback and the networks in metrics_allow; others get 404.",
            access=Audience.ANYONE,
            answer=metrics,
            tag="operation",
            prefixes=("",),
            data=str,
            enveloped=False,
            media_type=OPENMETRICS_TYPE,
            errors=(404,),
            rate_class=RateClass.FREE,
        ),
    )
