"""State of the links between edges and central. Served by both sides, each with its own view."""

from shared.access.roles import Right
from shared.web import examples
from shared.web.asset_routes import SiteQuery
from shared.web.routes import Call, Reply, Route
from shared.web.views import SyncView, edge_view


async def _sync_status(call: Call) -> Reply:
    site = await call.site(call.query_as(SiteQuery).site)
    edges = await call.parts.reader.sync_status(site)
    now_ms = call.now_ms
    return Reply(SyncView(site, [edge_view(edge, now_ms) for edge in edges]))


SYNC_ROUTES = (
    Route(
        method="GET",
        path="/sync/status",
        name="get_sync_status",
        summary="Links, backlogs and quarantines of the edges of a site",
        description=(
            "An edge answers with its own view (what it knows was acknowledged), central with its"
            " own (what it holds and when it last heard)."
        ),
        access=Right.SYNC_READ,
        answer=_sync_status,
        tag="sync",
        query=SiteQuery,
        data=SyncView,
        errors=(404,),
        example=examples.SYNC,
    ),
)
