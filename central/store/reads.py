"""What the API reads: sites, newest values, the catalogue, the past of a series. Owns no writing.

Implements `shared.web.site_data.SiteReader` on PostgreSQL. Every answer is bounded: by the number
of series of a site, by the limit of a page, or by the points of an answer.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from psycopg.sql import Composed

from central.store.database import Database
from central.store.edge_status import edge_statuses
from central.store.instants import clamped
from central.store.queries import load_queries
from central.store.record_rows import alert_of, gap_of
from central.store.rolled_reading import rolled_points
from central.store.series_family import Entry, Family, family_of, point_value, value_expression
from central.store.text_escape import escape_text, unescape_text
from shared.domain.samples import NO_BOUND_MS, LatestValue, Series, Value, ValueType
from shared.domain.telemetry import (
    Aggregate,
    TelemetryQuery,
    TelemetryResult,
    check_aggregate,
    page_of,
)
from shared.ids import Kind, SeriesName
from shared.sync.records import AlertRecord
from shared.web.site_data import (
    AlertQuery,
    EdgeStatus,
    GapListing,
    GapQuery,
    SeriesListing,
    SeriesQuery,
)

SERIES_REMEMBERED_MAX = 100_000  # of all sites together; some 50 MB
_KNOWN_TYPES = [int(value_type) for value_type in ValueType]  # others are a newer edge's

Row = Sequence[Any]


class PostgresReader:
    """`SiteReader` on PostgreSQL. Every method raises StoreError while the server is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_queries("reading")
        self._record_sql = load_queries("record")

    async def sites(self) -> Sequence[str]:
        """Return the names of all known sites, ascending."""
        return [name for (name,) in await self._database.rows(self._sql["sites"], {})]

    async def latest(
        self, site: str, kinds: Collection[Kind], asset_id: str | None = None
    ) -> Sequence[LatestValue]:
        """Return the newest value of every series name of ``kinds`` (of one asset, if given)."""
        parameters = {"site": site, "kinds": [str(kind) for kind in kinds], "asset_id": asset_id}
        rows = await self._database.rows(self._sql["latest"], parameters)
        return [latest_value((site, *row)) for row in rows]

    async def series(self, query: SeriesQuery) -> Sequence[SeriesListing]:
        """Return at most ``query.limit`` catalogue entries."""
        after = query.after or (None, None, None, None, None)
        parameters = {
            "site": query.site,
            "kinds": [str(kind) for kind in query.kinds],
            "value_types": _KNOWN_TYPES,
            "asset_id": query.asset_id,
            "text": None if query.text is None else escape_text(query.text),
            "limit": query.limit,
            "after_kind": after[0],
            "after_asset_id": after[1],
            "after_metric": after[2],
            "after_unit": None if after[3] is None else escape_text(after[3]),
            "after_value_type": after[4],
        }
        rows = await self._database.rows(self._sql["series"], parameters)
        return [SeriesListing(_series((query.site, *row[:5])), row[5]) for row in rows]

    async def telemetry(self, query: TelemetryQuery) -> TelemetryResult | None:
        """Return the points asked for, or ``None`` if there is no such series.

        Entries under one name with the same unit whose values are numbers of some kind are read
        as one series: a device that once sent ``true`` and now sends ``1`` has one history.

        Raises:
            AggregateError: if the aggregate has no meaning for the type of the series.
        """
        family = family_of(await self._entries(query))
        if family is None:
            return None
        check_aggregate(family.value_type, query.aggregate)
        rows = await rolled_points(self._database, query, family)
        if rows is None:
            rows = await self._database.rows(*self._points(query, family))
        value_type = family.value_type_of(query.aggregate)
        points = [(ts_ms, point_value(value, value_type)) for ts_ms, value in rows]
        kept, next_start_ms = page_of(points, query.points_max)
        return TelemetryResult(family.unit, family.value_type, kept, next_start_ms)

    async def alerts(self, query: AlertQuery) -> Sequence[AlertRecord]:
        """Return at most ``query.limit`` alerts, each at its newest revision."""
        after = query.after
        parameters = {
            "site": query.site,
            "kinds": [str(kind) for kind in query.kinds],
            "state": None if query.state is None else str(query.state),
            "severity": None if query.severity is None else str(query.severity),
            "alert_id": query.alert_id,
            "after_raised": None if after is None else clamped(after[0]),
            "after_id": None if after is None else after[1],
            "limit": query.limit,
        }
        rows = await self._database.rows(self._record_sql["alerts"], parameters)
        return [alert_of(row) for row in rows]

    async def gaps(self, query: GapQuery) -> Sequence[GapListing]:
        """Return at most ``query.limit`` declared gaps."""
        after = query.after
        parameters = {
            "site": query.site,
            "after_declared": None if after is None else clamped(after[0]),
            "after_id": None if after is None else after[1],
            "limit": query.limit,
        }
        rows = await self._database.rows(self._record_sql["gaps"], parameters)
        return [gap_of(row) for row in rows]

    async def sync_status(self, site: str) -> Sequence[EdgeStatus]:
        """Return the state of every edge of ``site``, ascending by id."""
        return await edge_statuses(self._database, site)

    async def latest_of(self, series_ids: Sequence[int]) -> dict[str, list[LatestValue]]:
        """Return the newest values of these series by site; ids without a value are left out."""
        parameters = {"series_ids": list(series_ids)}
        found: dict[str, list[LatestValue]] = {}
        for row in await self._database.rows(self._sql["latest_of"], parameters):
            found.setdefault(row[0], []).append(latest_value(row))
        return found

    async def series_with_values(self, *, after_id: int, limit: int) -> list[int]:
        """Return ids of series that have a value, ascending, in pages of ``limit``."""
        parameters = {"after_id": after_id, "limit": limit}
        rows = await self._database.rows(self._sql["latest_page"], parameters)
        return [series_id for (series_id,) in rows]

    async def _entries(self, query: TelemetryQuery) -> list[Entry]:
        parameters = {
            "site": query.series.site,
            "kind": query.series.kind,
            "asset_id": query.series.asset_id,
            "metric": query.series.metric,
            "unit": None if query.unit is None else escape_text(query.unit),
            "value_types": _KNOWN_TYPES,
        }
        rows = await self._database.rows(self._sql["entries"], parameters)
        return [
            Entry(series_id, unescape_text(unit), ValueType(value_type))
            for series_id, unit, value_type in rows
        ]

    def _points(self, query: TelemetryQuery, family: Family) -> tuple[Composed, dict[str, Any]]:
        parameters = {
            "series_ids": list(family.series_ids),
            "start": clamped(query.start_ms),
            "end": clamped(query.end_ms),
            "step_ms": query.step_ms,
            "limit": query.points_max + 1,
        }
        name = {Aggregate.RAW: "raw", Aggregate.LAST: "last_of_steps"}.get(query.aggregate, "steps")
        expression = value_expression(family.stored_as, query.aggregate)
        return self._sql[name].format(value=expression, aggregate=expression), parameters


def latest_value(row: Row) -> LatestValue:
    """Return site, kind, asset, metric, unit, type, ts, rank, v, i, s, q as a value."""
    ts_ms, ranked_ms, v, i, s, q = row[6:]
    series = _series(row[:6])
    # A rank before the device's time is when the edge received it; otherwise that is not known.
    received_ms = ranked_ms if ranked_ms < ts_ms else NO_BOUND_MS
    return LatestValue(series, ts_ms, _value(series.value_type, v, i, s), q & 0xFFFF, received_ms)


@lru_cache(SERIES_REMEMBERED_MAX)  # a live page has the same ones read ten times a second
def _series(row: tuple[str, str, str, str, str, int]) -> Series:
    site, *names, unit, value_type = row
    kind, asset_id, metric = (unescape_text(name) for name in names)
    return Series(
        SeriesName(site, kind, asset_id, metric), unescape_text(unit), ValueType(value_type)
    )


def _value(value_type: ValueType, v: float | None, i: int | None, s: str | None) -> Value:
    stored = {
        ValueType.NUMBER: v,
        ValueType.INTEGER: i,
        ValueType.FLAG: i,
        ValueType.TEXT: s,
    }[value_type]
    assert stored is not None, "a row holds the value of its series' type"
    return point_value(stored, value_type)
