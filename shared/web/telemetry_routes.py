"""The past of a series, and the list of all series. Served by both sides."""

import math
from typing import Annotated

from pydantic import Field

from shared.access.roles import Right, may, visible_kinds
from shared.clock import iso_utc
from shared.domain.telemetry import POINTS_MAX, Aggregate, TelemetryQuery
from shared.errors import AggregateError, ApiError, invalid_field
from shared.ids import Kind, SeriesName, is_name
from shared.web import examples
from shared.web.asset_routes import (
    PAGE_LIMIT_DEFAULT,
    CursorParameter,
    LimitParameter,
    SiteQuery,
)
from shared.web.cursors import decode_cursor, encode_cursor
from shared.web.moments import Moment
from shared.web.parameters import Parameters
from shared.web.routes import Call, Reply, Route
from shared.web.site_data import SeriesKey, SeriesQuery, series_key
from shared.web.views import SeriesPage, TelemetryView, points_view, series_view

RANGE_DEFAULT_MS = 3_600_000  # the last hour
POINTS_DEFAULT = 1_000  # a chart is about that many pixels wide
# Default steps longer than this are whole multiples of that, in seconds.
_STEP_UNITS_S = ((3 * 3_600, 3_600), (60, 60))
STEP_MIN_S = 0.001
STEP_MAX_S = 31_622_400.0  # a leap year


class TelemetryParameters(Parameters):
    """Which points of which series."""

    series: Annotated[
        str,
        Field(
            max_length=260,
            description="site/kind/id/metric",
            examples=["kaduna/sensor/ch4-face-2/ch4_pct"],
        ),
    ]
    site: Annotated[
        str | None, Field(max_length=64, description="may repeat the site of the series")
    ] = None
    start: Annotated[
        Moment | None, Field(description="inclusive; default: an hour before `end`")
    ] = None
    end: Annotated[Moment | None, Field(description="exclusive; default: now")] = None
    step: Annotated[
        float | None,
        Field(
            ge=STEP_MIN_S,
            le=STEP_MAX_S,
            allow_inf_nan=False,
            description="seconds, whole milliseconds; aligned to the epoch; default: such that"
            f" at most {POINTS_DEFAULT} points come; ignored for raw",
            examples=[60],
        ),
    ] = None
    agg: Annotated[Aggregate, Field(description="how the samples of a step become a point")] = (
        Aggregate.MEAN
    )
    unit: Annotated[
        str | None,
        Field(max_length=64, description="of a series whose unit has changed, the one to read"),
    ] = None
    limit: Annotated[int, Field(ge=1, le=POINTS_MAX, description="points in the answer")] = (
        POINTS_MAX
    )


class SeriesParameters(SiteQuery):
    """A page of the catalogue."""

    kind: Annotated[
        tuple[Kind, ...], Field(description="several: repeated or joined by commas; default: all")
    ] = ()
    id: Annotated[str | None, Field(max_length=64, description="of one asset")] = None
    q: Annotated[
        str | None,
        Field(max_length=200, description="words, each a part of kind/id/metric", examples=["ch4"]),
    ] = None
    limit: LimitParameter = PAGE_LIMIT_DEFAULT
    cursor: CursorParameter = None


async def _telemetry(call: Call) -> Reply:
    asked = call.query_as(TelemetryParameters)
    name = await _allowed_series(call, asked)
    query = _query(asked, name, call.now_ms)
    try:
        result = await call.parts.reader.telemetry(query)
    except AggregateError as error:
        raise invalid_field("agg", str(error)) from error
    if result is None:
        raise _no_series(name)
    is_raw = query.aggregate is Aggregate.RAW
    return Reply(
        TelemetryView(
            series=str(name),
            unit=result.unit,
            points=points_view(result.points),
            agg=query.aggregate,
            step=None if is_raw else query.step_ms / 1000,
            next_start=_iso(result.next_start_ms),
            complete_from=_iso(result.complete_from_ms),
        )
    )


def _iso(ts_ms: int | None) -> str | None:
    return None if ts_ms is None else iso_utc(ts_ms)


async def _allowed_series(call: Call, asked: TelemetryParameters) -> SeriesName:
    try:
        name = SeriesName.parse(asked.series)
    except ValueError as error:
        raise invalid_field("series", str(error)) from error
    if asked.site is not None and asked.site != name.site:
        raise invalid_field("site", f"must be {name.site}, the site of the series, or be left out")
    if not await call.parts.known_sites.may_see(call.principal, name.site):
        raise _no_series(name)
    if name.kind == Kind.WORKER and not may(call.principal.roles, Right.WORKERS_READ):
        raise ApiError(403, f"series of workers need the right {Right.WORKERS_READ}")
    return name


def _no_series(name: SeriesName) -> ApiError:
    return ApiError(404, f"no series {name}")


def _query(asked: TelemetryParameters, name: SeriesName, now_ms: int) -> TelemetryQuery:
    end_ms = now_ms if asked.end is None else asked.end
    start_ms = end_ms - RANGE_DEFAULT_MS if asked.start is None else asked.start
    if start_ms >= end_ms:
        raise invalid_field("start", "must be before end")
    step_ms = _default_step_ms(end_ms - start_ms)
    if asked.step is not None:
        step_ms = round(asked.step * 1000)
    if asked.agg is not Aggregate.RAW and (end_ms - start_ms) / step_ms > POINTS_MAX:
        least_s = math.ceil((end_ms - start_ms) / POINTS_MAX) / 1000
        raise invalid_field("step", f"must be at least {least_s:g} s for this range")
    return TelemetryQuery(
        series=name,
        start_ms=start_ms,
        end_ms=end_ms,
        step_ms=step_ms,
        aggregate=asked.agg,
        unit=asked.unit,
        points_max=asked.limit,
    )


def _default_step_ms(range_ms: int) -> int:
    """Return a step for at most POINTS_DEFAULT points, whole minutes or hours where it is long.

    Central keeps rollups of minutes and hours: what they are made of is answered a hundred times
    faster.
    """
    # Steps are aligned to the epoch: a range may touch one step more than its length says.
    least_s = max(1, math.ceil(range_ms / (POINTS_DEFAULT - 1) / 1000))
    unit_s = next((unit for above, unit in _STEP_UNITS_S if least_s > above), 1)
    return math.ceil(least_s / unit_s) * unit_s * 1000


async def _series(call: Call) -> Reply:
    asked = call.query_as(SeriesParameters)
    site = await call.site(asked.site)
    if Kind.WORKER in asked.kind and not may(call.principal.roles, Right.WORKERS_READ):
        raise ApiError(403, f"series of workers need the right {Right.WORKERS_READ}")
    kinds = visible_kinds(call.principal.roles, asked.kind or list(Kind))
    after = None
    if asked.cursor is not None:
        after = _key(decode_cursor(f"series@{site}", asked.cursor, (str, str, str, str, int)))
    if asked.id is not None and not is_name(asked.id):
        return Reply(SeriesPage([], None))  # no asset can be called that
    found = await call.parts.reader.series(
        SeriesQuery(
            site=site,
            kinds=kinds,
            limit=asked.limit + 1,
            asset_id=asked.id,
            text=asked.q or None,
            after=after,
        )
    )
    page = found[: asked.limit]
    next_cursor = None
    if len(found) > asked.limit:
        next_cursor = encode_cursor(f"series@{site}", series_key(page[-1].series))
    return Reply(SeriesPage([series_view(listing) for listing in page], next_cursor))


def _key(parts: tuple[str | int, ...]) -> SeriesKey:
    kind, asset_id, metric, unit, value_type = parts
    return (str(kind), str(asset_id), str(metric), str(unit), int(value_type))


TELEMETRY_ROUTES = (
    Route(
        method="GET",
        path="/analytics/telemetry",
        name="get_telemetry",
        summary="Points of one series over a range of time",
        description=(
            f"At most {POINTS_MAX} points; steps without a sample have none. Series of workers"
            " need the right to see workers."
        ),
        access=Right.TELEMETRY_READ,
        answer=_telemetry,
        tag="analytics",
        query=TelemetryParameters,
        data=TelemetryView,
        errors=(404,),
        example=examples.TELEMETRY,
    ),
    Route(
        method="GET",
        path="/analytics/series",
        name="list_series",
        summary="Everything that has been measured on a site",
        access=Right.TELEMETRY_READ,
        answer=_series,
        tag="analytics",
        query=SeriesParameters,
        data=SeriesPage,
        errors=(404,),
        example=examples.page_of(examples.SERIES),
    ),
)
