"""The edge's own data as the API asks for it: the live snapshot, the log, the link."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.api.catalogue import SeriesCatalogue
from edge.api.gap_listings import gap_listings
from edge.live.recent import Excerpt, RecentSamples
from edge.live.snapshot import LiveSnapshot
from edge.log.declared import DeclaredGap
from edge.log.records import LogState, SeriesSamples
from shared.domain.aggregation import aggregate_samples
from shared.domain.samples import LatestValue, Series
from shared.domain.telemetry import (
    Aggregate,
    TelemetryQuery,
    TelemetryResult,
    check_aggregate,
    page_of,
)
from shared.ids import Kind
from shared.sync.records import AlertRecord
from shared.web.alert_listing import select_alerts
from shared.web.gap_listing import select_gaps
from shared.web.site_data import (
    AlertQuery,
    EdgeStatus,
    GapListing,
    GapQuery,
    LaneStatus,
    LinkState,
    SeriesListing,
    SeriesQuery,
)

# Of one series for one answer: a day at 2 Hz. Decoding them takes a fifth of a second in a thread
# and 20 MB; a longer question gets the newest of its range, and is told so.
SAMPLES_READ_MAX = 200_000


class LocalLog(Protocol):
    """What is needed of the log."""

    async def read_series(self, first_ix: int) -> list[tuple[int, Series]]:
        """Return the catalogue from ``first_ix`` on."""
        ...

    async def read_samples(
        self, series_ix: int, *, start_ms: int, end_ms: int, samples_max: int
    ) -> SeriesSamples:
        """Return the newest samples of a series in ``[start_ms, end_ms)``, ascending in time."""
        ...

    def state(self) -> LogState:
        """Return how the log stands."""
        ...


class LinkView(Protocol):
    """What is shown of the sync session."""

    @property
    def connected(self) -> bool:
        """Tell whether central and this edge hold a session."""
        ...

    @property
    def since_ms(self) -> int | None:
        """Return when it came into this state."""
        ...

    @property
    def last_seen_ms(self) -> int | None:
        """Return when central was last heard."""
        ...

    @property
    def rtt_ms(self) -> float | None:
        """Return the newest round trip."""
        ...

    @property
    def error(self) -> str | None:
        """Return why there is no session."""
        ...

    @property
    def sent_today_bytes(self) -> Mapping[str, int]:
        """Return what was sent today, by lane, catalogue and control."""
        ...

    @property
    def held_up(self) -> str | None:
        """Return why lanes that are not urgent wait."""
        ...

    @property
    def connections(self) -> Mapping[str, bool]:
        """Tell of each connection, by what it serves, whether it is up."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSources:
    """Where a reader finds what it is asked for."""

    snapshot: LiveSnapshot
    recent: RecentSamples
    log: LocalLog
    link: Callable[[], LinkView | None]  # None where no central is configured
    alerts: Callable[[], Iterable[AlertRecord]]  # all that are remembered
    message_gaps: Callable[[], Awaitable[Sequence[DeclaredGap]]]  # the newest, as many as kept
    broker_refused: Callable[[], Mapping[str, int]]  # what never reached the edge, by reason


class EdgeReader:
    """A SiteReader over one edge; sites other than its own do not exist here."""

    def __init__(self, *, site: str, edge_id: str, sources: ReaderSources) -> None:
        self._site = site
        self._edge_id = edge_id
        self._snapshot = sources.snapshot
        self._recent = sources.recent
        self._log = sources.log
        self._link = sources.link
        self._alerts = sources.alerts
        self._message_gaps = sources.message_gaps
        self._broker_refused = sources.broker_refused
        self._catalogue = SeriesCatalogue()

    async def sites(self) -> Sequence[str]:
        """Return the edge's own site."""
        return (self._site,)

    async def latest(
        self, site: str, kinds: Collection[Kind], asset_id: str | None = None
    ) -> Sequence[LatestValue]:
        """Return the newest values from the live snapshot."""
        return self._snapshot.latest(kinds, asset_id) if site == self._site else ()

    async def series(self, query: SeriesQuery) -> Sequence[SeriesListing]:
        """Return a page of the catalogue of the log."""
        if query.site != self._site:
            return ()
        await self._learn()
        return self._catalogue.page(query, self._snapshot.value_of)

    async def telemetry(self, query: TelemetryQuery) -> TelemetryResult | None:
        """Return points from the log; what was evicted or is too much to read is said so.

        Raises:
            AggregateError: if the aggregate has no meaning for the type of the series.
        """
        await self._learn()
        entry = self._catalogue.find(query.series, query.unit, self._snapshot.value_of)
        if entry is None:
            return None
        series_ix, series = entry
        check_aggregate(series.value_type, query.aggregate)
        older, recent = await self._samples(series_ix, query)
        # Ordering and joining 100,000 samples would hold the loop for 20 ms.
        return await asyncio.to_thread(lambda: _result(query, series, _joined(older, recent)))

    async def _samples(
        self, series_ix: int, query: TelemetryQuery
    ) -> tuple[SeriesSamples, Excerpt]:
        """Return samples from memory as far back as it is complete, before that from the log."""
        # What is read from memory and where the log takes over are decided without a wait between
        # them: memory lets go of its oldest at any commit.
        boundary_ms = max(self._recent.complete_from_ms(series_ix), query.start_ms)
        recent = self._recent.excerpt(series_ix, start_ms=boundary_ms, end_ms=query.end_ms)
        older = SeriesSamples((), (), query.start_ms)
        if query.start_ms < boundary_ms:
            older = await self._log.read_samples(
                series_ix,
                start_ms=query.start_ms,
                end_ms=min(query.end_ms, boundary_ms),
                samples_max=SAMPLES_READ_MAX,
            )
        return older, recent

    async def alerts(self, query: AlertQuery) -> Sequence[AlertRecord]:
        """Return at most ``query.limit`` alerts of this edge."""
        return select_alerts(self._alerts(), query) if query.site == self._site else ()

    async def gaps(self, query: GapQuery) -> Sequence[GapListing]:
        """Return at most ``query.limit`` gaps that this edge has declared."""
        if query.site != self._site:
            return ()
        missed = await self._message_gaps()
        lost = self._log.state().lost
        return select_gaps(gap_listings(self._edge_id, lost, missed), query)

    async def sync_status(self, site: str) -> Sequence[EdgeStatus]:
        """Return this edge's own view of its link, its backlog and what was refused."""
        if site != self._site:
            return ()
        log, link = self._log.state(), self._link()
        return (
            EdgeStatus(
                edge_id=self._edge_id,
                state=LinkState.CONNECTED
                if link is not None and link.connected
                else LinkState.DISCONNECTED,
                since_ms=link.since_ms if link else None,
                last_seen_ms=link.last_seen_ms if link else None,
                rtt_ms=link.rtt_ms if link else None,
                lanes=_lanes(log),
                quarantined=dict(log.quarantined),
                broker_refused=self._broker_refused(),
                inbox_pending=None,
                error=link.error if link else "no central is configured",
                sent_today_bytes=link.sent_today_bytes if link else {},
                held_up=link.held_up if link else None,
                connections=_connections(link),
            ),
        )

    async def _learn(self) -> None:
        self._catalogue.learn(await self._log.read_series(len(self._catalogue) + 1))


def _connections(link: LinkView | None) -> dict[str, LinkState]:
    if link is None:
        return {}
    return {
        role: LinkState.CONNECTED if is_up else LinkState.DISCONNECTED
        for role, is_up in link.connections.items()
    }


def _lanes(log: LogState) -> dict[int, LaneStatus]:
    return {
        number: LaneStatus(
            last_seq=lane.last_seq,
            acked=lane.acked.count,
            backlog_batches=lane.backlog_batches,
            backlog_samples=lane.backlog_samples,
            backlog_bytes=lane.backlog_bytes,
            oldest_unacked_ms=lane.oldest_unacked_ms,
        )
        for number, lane in log.lanes.items()
    }


def _joined(older: SeriesSamples, recent: Excerpt) -> SeriesSamples:
    ts_ms, value = recent.columns()
    return SeriesSamples(
        ts_ms=older.ts_ms + tuple(ts_ms),
        value=older.value + tuple(value),
        complete_from_ms=older.complete_from_ms,
    )


def _result(query: TelemetryQuery, series: Series, samples: SeriesSamples) -> TelemetryResult:
    points = aggregate_samples(
        samples.ts_ms,
        samples.value,
        value_type=series.value_type,
        step_ms=max(query.step_ms, 1),
        aggregate=query.aggregate,
    )
    complete_from_ms = samples.complete_from_ms
    if query.aggregate is not Aggregate.RAW and complete_from_ms > query.start_ms:
        # The step that the cut goes through would be an aggregate of a part.
        points = [point for point in points if point[0] >= complete_from_ms]
    page, next_start_ms = page_of(points[: query.points_max + 1], query.points_max)
    return TelemetryResult(
        series.unit,
        series.value_type,
        page,
        next_start_ms,
        complete_from_ms if complete_from_ms > query.start_ms else None,
    )
