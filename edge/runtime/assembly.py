"""The parts of an edge, made from its configuration and joined. Starts nothing.

Owns who gets what; ``daemon.py`` owns when. Data goes one way: broker, intake, log; the snapshot
learns after the commit, the uplink reads the log.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import uuid4

from edge.alarms.book import AlarmBook
from edge.alarms.rules import ThresholdRule
from edge.alarms.watch import AlarmWatch
from edge.api.server import EdgeApi, EdgeSources
from edge.config import EdgeConfig, IngestConfig, ThresholdConfig
from edge.ingest.admission import Admission
from edge.ingest.broker_refusals import refused_before_us
from edge.ingest.clock_doubt import ClockDoubt
from edge.ingest.decoded import DecodeLimits
from edge.ingest.gap_keeper import GapKeeper
from edge.ingest.intake import Intake
from edge.ingest.listener.listener import DurableListener
from edge.ingest.listener.session_file import SessionFile
from edge.ingest.listener.settings import terms_of
from edge.ingest.mqtt import MqttReader
from edge.ingest.ports import CommitHooks, Stores
from edge.ingest.quality import Judge, TimeLimits
from edge.ingest.restore import IngestState, restore_ingest
from edge.live.recent import RecentSamples
from edge.live.snapshot import LiveSnapshot
from edge.log.gap_file import LIST_LIMIT_MAX, GapFile, read_gaps
from edge.log.journal import Journal
from edge.log.records import PendingBatch
from edge.metrics import EdgeMetrics
from edge.runtime.gauges import (
    register_alarms,
    register_broker,
    register_clock,
    register_gaps,
    register_ingest,
    register_link,
    register_listener,
    register_log,
    register_process,
)
from edge.runtime.readiness import broker_readiness, log_readiness
from edge.runtime.report import recorded_ms
from edge.runtime.seeding import NewestPart, NewestRow
from edge.runtime.uplink_view import UplinkView
from edge.uplink.framing import Installation
from edge.uplink.link import LinkState
from edge.uplink.pair import UplinkPair
from edge.uplink.spending import ACCOUNT_FILE_NAME, Spending, limits_of
from shared.clock import Clock
from shared.domain.samples import NO_BOUND_MS
from shared.ids import Kind
from shared.version import installed_version

_ONLINE: Final = "online"
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class EdgeParts:
    """Everything that runs in one edge process."""

    config: EdgeConfig
    clock: Clock
    metrics: EdgeMetrics
    journal: Journal
    snapshot: LiveSnapshot
    watch: AlarmWatch
    intake: Intake
    gaps: GapKeeper
    doubt: ClockDoubt
    reader: MqttReader
    listener: DurableListener | None  # None: devices publish by the broker only
    uplink: UplinkPair | None  # None: no central is configured, the site works alone
    api: EdgeApi

    @property
    def link(self) -> LinkState:
        """Return the state of the link to central."""
        return LinkState() if self.uplink is None else self.uplink.link


def assemble(
    config: EdgeConfig, journal: Journal, gap_file: GapFile, newest: NewestPart, clock: Clock
) -> EdgeParts:
    """Return the parts, joined and filled with what the log knows; nothing runs yet.

    Raises:
        ConfigurationError: if a file that the configuration names cannot be used.
        LocalStateError: if the edge's own signing key cannot be made.
    """
    metrics = EdgeMetrics()
    snapshot = _snapshot(journal, newest.rows, config.ingest.series_max)
    doubt = _doubt(config, newest)
    now_ms = max(clock.utc_ms(), doubt.recorded_ms)  # nothing in the log came later
    recent = _recent(journal, newest.rows, now_ms)
    state = _restored(config, journal, newest, now_ms)
    watch = _watch(config, journal, recent, clock)
    gaps = GapKeeper(gap_file, metrics.ingest, clock, journal)
    intake = Intake(
        admission=_admission(config, state, snapshot, metrics, doubt),
        stores=Stores(journal, gaps),
        linger_s=config.ingest.linger_ms / _MS,
        clock=clock,
        metrics=metrics,
        hooks=CommitHooks(watch, lambda batch: show(batch, snapshot, recent)),
    )
    reader = _reader(config, intake, metrics, clock, expects_session=len(journal.recent) > 0)
    listener = _listener(config, intake, clock)
    broker_refused = _refused(config, metrics, listener)
    uplink = _uplink(config, journal, broker_refused, clock)
    sources = EdgeSources(
        snapshot=snapshot,
        recent=recent,
        log=journal,
        link=_link_view(uplink),
        alerts=watch.book.alerts.values,
        message_gaps=lambda: asyncio.to_thread(read_gaps, config.state_dir, LIST_LIMIT_MAX),
        broker_refused=broker_refused,
        registry=metrics.registry,
        readiness={"log": log_readiness(intake, journal), "broker": broker_readiness(reader)},
    )
    parts = EdgeParts(
        config=config,
        clock=clock,
        metrics=metrics,
        journal=journal,
        snapshot=snapshot,
        watch=watch,
        intake=intake,
        gaps=gaps,
        doubt=doubt,
        reader=reader,
        listener=listener,
        uplink=uplink,
        api=EdgeApi(config, sources, clock),
    )
    _register(parts, broker_refused)
    return parts


def _register(parts: EdgeParts, broker_refused: Callable[[], Mapping[str, int]]) -> None:
    register_process(parts.metrics)
    register_clock(parts.metrics, parts.doubt, parts.clock)
    register_ingest(parts.metrics, parts.intake, parts.reader, parts.snapshot)
    register_alarms(parts.metrics, parts.watch)
    if parts.listener is not None:
        register_listener(parts.metrics, parts.listener)
    register_gaps(parts.metrics, parts.gaps)
    register_log(parts.metrics, parts.journal, parts.clock)
    register_broker(parts.metrics, broker_refused)
    register_link(parts.metrics, lambda: parts.link)


def _watch(config: EdgeConfig, journal: Journal, recent: RecentSamples, clock: Clock) -> AlarmWatch:
    def context(series_ix: int, since_ms: int) -> Iterator[tuple[int, float]]:
        excerpt = recent.excerpt(series_ix, start_ms=since_ms, end_ms=NO_BOUND_MS)
        for ts_ms, value in zip(*excerpt.columns(), strict=True):
            if not isinstance(value, str):
                yield ts_ms, float(value)

    book = AlarmBook(
        map(_rule, config.alarms.thresholds),
        site=config.site,
        edge_id=config.edge_id,
        context=context,
    )
    for series_ix, series in journal.series:
        book.watch(series_ix, series)
    return AlarmWatch(book, journal, config.state_dir, clock)


def _rule(threshold: ThresholdConfig) -> ThresholdRule:
    clear_below = threshold.clear_below
    return ThresholdRule(
        name=threshold.name,
        metric=threshold.metric,
        raise_at=threshold.raise_at,
        clear_below=threshold.raise_at if clear_below is None else clear_below,
        severity=threshold.severity,
    )


def _doubt(config: EdgeConfig, newest: NewestPart) -> ClockDoubt:
    return ClockDoubt(
        recorded_ms=max(newest.received_ms, recorded_ms(config.state_dir)),
        tolerance_ms=round(config.ingest.future_reject_s * _MS),
    )


def _restored(config: EdgeConfig, journal: Journal, newest: NewestPart, now_ms: int) -> IngestState:
    return restore_ingest(
        journal.series,
        journal.recent,
        series_max=config.ingest.series_max,
        now_ms=now_ms,
        last_used=[(row.series_ix, row.series_count) for row in newest.rows],
    )


def _admission(
    config: EdgeConfig,
    state: IngestState,
    snapshot: LiveSnapshot,
    metrics: EdgeMetrics,
    doubt: ClockDoubt,
) -> Admission:
    ingest = config.ingest
    judge = Judge(_time_limits(ingest), state.seen, doubt)
    for entry in snapshot.latest(frozenset(Kind)):
        name = entry.series.name
        if name.metric == _ONLINE:
            judge.note_online(name.kind, name.asset_id, entry.ts_ms)
    return Admission(
        site=config.site,
        limits=_decode_limits(ingest),
        catalogue=state.catalogue,
        judge=judge,
        seen=state.seen,
        counts=metrics.ingest,
    )


def _reader(
    config: EdgeConfig,
    intake: Intake,
    metrics: EdgeMetrics,
    clock: Clock,
    *,
    expects_session: bool,
) -> MqttReader:
    return MqttReader(
        config,
        intake=intake,
        clock=clock,
        counts=metrics.ingest,
        jitter=random.random,
        expects_session=expects_session,
    )


def _refused(
    config: EdgeConfig, metrics: EdgeMetrics, listener: DurableListener | None
) -> Callable[[], Mapping[str, int]]:
    """Return what tells what was refused before the edge read it, by broker and listener."""
    return partial(
        refused_before_us,
        config.mqtt.refusals_file,
        metrics.ingest,
        dict if listener is None else lambda: listener.counts.refused,
    )


def _link_view(uplink: UplinkPair | None) -> Callable[[], UplinkView | None]:
    link = None if uplink is None else UplinkView(lambda: uplink.link)
    return lambda: link


def _listener(config: EdgeConfig, intake: Intake, clock: Clock) -> DurableListener | None:
    if not config.listener.enabled:
        return None
    return DurableListener(
        config.listener,
        terms_of(config.listener, config.ingest),
        site=config.site,
        intake=intake,
        sessions=SessionFile(config.state_dir),
        clock=clock,
    )


def _uplink(
    config: EdgeConfig,
    journal: Journal,
    broker_refused: Callable[[], Mapping[str, int]],
    clock: Clock,
) -> UplinkPair | None:
    if config.uplink.url is None:
        return None
    installation = Installation(
        software=installed_version(), boot_id=str(uuid4()), broker_refused=broker_refused
    )
    file = config.state_dir / ACCOUNT_FILE_NAME
    spending = Spending(limits_of(config.uplink), clock, file)
    return UplinkPair(config.uplink, journal, installation, clock, spending=spending)


def show(batch: PendingBatch, snapshot: LiveSnapshot, recent: RecentSamples) -> None:
    """Bring what a commit made durable into the live snapshot and the recent samples."""
    for series_ix, series in batch.new_series:
        snapshot.add_series(series_ix, series)
    snapshot.apply(batch.series_ix, batch.ts_ms, batch.value, batch.quality, batch.recv_max_ms)
    recent.append(batch.series_ix, batch.value_type, batch.ts_ms, batch.value)


def _recent(journal: Journal, newest: Sequence[NewestRow], now_ms: int) -> RecentSamples:
    last_ms = {row.series_ix: row.last_ms for row in newest}
    return RecentSamples(known_series=len(journal.series), newest_ms=last_ms.get, started_ms=now_ms)


def _snapshot(journal: Journal, newest: Sequence[NewestRow], series_max: int) -> LiveSnapshot:
    # A limit that was lowered must not hide series that exist.
    snapshot = LiveSnapshot(series_max=max(series_max, len(journal.series)))
    for series_ix, series in journal.series:
        snapshot.add_series(series_ix, series)
    for row in newest:
        snapshot.apply([row.series_ix], [row.ts_ms], [row.value], [row.quality], row.received_ms)
    return snapshot


def _decode_limits(ingest: IngestConfig) -> DecodeLimits:
    return DecodeLimits(
        payload_size_max_bytes=ingest.payload_size_max_bytes,
        samples_per_message_max=ingest.samples_per_message_max,
        metrics_per_sample_max=ingest.metrics_per_sample_max,
    )


def _time_limits(ingest: IngestConfig) -> TimeLimits:
    return TimeLimits(
        late_after_ms=round(ingest.late_after_s * _MS),
        future_after_ms=round(ingest.future_after_s * _MS),
        future_reject_ms=round(ingest.future_reject_s * _MS),
    )
