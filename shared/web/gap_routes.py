"""Declared gaps: what is known to be missing, and why. Served by both sides."""

from shared.access.roles import Right
from shared.web import examples
from shared.web.asset_routes import (
    PAGE_LIMIT_DEFAULT,
    CursorParameter,
    LimitParameter,
    SiteQuery,
)
from shared.web.moment_pages import cut_page, place_after
from shared.web.routes import Call, Reply, Route
from shared.web.site_data import GapQuery
from shared.web.views import GapPage, gap_view


class GapParameters(SiteQuery):
    """A page of gaps."""

    limit: LimitParameter = PAGE_LIMIT_DEFAULT
    cursor: CursorParameter = None


async def _gaps(call: Call) -> Reply:
    asked = call.query_as(GapParameters)
    site = await call.site(asked.site)
    after = place_after(f"gaps@{site}", asked.cursor)
    query = GapQuery(site=site, limit=asked.limit + 1, after=after)
    found = await call.parts.reader.gaps(query)
    page, next_cursor = cut_page(
        f"gaps@{site}", found, asked.limit, lambda gap: (gap.declared_ms, gap.gap_id)
    )
    return Reply(GapPage([gap_view(gap) for gap in page], next_cursor))


GAP_ROUTES = (
    Route(
        method="GET",
        path="/sync/gaps",
        name="list_gaps",
        summary="What is known to be missing at a site, the gap declared last first",
        description=(
            "Batches that an edge can no longer give (`lane`, numbers), and messages of devices"
            " that never reached it (`topic`). A missing message that arrived after all is listed"
            " with the reason `recovered`. An edge lists its own, central all of the site."
        ),
        access=Right.SYNC_READ,
        answer=_gaps,
        tag="sync",
        query=GapParameters,
        data=GapPage,
        errors=(404,),
        example=examples.page_of(examples.GAP),
    ),
)
