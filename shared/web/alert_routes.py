"""Alerts as they stand and stood. Served by both sides: an edge knows its own, central all."""

from typing import Annotated

from pydantic import Field

from shared.access.roles import Right, visible_kinds
from shared.errors import ApiError
from shared.ids import Kind
from shared.sync.records import AlertState, Severity
from shared.web import examples
from shared.web.asset_routes import (
    PAGE_LIMIT_DEFAULT,
    CursorParameter,
    LimitParameter,
    SiteQuery,
)
from shared.web.etags import state_etag
from shared.web.moment_pages import cut_page, place_after
from shared.web.parameters import Parameters
from shared.web.routes import Call, Reply, Route
from shared.web.site_data import AlertQuery
from shared.web.views import AlertPage, AlertView, alert_view


class AlertParameters(SiteQuery):
    """A page of alerts; the filters are joined by and."""

    state: Annotated[AlertState | None, Field(description="only those in this state")] = None
    severity: Annotated[Severity | None, Field(description="only those so grave")] = None
    limit: LimitParameter = PAGE_LIMIT_DEFAULT
    cursor: CursorParameter = None


class AlertPath(Parameters):
    """One alert."""

    alert_id: Annotated[str, Field(min_length=1, max_length=64, description="its id")]


async def _alerts(call: Call) -> Reply:
    asked = call.query_as(AlertParameters)
    site = await call.site(asked.site)
    found = await call.parts.reader.alerts(
        AlertQuery(
            site=site,
            kinds=_visible(call),
            limit=asked.limit + 1,
            state=asked.state,
            severity=asked.severity,
            after=place_after(f"alerts@{site}", asked.cursor),
        )
    )
    page, next_cursor = cut_page(
        f"alerts@{site}", found, asked.limit, lambda alert: (alert.raised_ms, alert.alert_id)
    )
    return Reply(AlertPage([alert_view(site, alert) for alert in page], next_cursor))


async def _alert(call: Call) -> Reply:
    alert_id = call.path_as(AlertPath).alert_id
    site = await call.site(call.query_as(SiteQuery).site)
    found = await call.parts.reader.alerts(
        AlertQuery(site=site, kinds=_visible(call), limit=1, alert_id=alert_id)
    )
    if not found:
        raise ApiError(404, f"no alert {alert_id!r} at {site}")
    alert = found[0]
    return Reply(alert_view(site, alert), etag=state_etag(site, alert.alert_id, alert.revision))


def _visible(call: Call) -> frozenset[Kind]:
    return visible_kinds(call.principal.roles, frozenset(Kind))


ALERT_ROUTES = (
    Route(
        method="GET",
        path="/safety/alerts",
        name="list_alerts",
        summary="Alerts of a site, the one raised last first",
        description=(
            "An edge lists its own, at least the thousand newest that are over and all that"
            " stand; central all of the site. Alerts about workers are for safety officers."
        ),
        access=Right.ALERTS_READ,
        answer=_alerts,
        tag="safety",
        query=AlertParameters,
        data=AlertPage,
        errors=(404,),
        example=examples.page_of(examples.ALERT),
    ),
    Route(
        method="GET",
        path="/safety/alerts/{alert_id}",
        name="get_alert",
        summary="One alert at its newest revision",
        access=Right.ALERTS_READ,
        answer=_alert,
        tag="safety",
        query=SiteQuery,
        path_model=AlertPath,
        data=AlertView,
        errors=(404,),
        example=examples.ALERT,
        has_etag=True,
    ),
)
