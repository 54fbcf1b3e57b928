"""Assets, workers and sensors: the newest values of everything on a site. Served by both sides."""

from typing import Annotated

from pydantic import Field

from shared.access.roles import Right
from shared.domain.assets import Asset, compose_assets
from shared.domain.samples import LatestValue
from shared.errors import ApiError
from shared.ids import Kind, is_name
from shared.web import examples
from shared.web.cursors import decode_cursor, encode_cursor
from shared.web.etags import state_etag
from shared.web.parameters import Parameters
from shared.web.routes import Answer, Call, Reply, Route
from shared.web.views import AssetPage, AssetView, asset_view

PAGE_LIMIT_DEFAULT = 100
PAGE_LIMIT_MAX = 1_000  # 1 MB of JSON

SiteParameter = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=64,
        description="default: the account's only site",
        examples=["kaduna"],
    ),
]
LimitParameter = Annotated[int, Field(ge=1, le=PAGE_LIMIT_MAX, description="items in a page")]
CursorParameter = Annotated[
    str | None, Field(max_length=1024, description="`next_cursor` of the page before")
]


class SiteQuery(Parameters):
    """A question about one site."""

    site: SiteParameter = None


class AssetQuery(SiteQuery):
    """A page of assets; the filters are joined by and."""

    status: Annotated[
        str | None, Field(max_length=256, description="exactly this status", examples=["running"])
    ] = None
    zone: Annotated[
        str | None, Field(max_length=256, description="exactly this zone", examples=["pit-north-2"])
    ] = None
    metric: Annotated[
        str | None, Field(max_length=64, description="has this metric", examples=["ch4_pct"])
    ] = None
    limit: LimitParameter = PAGE_LIMIT_DEFAULT
    cursor: CursorParameter = None


class EquipmentPath(Parameters):
    """One machine."""

    equipment_id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            description="its id or its equipment_code",
            examples=["pump-1"],
        ),
    ]


def _list_of(kind: Kind) -> Answer:
    async def answer(call: Call) -> Reply:
        query = call.query_as(AssetQuery)
        site = await call.site(query.site)
        after = None
        if query.cursor is not None:
            (after,) = decode_cursor(f"{kind}@{site}", query.cursor, (str,))
        assets = await _assets(call, site, kind)
        wanted = [asset for asset in assets if _matches(asset, query) and _is_after(asset, after)]
        page, rest = wanted[: query.limit], wanted[query.limit :]
        now_ms = call.now_ms
        next_cursor = encode_cursor(f"{kind}@{site}", (page[-1].asset_id,)) if rest else None
        return Reply(AssetPage([asset_view(asset, now_ms) for asset in page], next_cursor))

    return answer


async def _one_machine(call: Call) -> Reply:
    asset_id = call.path_as(EquipmentPath).equipment_id
    site = await call.site(call.query_as(SiteQuery).site)
    assets = await _assets(call, site, Kind.EQUIPMENT, asset_id) if is_name(asset_id) else []
    if not assets:
        raise ApiError(404, f"no equipment {asset_id!r} at {site}")
    return Reply(asset_view(assets[0], call.now_ms), etag=_etag(assets[0]))


def _etag(asset: Asset) -> str:
    values = [(name, *_state(value)) for name, value in asset.metrics.items()]
    return state_etag(
        asset.site,
        asset.asset_id,
        asset.status,
        asset.presence,
        asset.ts_ms,
        asset.location,
        values,
    )


def _state(value: LatestValue) -> tuple[object, ...]:
    return (value.ts_ms, value.value, value.quality, value.series.unit)


async def _assets(call: Call, site: str, kind: Kind, asset_id: str | None = None) -> list[Asset]:
    values = await call.parts.reader.latest(site, {kind}, asset_id)
    return compose_assets(
        values, now_ms=call.now_ms, stale_after_s=call.parts.settings.stale_after_s
    )


def _matches(asset: Asset, query: AssetQuery) -> bool:
    zone = asset.location.zone if asset.location is not None else None
    return (
        (query.status is None or asset.status == query.status)
        and (query.zone is None or zone == query.zone)
        and (query.metric is None or query.metric in asset.metrics)
    )


def _is_after(asset: Asset, after: str | int | None) -> bool:
    return after is None or asset.asset_id > str(after)


ASSET_ROUTES = (
    Route(
        method="GET",
        path="/assets/vehicles",
        name="list_vehicles",
        summary="Vehicles with place, state and newest values",
        access=Right.ASSETS_READ,
        answer=_list_of(Kind.VEHICLE),
        tag="assets",
        query=AssetQuery,
        data=AssetPage,
        errors=(404,),
        example=examples.page_of(examples.TRUCK),
    ),
    Route(
        method="GET",
        path="/assets/equipment",
        name="list_machines",
        summary="Equipment with state and newest values",
        access=Right.ASSETS_READ,
        answer=_list_of(Kind.EQUIPMENT),
        tag="assets",
        query=AssetQuery,
        data=AssetPage,
        errors=(404,),
        example=examples.page_of(examples.PUMP),
    ),
    Route(
        method="GET",
        path="/assets/equipment/{equipment_id}",
        name="get_machine",
        summary="One machine with state and newest values",
        access=Right.ASSETS_READ,
        answer=_one_machine,
        tag="assets",
        query=SiteQuery,
        path_model=EquipmentPath,
        data=AssetView,
        errors=(404,),
        example=examples.PUMP,
        has_etag=True,
    ),
    Route(
        method="GET",
        path="/safety/workers",
        name="list_workers",
        summary="Workers with place, vital signs and newest values",
        description="Only for those who answer for safety: it says where people are.",
        access=Right.WORKERS_READ,
        answer=_list_of(Kind.WORKER),
        tag="safety",
        query=AssetQuery,
        data=AssetPage,
        errors=(404,),
        example=examples.page_of(examples.WORKER),
    ),
    Route(
        method="GET",
        path="/safety/environmental/sensors",
        name="list_sensors",
        summary="Gas, dust, air and all other sensors with their newest values",
        access=Right.ENVIRONMENT_READ,
        answer=_list_of(Kind.SENSOR),
        tag="safety",
        query=AssetQuery,
        data=AssetPage,
        errors=(404,),
        example=examples.page_of(examples.SENSOR),
    ),
)
