"""What the edge's parts are at, as gauges. Owns no state: everything is read when scraped."""

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector

from edge.alarms.watch import AlarmWatch
from edge.ingest.clock_doubt import ClockDoubt
from edge.ingest.gap_keeper import GapKeeper
from edge.ingest.intake import Intake
from edge.ingest.listener.listener import DurableListener
from edge.ingest.mqtt import LinkStage as BrokerStage
from edge.ingest.mqtt import MqttReader
from edge.live.snapshot import LiveSnapshot
from edge.log.journal import Journal
from edge.log.records import LaneState
from edge.metrics import EdgeMetrics
from edge.uplink.link import LinkStage, LinkState
from shared.clock import Clock
from shared.sync.records import Severity

_MILLISECONDS = 1000.0


def register_process(metrics: EdgeMetrics) -> None:
    """Export CPU, memory, files and collections of this process under their usual names."""
    ProcessCollector(registry=metrics.registry)
    PlatformCollector(registry=metrics.registry)
    GCCollector(registry=metrics.registry)


def register_clock(metrics: EdgeMetrics, doubt: ClockDoubt, clock: Clock) -> None:
    """Export whether this node's clock can be right."""
    metrics.gauge(
        "clock_behind_seconds",
        "How far this node's clock is behind what it has recorded; 0 where that is no doubt",
        lambda: doubt.behind_ms(clock.utc_ms()) / _MILLISECONDS,
    )


def register_ingest(
    metrics: EdgeMetrics, intake: Intake, reader: MqttReader, snapshot: LiveSnapshot
) -> None:
    """Export what is on its way from the broker to the log."""
    metrics.gauge(
        "in_flight_messages", "Messages read and not durable yet", lambda: intake.load.messages
    )
    metrics.gauge(
        "in_flight_bytes", "Payload bytes read and not durable yet", lambda: intake.load.size_bytes
    )
    metrics.gauge(
        "log_refusing",
        "1 while the log takes nothing and nothing is acknowledged",
        lambda: intake.load.trouble is not None,
    )
    metrics.family(
        "broker_link",
        "1 for the state the connection to the broker is in",
        ("state",),
        lambda: {(stage.value,): float(reader.link.stage is stage) for stage in BrokerStage},
    )
    metrics.gauge(
        "last_commit_timestamp_seconds",
        "When samples last became durable, seconds since the epoch; 0 if not yet",
        lambda: metrics.ingest.last_commit_ms / _MILLISECONDS,
    )
    metrics.gauge("series", "Series in the catalogue", lambda: snapshot.series_count)


def register_alarms(metrics: EdgeMetrics, watch: AlarmWatch) -> None:
    """Export how many alerts stand and how many came and went."""
    metrics.family(
        "alerts_active",
        "Alerts that stand, by severity",
        ("severity",),
        lambda: {(each.value,): float(_count(watch, each)) for each in Severity},
    )
    metrics.gauge("alerts_raised", "Alerts raised since the start", lambda: watch.raised)
    metrics.gauge("alerts_cleared", "Alerts cleared since the start", lambda: watch.cleared)


def _count(watch: AlarmWatch, severity: Severity) -> int:
    return sum(alert.severity is severity for alert in watch.book.active)


def register_broker(metrics: EdgeMetrics, refused: Callable[[], Mapping[str, int]]) -> None:
    """Export what the broker refused before it reached the edge."""
    metrics.family(
        "broker_refused",
        "What the broker refused before it reached the edge, by reason",
        ("reason",),
        lambda: _by_reason(refused()),
    )


def register_listener(metrics: EdgeMetrics, listener: DurableListener) -> None:
    """Export what goes on at the edge's own endpoint for publishers."""
    counts = listener.counts
    metrics.gauge("listener_connections", "Open sockets", lambda: listener.connections)
    numbers: tuple[tuple[str, str, Callable[[], float]], ...] = (
        ("listener_accepted", "Publishers let in since the start", lambda: counts.accepted),
        ("listener_messages", "Messages read since the start", lambda: counts.messages),
        ("listener_redelivered", "Copies of messages on their way", lambda: counts.redelivered),
        ("listener_wills", "Last wills published since the start", lambda: counts.wills),
        ("listener_pauses", "Times all publishers waited for the log", lambda: counts.pauses),
    )
    for name, documentation, read in numbers:
        metrics.gauge(name, documentation, read)
    metrics.family(
        "listener_endings",
        "Connections that ended since the start, by reason",
        ("reason",),
        lambda: _by_reason(counts.endings),
    )


def register_gaps(metrics: EdgeMetrics, gaps: GapKeeper) -> None:
    """Export what is declared lost in front of the edge."""
    metrics.family(
        "declared_missing",
        "Messages declared lost in front of the edge, by how that is known; do not add them up",
        ("reason",),
        lambda: _by_reason(gaps.missing),
    )


def register_log(metrics: EdgeMetrics, journal: Journal, clock: Clock) -> None:
    """Export sizes, backlog and quarantine of the log."""
    state = journal.state

    def lanes(read: Callable[[LaneState], float]) -> Callable[[], Mapping[tuple[str, ...], float]]:
        return lambda: {(str(lane),): read(held) for lane, held in state().lanes.items()}

    def age_s(lane: LaneState) -> float:
        oldest_ms = lane.oldest_unacked_ms
        return 0.0 if oldest_ms is None else (clock.utc_ms() - oldest_ms) / _MILLISECONDS

    by_lane: tuple[tuple[str, str, Callable[[LaneState], float]], ...] = (
        ("log_last_seq", "Number of the newest batch", lambda lane: lane.last_seq),
        ("log_segments", "Segment files", lambda lane: lane.segments),
        (
            "backlog_batches",
            "Batches central has not acknowledged",
            lambda lane: lane.backlog_batches,
        ),
        (
            "backlog_samples",
            "Samples central has not acknowledged",
            lambda lane: lane.backlog_samples,
        ),
        ("backlog_bytes", "Bytes central has not acknowledged", lambda lane: lane.backlog_bytes),
        ("backlog_oldest_age_seconds", "Age of the oldest unacknowledged batch", age_s),
    )
    for name, documentation, read in by_lane:
        metrics.family(name, documentation, ("lane",), lanes(read))
    metrics.gauge("log_bytes", "Size of the log on disk", lambda: state().size_bytes)
    metrics.gauge("disk_free_bytes", "Free space where the log lives", lambda: state().free_bytes)
    metrics.gauge("log_lost_ranges", "Ranges of batches declared lost", lambda: len(state().lost))
    metrics.gauge(
        "quarantine_entries", "Entries in the quarantine", lambda: state().quarantine_entries
    )
    metrics.gauge("quarantine_bytes", "Size of the quarantine", lambda: state().quarantine_bytes)
    metrics.family(
        "quarantined",
        "Entries ever put into the quarantine, by reason",
        ("reason",),
        lambda: _by_reason(state().quarantined),
    )
    metrics.family(
        "quarantine_evicted",
        "Entries removed from the quarantine to make room, by reason",
        ("reason",),
        lambda: _by_reason(state().quarantine_evicted),
    )


def register_link(metrics: EdgeMetrics, link: Callable[[], LinkState]) -> None:
    """Export the link to central."""
    metrics.family(
        "uplink_link",
        "1 for the state the link to central is in",
        ("state",),
        lambda: {(stage.value,): float(link().state is stage) for stage in LinkStage},
    )
    metrics.family(
        "uplink_connected",
        "1 for a connection to central that is up, by what it serves",
        ("serves",),
        lambda: {
            (role,): float(stage is LinkStage.STREAMING)
            for role, stage in link().connections.items()
        },
    )
    metrics.family(
        "uplink_sent_today_bytes",
        "Bytes handed to the link on this day of the site: by lane, catalogue, control",
        ("of",),
        lambda: {(of,): float(size) for of, size in link().sent_today_bytes.items()},
    )
    metrics.family(
        "uplink_held_up",
        "1 for why lanes that are not urgent wait: rate, daily_cap or pause_window",
        ("reason",),
        lambda: {(reason,): 1.0} if (reason := link().held_up) else {},
    )
    metrics.family(
        "uplink_congestion",
        "1 for the congestion control of the newest connection to central",
        ("control",),
        lambda: {(control,): 1.0} if (control := link().congestion) else {},
    )
    counts: tuple[tuple[str, str, Callable[[LinkState], float]], ...] = (
        ("uplink_sessions", "Sessions with central since the start", lambda at: at.sessions),
        ("uplink_connects", "Connections to central since the start", lambda at: at.connects),
        ("uplink_sent_bytes", "Bytes sent to central since the start", lambda at: at.sent_bytes),
        ("uplink_sent_batches", "Batches sent since the start", lambda at: at.sent_batches),
        ("uplink_acked_batches", "Batches confirmed since the start", lambda at: at.acked_batches),
        ("uplink_refused_batches", "Batches central refused", lambda at: at.refused_batches),
        ("uplink_absent_batches", "Batches not in the log", lambda at: at.absent_batches),
        ("uplink_in_flight_batches", "Batches not confirmed", lambda at: at.in_flight_batches),
        ("uplink_rtt_seconds", "Newest round trip", lambda at: (at.rtt_ms or 0.0) / _MILLISECONDS),
    )
    for name, documentation, read in counts:
        metrics.gauge(name, documentation, partial(_read_link, link, read))


def _read_link(link: Callable[[], LinkState], read: Callable[[LinkState], float]) -> float:
    return read(link())


def _by_reason(counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    return {(reason,): float(count) for reason, count in sorted(counts.items())}
