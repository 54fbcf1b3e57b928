"""The JSON shapes of the API, as the contract names them. Pure: from the domain to plain records.

The records are what is encoded and what OpenAPI shows, so the two cannot differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from shared.clock import iso_utc
from shared.domain.assets import Asset, Location, age_s
from shared.domain.samples import LatestValue, Value, quality_name
from shared.sync.records import AlertRecord
from shared.web.site_data import EdgeStatus, GapListing, HeldCount, LaneStatus, SeriesListing

JsonValue = float | int | bool | str | None
Instant = Annotated[
    str, Field(description="ISO 8601 in UTC", json_schema_extra={"format": "date-time"})
]


@dataclass(frozen=True, slots=True)
class MetricView:
    """The newest value of one metric."""

    value: JsonValue
    unit: Annotated[str, Field(description="as shown to people; empty if none is known")]
    ts: Instant
    quality: Annotated[str, Field(description="`good`, or what is known against it, joined by +")]


@dataclass(frozen=True, slots=True)
class CoordinatesView:
    """A position on the Earth (WGS 84)."""

    lat: float
    lng: float
    altitude_m: float | None
    accuracy_m: float | None


@dataclass(frozen=True, slots=True)
class LocationView:
    """Where a device is, as far as it says."""

    coordinates: CoordinatesView | None
    zone: str | None
    level: str | None
    quality: Annotated[
        str, Field(description="of the coordinates, else of zone and level: as of a metric")
    ]


@dataclass(frozen=True, slots=True)
class AssetView:
    """A vehicle, worker, sensor or machine with its newest values."""

    id: str
    site: str
    kind: str
    name: str
    status: Annotated[str, Field(description="what the device says, else online, stale or offline")]
    connection: Annotated[str, Field(description="online, stale or offline, by age and last will")]
    ts: Instant
    age_s: Annotated[float, Field(ge=0, description="age of the newest value")]
    location: LocationView | None
    metrics: dict[str, MetricView]


@dataclass(frozen=True, slots=True)
class AssetPage:
    """A page of assets, ascending by id."""

    items: list[AssetView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class SeriesView:
    """One catalogue entry."""

    series: Annotated[str, Field(description="site/kind/id/metric")]
    site: str
    kind: str
    id: str
    metric: str
    unit: str
    type: Annotated[str, Field(description="number, integer, flag or text")]
    last_ts: Instant | None


@dataclass(frozen=True, slots=True)
class SeriesPage:
    """A page of the catalogue, ascending by kind, id and metric."""

    items: list[SeriesView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class TelemetryView:
    """Points of one series in ascending time."""

    series: str
    unit: str
    points: Annotated[list[tuple[int, JsonValue]], Field(description="[epoch milliseconds, value]")]
    agg: str
    step: Annotated[float | None, Field(description="seconds; null for raw")]
    next_start: Annotated[
        str | None, Field(description="there are more points: ask again with this start")
    ]
    complete_from: Annotated[
        str | None,
        Field(
            description="points before this are not all here: the edge keeps a part, central all"
        ),
    ]


@dataclass(frozen=True, slots=True)
class AlertSourceView:
    """What an alert is about."""

    kind: str
    id: str
    metric: str


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert at its newest revision."""

    id: str
    site: str
    revision: int
    severity: str
    type: Annotated[str, Field(description="the rule that raised it")]
    state: Annotated[str, Field(description="raised or cleared")]
    message: str
    raised_at: Annotated[Instant, Field(description="device time of the sample that raised it")]
    changed_at: Annotated[Instant, Field(description="device time of this revision's sample")]
    detected_at: Annotated[Instant, Field(description="edge time of this revision")]
    deadline_at: Annotated[str | None, Field(description="by when somebody must have answered")]
    source: AlertSourceView
    value: Annotated[float, Field(description="of the sample that made this revision")]
    threshold: float
    unit: str
    context: Annotated[
        list[tuple[int, float]],
        Field(description="[epoch milliseconds, value] of the half minute before it was raised"),
    ]


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of alerts, the one raised last first."""

    items: list[AlertView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class GapView:
    """A declared loss, as far as it is known."""

    id: str
    edge_id: str
    reason: str
    declared_at: Instant
    lane: Annotated[int | None, Field(description="of batches that the edge can no longer give")]
    first_seq: int | None
    last_seq: int | None
    samples: int | None
    is_thinned: Annotated[bool, Field(description="rollups by the minute are kept instead")]
    topic: Annotated[str | None, Field(description="of messages that never reached the edge")]
    messages: int | None
    start: Annotated[str | None, Field(description="when what is missing begins")]
    end: Annotated[str | None, Field(description="when it ends")]


@dataclass(frozen=True, slots=True)
class GapPage:
    """A page of gaps, the one declared last first."""

    items: list[GapView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class LaneView:
    """How far one lane of an edge's log has come to central."""

    last_seq: int
    acked: Annotated[int, Field(description="how many of 1..last_seq central holds durably")]
    backlog_batches: int
    backlog_samples: int
    backlog_bytes: int
    oldest_age_s: Annotated[float | None, Field(description="age of the oldest unsent sample")]


@dataclass(frozen=True, slots=True)
class HeldView:
    """Batches and their rows that central holds and has not applied, for one reason."""

    batches: int
    rows: int


@dataclass(frozen=True, slots=True)
class EdgeView:
    """One edge and its link to central."""

    edge_id: str
    state: Annotated[str, Field(description="connected or disconnected")]
    since: Instant | None
    last_seen: Instant | None
    rtt_ms: float | None
    lanes: Annotated[dict[str, LaneView], Field(description="by lane number")]
    quarantined: Annotated[dict[str, int], Field(description="messages not accepted, by reason")]
    broker_refused: Annotated[
        dict[str, int],
        Field(description="what the broker refused before it reached the edge, by reason"),
    ]
    inbox_pending: Annotated[int | None, Field(description="batches central has not unpacked")]
    held: Annotated[
        dict[str, HeldView],
        Field(description="in central's quarantine, by reason"),
    ]
    parked: Annotated[
        dict[str, HeldView],
        Field(description="waiting at central for a newer program or a series, by reason"),
    ]
    error: Annotated[str | None, Field(description="why there is no session, if known")]
    sent_today_bytes: Annotated[
        dict[str, int], Field(description="the site's day: lane_0 and so on, catalogue, control")
    ]
    held_up: Annotated[
        str | None,
        Field(description="why lanes that are not urgent wait: rate, daily_cap or pause_window"),
    ]
    connections: Annotated[
        dict[str, str],
        Field(description="connected or disconnected: all, or urgent and bulk apart"),
    ]


@dataclass(frozen=True, slots=True)
class SyncView:
    """The edges of one site."""

    site: str
    edges: list[EdgeView]


def asset_view(asset: Asset, now_ms: int) -> AssetView:
    """Return ``asset`` as JSON shows it at ``now_ms``."""
    return AssetView(
        id=asset.asset_id,
        site=asset.site,
        kind=asset.kind,
        name=asset.asset_id,
        status=asset.status,
        connection=asset.presence,
        ts=iso_utc(asset.ts_ms),
        age_s=age_s(asset.ts_ms, now_ms),
        location=location_view(asset.location),
        metrics=metric_views(asset.metrics),
    )


def metric_views(metrics: Mapping[str, LatestValue]) -> dict[str, MetricView]:
    """Return the metrics of an asset by name."""
    return {
        metric: MetricView(
            value.value, value.series.unit, iso_utc(value.ts_ms), quality_name(value.quality)
        )
        for metric, value in metrics.items()
    }


def location_view(location: Location | None) -> LocationView | None:
    """Return a location as JSON shows it."""
    if location is None:
        return None
    coordinates = None
    if location.lat_deg is not None and location.lng_deg is not None:
        coordinates = CoordinatesView(
            location.lat_deg, location.lng_deg, location.altitude_m, location.accuracy_m
        )
    quality = quality_name(location.quality)
    return LocationView(coordinates, location.zone, location.level, quality)


def series_view(listing: SeriesListing) -> SeriesView:
    """Return a catalogue entry as JSON shows it."""
    series, name = listing.series, listing.series.name
    return SeriesView(
        series=str(name),
        site=name.site,
        kind=name.kind,
        id=name.asset_id,
        metric=name.metric,
        unit=series.unit,
        type=series.value_type.name.lower(),
        last_ts=None if listing.last_ms is None else iso_utc(listing.last_ms),
    )


def points_view(points: Iterable[tuple[int, Value]]) -> list[tuple[int, JsonValue]]:
    """Return points as JSON shows them."""
    return list(points)


def alert_view(site: str, alert: AlertRecord) -> AlertView:
    """Return an alert as JSON shows it."""
    return AlertView(
        id=alert.alert_id,
        site=site,
        revision=alert.revision,
        severity=alert.severity,
        type=alert.type,
        state=alert.state,
        message=alert.message,
        raised_at=iso_utc(alert.raised_ms),
        changed_at=iso_utc(alert.at_ms),
        detected_at=iso_utc(alert.detected_ms),
        deadline_at=None,
        source=AlertSourceView(alert.kind, alert.asset_id, alert.metric),
        value=alert.value,
        threshold=alert.threshold,
        unit=alert.unit,
        context=list(alert.context),
    )


def gap_view(gap: GapListing) -> GapView:
    """Return a declared gap as JSON shows it."""
    return GapView(
        id=gap.gap_id,
        edge_id=gap.edge_id,
        reason=gap.reason,
        declared_at=iso_utc(gap.declared_ms),
        lane=gap.lane,
        first_seq=gap.first_seq,
        last_seq=gap.last_seq,
        samples=gap.samples,
        is_thinned=gap.is_thinned,
        topic=gap.topic,
        messages=gap.messages,
        start=None if gap.start_ms is None else iso_utc(gap.start_ms),
        end=None if gap.end_ms is None else iso_utc(gap.end_ms),
    )


def edge_view(edge: EdgeStatus, now_ms: int) -> EdgeView:
    """Return the state of an edge as JSON shows it at ``now_ms``."""
    return EdgeView(
        edge_id=edge.edge_id,
        state=edge.state,
        since=None if edge.since_ms is None else iso_utc(edge.since_ms),
        last_seen=None if edge.last_seen_ms is None else iso_utc(edge.last_seen_ms),
        rtt_ms=edge.rtt_ms,
        lanes={str(number): _lane_view(lane, now_ms) for number, lane in edge.lanes.items()},
        quarantined=dict(edge.quarantined),
        broker_refused=dict(edge.broker_refused),
        inbox_pending=edge.inbox_pending,
        held=_held_view(edge.held),
        parked=_held_view(edge.parked),
        error=edge.error,
        sent_today_bytes=dict(edge.sent_today_bytes),
        held_up=edge.held_up,
        connections={str(role): str(state) for role, state in edge.connections.items()},
    )


def _held_view(counts: Mapping[str, HeldCount]) -> dict[str, HeldView]:
    return {reason: HeldView(count.batches, count.rows) for reason, count in counts.items()}


def _lane_view(lane: LaneStatus, now_ms: int) -> LaneView:
    oldest_ms = lane.oldest_unacked_ms
    return LaneView(
        last_seq=lane.last_seq,
        acked=lane.acked,
        backlog_batches=lane.backlog_batches,
        backlog_samples=lane.backlog_samples,
        backlog_bytes=lane.backlog_bytes,
        oldest_age_s=None if oldest_ms is None else age_s(oldest_ms, now_ms),
    )
