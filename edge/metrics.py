"""Metrics of the edge. Owns their names and the registry; parts count, this module exports.

The hot path adds to plain integers (``IngestCounts``): a Prometheus counter takes a lock for every
increment, which at thousands of messages a second costs more than judging them. The numbers are
read only when somebody scrapes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import (
    generate_latest,  # pyright: ignore[reportUnknownVariableType] library is untyped
)
from prometheus_client.registry import Collector

_render: Callable[[CollectorRegistry], bytes] = generate_latest  # pyright: ignore[reportUnknownVariableType] untyped library

# From a fast NVMe's flush to an SD card that stalls for seconds.
_COMMIT_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
_BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 20_000)


@dataclass(slots=True)
class IngestCounts:
    """What ingest has counted since the process started; only the work loop writes it."""

    messages: int = 0  # taken from the broker, of any kind
    payload_bytes: int = 0
    samples: int = 0  # device samples accepted, each with one or more values
    values: int = 0  # single values that became durable
    duplicates: int = 0  # samples recognised as seen before and suppressed
    gaps: int = 0  # places where device sequence numbers jump
    missing: int = 0  # device messages that never arrived, by sequence number
    recovered: int = 0  # of those, messages that came late after all
    restarts: int = 0  # device sequences that began anew
    not_ours: int = 0  # messages on channels that other parts of the edge serve
    retained: int = 0  # messages the broker had kept for us
    acknowledged: int = 0  # PUBACKs sent
    stale_acks: int = 0  # commits whose connection was gone: the broker will redeliver
    commits: int = 0
    last_commit_ms: int = 0  # edge time of the newest commit; 0 before the first
    commit_failures: int = 0  # attempts that failed and are retried
    redelivered: int = 0  # copies of a message that is still on its way, dropped
    sessions_lost: int = 0  # connects at which the broker had forgotten our session
    broker_dropped: int = 0  # messages the broker dropped for full queues, by its own count
    drops_told: int = 0  # times the broker told that count
    connects: int = 0
    disconnects: int = 0
    pauses: int = 0  # times reading stopped because too much was in flight
    refused: dict[str, int] = field(default_factory=dict[str, int])  # by reason

    def refuse(self, reason: str) -> None:
        """Count one refusal."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


_COUNTERS: tuple[tuple[str, str, str], ...] = (
    ("messages", "messages", "Messages taken from the broker"),
    ("payload_bytes", "payload_bytes", "Bytes of payload taken from the broker"),
    ("samples", "samples", "Device samples accepted"),
    ("values", "values", "Values made durable"),
    ("duplicates", "duplicates", "Samples seen before and suppressed"),
    ("gaps", "sequence_gaps", "Jumps in device sequence numbers"),
    ("missing", "sequence_missing", "Device messages missing by sequence number"),
    ("recovered", "sequence_recovered", "Missing device messages that arrived late"),
    ("restarts", "sequence_restarts", "Device sequences that began anew"),
    ("not_ours", "messages_not_ours", "Messages on channels that ingest does not store"),
    ("retained", "messages_retained", "Messages the broker had retained"),
    ("acknowledged", "acknowledged", "Messages acknowledged to the broker after the commit"),
    ("stale_acks", "acknowledgements_stale", "Commits whose broker connection was gone"),
    ("commits", "commits", "Group commits"),
    ("commit_failures", "commit_failures", "Attempts to commit that failed and are retried"),
    ("redelivered", "messages_redelivered", "Copies of messages still on their way, dropped"),
    ("sessions_lost", "broker_sessions_lost", "Connects at which the broker had no session"),
    ("broker_dropped", "broker_dropped", "Messages the broker says it dropped for full queues"),
    ("connects", "broker_connects", "Connections to the broker that were accepted"),
    ("disconnects", "broker_disconnects", "Connections to the broker that ended"),
    ("pauses", "reading_pauses", "Times reading stopped because too much was in flight"),
)


class EdgeMetrics:
    """The registry of one edge process; everything is named ``headframe_edge_*``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ingest = IngestCounts()
        self.commit_latency_s = Histogram(
            "headframe_edge_commit_latency_seconds",
            "From handing a group to the log until it is on disk",
            buckets=_COMMIT_BUCKETS_S,
            registry=self.registry,
        )
        self.message_latency_s = Histogram(
            "headframe_edge_message_latency_seconds",
            "From reading the oldest message of a group until it is on disk",
            buckets=_COMMIT_BUCKETS_S,
            registry=self.registry,
        )
        self.commit_messages = Histogram(
            "headframe_edge_commit_messages",
            "Messages in one group commit",
            buckets=_BATCH_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_IngestCollector(self.ingest))

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Export ``headframe_edge_{name}``; ``read`` is called at every scrape."""
        self.family(name, documentation, (), lambda: {(): read()})

    def family(
        self,
        name: str,
        documentation: str,
        labels: tuple[str, ...],
        read: Callable[[], Mapping[tuple[str, ...], float]],
    ) -> None:
        """Export a gauge with labels; ``read`` returns the value for each tuple of label values."""
        self.registry.register(
            _GaugeCollector(f"headframe_edge_{name}", documentation, labels, read)
        )

    def render(self) -> bytes:
        """Return everything in OpenMetrics text form."""
        return _render(self.registry)


class _IngestCollector(Collector):
    def __init__(self, counts: IngestCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        for attribute, name, documentation in _COUNTERS:
            value = getattr(self._counts, attribute)
            yield CounterMetricFamily(f"headframe_edge_{name}", documentation, value=value)
        refused = CounterMetricFamily(
            "headframe_edge_refused", "Refusals by reason", labels=["reason"]
        )
        for reason, count in sorted(self._counts.refused.items()):
            refused.add_metric([reason], count)
        yield refused


class _GaugeCollector(Collector):
    def __init__(
        self,
        name: str,
        documentation: str,
        labels: tuple[str, ...],
        read: Callable[[], Mapping[tuple[str, ...], float]],
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._read = read

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        for label_values, value in self._read().items():
            family.add_metric(list(label_values), value)
        yield family

    def describe(self) -> Iterator[Metric]:
        """Name the family without reading: the source may not be ready at registration."""
        yield GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
