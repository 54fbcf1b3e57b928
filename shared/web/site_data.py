"""What the web layer asks of a store. Owns the Protocols between the API and the data below it.

The edge answers from its live snapshot and its log, central from PostgreSQL. Times are
milliseconds since the epoch; nothing here knows HTTP.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shared.domain.samples import LatestValue, Series
from shared.domain.telemetry import TelemetryQuery, TelemetryResult
from shared.ids import Kind
from shared.sync.records import AlertRecord, AlertState, Severity

# (kind, asset_id, metric, unit, value type): the order and the identity of a catalogue listing.
SeriesKey = tuple[str, str, str, str, int]


def series_key(series: Series) -> SeriesKey:
    """Return the position of ``series`` in a listing of its site."""
    name = series.name
    return (name.kind, name.asset_id, name.metric, series.unit, int(series.value_type))


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """A page of the catalogue of one site, in the order of :func:`series_key` (code points)."""

    site: str
    kinds: frozenset[Kind]
    limit: int
    asset_id: str | None = None
    # Words; each must be a part of `kind/id/metric`, literally, in any order and letter case.
    text: str | None = None
    after: SeriesKey | None = None  # strictly after this entry


@dataclass(frozen=True, slots=True)
class SeriesListing:
    """One catalogue entry and the time of its newest sample."""

    series: Series
    last_ms: int | None


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """A page of the alerts of one site: the one raised last first, of one moment by id."""

    site: str
    kinds: frozenset[Kind]  # of the assets they are about
    limit: int
    state: AlertState | None = None
    severity: Severity | None = None
    alert_id: str | None = None
    after: tuple[int, str] | None = None  # raised_ms and id: what was raised before, or beside it


@dataclass(frozen=True, slots=True)
class GapListing:
    """A declared loss: batches that an edge can no longer give, or messages that never reached it.

    ``gap_id`` is unique among the gaps of its site. Of batches ``lane`` and numbers are known, of
    messages the topic, as far as anybody knows; ``None`` where it is not known.
    """

    gap_id: str
    edge_id: str
    reason: str
    declared_ms: int
    lane: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    samples: int | None = None
    is_thinned: bool = False
    topic: str | None = None
    messages: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GapQuery:
    """A page of the declared gaps of one site: the one declared last first, then by id."""

    site: str
    limit: int
    after: tuple[int, str] | None = None  # declared_ms and id


class LinkState(StrEnum):
    """Whether an edge and central hold a sync session right now."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """How far one lane of an edge has come; a backlog is what central has not acknowledged."""

    last_seq: int
    acked: int  # how many of 1..last_seq central holds durably
    backlog_batches: int
    backlog_samples: int
    backlog_bytes: int
    oldest_unacked_ms: int | None  # when the edge received the oldest unacknowledged sample


@dataclass(frozen=True, slots=True)
class HeldCount:
    """What central holds of an edge and has not applied, for one reason."""

    batches: int
    rows: int


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """One edge as seen from here; ``None`` where it is not known."""

    edge_id: str
    state: LinkState
    since_ms: int | None  # when it came into `state`
    last_seen_ms: int | None
    rtt_ms: float | None
    lanes: Mapping[int, LaneStatus] = field(default_factory=dict[int, LaneStatus])
    quarantined: Mapping[str, int] = field(default_factory=dict[str, int])  # messages by reason
    # What the broker refused before it reached the edge, by reason.
    broker_refused: Mapping[str, int] = field(default_factory=dict[str, int])
    inbox_pending: int | None = None  # batches that central holds and has not unpacked
    # Central's own, by reason: what can never be applied, what waits for a newer program.
    held: Mapping[str, HeldCount] = field(default_factory=dict[str, HeldCount])
    parked: Mapping[str, HeldCount] = field(default_factory=dict[str, HeldCount])
    error: str | None = None  # why there is no session, as far as this side knows
    # What the edge sent today (its site's day): lane_0 and so on, catalogue, control.
    sent_today_bytes: Mapping[str, int] = field(default_factory=dict[str, int])
    held_up: str | None = None  # why lanes that are not urgent wait: rate, daily_cap, pause_window
    # The connections that make the link, by what they serve: "all", or "urgent" and "bulk".
    connections: Mapping[str, LinkState] = field(default_factory=dict[str, LinkState])


class SiteReader(Protocol):
    """Read access to the data of sites."""

    async def sites(self) -> Sequence[str]:
        """Return the names of all known sites, ascending."""
        ...

    async def latest(
        self, site: str, kinds: Collection[Kind], asset_id: str | None = None
    ) -> Sequence[LatestValue]:
        """Return the newest value of every series of ``kinds`` (of one asset, if given)."""
        ...

    async def series(self, query: SeriesQuery) -> Sequence[SeriesListing]:
        """Return at most ``query.limit`` catalogue entries."""
        ...

    async def telemetry(self, query: TelemetryQuery) -> TelemetryResult | None:
        """Return the points asked for, or ``None`` if there is no such series.

        Raises:
            AggregateError: if the aggregate has no meaning for the type of the series.
        """
        ...

    async def alerts(self, query: AlertQuery) -> Sequence[AlertRecord]:
        """Return at most ``query.limit`` alerts, each at its newest revision."""
        ...

    async def gaps(self, query: GapQuery) -> Sequence[GapListing]:
        """Return at most ``query.limit`` declared gaps."""
        ...

    async def sync_status(self, site: str) -> Sequence[EdgeStatus]:
        """Return the state of every edge of ``site``, ascending by id."""
        ...


class LiveSink(Protocol):
    """Who wants to hear of new values: the hub of the web sockets."""

    def publish(self, site: str, values: Sequence[LatestValue]) -> None:
        """Take values that are durable; quick, never blocks, keeps the newest per series."""
        ...

    async def pause(self, interval_s: float) -> None:
        """Return when new values are welcome again: after ``interval_s``, later if unwatched."""
        ...


class ReadinessCheck(Protocol):
    """One condition of being ready to serve."""

    async def __call__(self) -> str | None:
        """Return ``None`` when fulfilled, else a readable reason."""
        ...
