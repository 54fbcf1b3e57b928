"""Prometheus counters and gauges of central. Owns their names and the registry of one process."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from shared.web.site_data import HeldCount

_BUCKETS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)


class StoreMetrics:
    """What the inbox of a web process counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batches = Counter(
            "headframe_central_batches",
            "Batches received from edges by what became of them: stored, repeated or conflict.",
            ["outcome"],
            registry=registry,
        )
        self.samples = Counter(
            "headframe_central_samples",
            "Samples in batches committed to the inbox.",
            registry=registry,
        )
        self.store_seconds = Histogram(
            "headframe_central_store_seconds",
            "Time of one inbox transaction, commit included.",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.store_failures = Counter(
            "headframe_central_store_failures",
            "Inbox transactions that failed: unavailable (tried again) or refused (by the data).",
            ["cause"],
            registry=registry,
        )
        self.sessions = Gauge(
            "headframe_central_sessions",
            "Sync sessions open in this process.",
            registry=registry,
        )
        self.fenced = Counter(
            "headframe_central_fenced",
            "Edges whose log was not the one whose batches are held, and got a new epoch.",
            registry=registry,
        )
        self.live_values = Counter(
            "headframe_central_live_values",
            "New values handed to the sockets of this process.",
            registry=registry,
        )


class BacklogMetrics:
    """How the whole of central stands, as the database tells; the same from every process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.database_up = Gauge(
            "headframe_central_database_up",
            "1 while PostgreSQL answers, else 0.",
            registry=registry,
        )
        self.inbox_pending = Gauge(
            "headframe_central_inbox_pending",
            "Batches acknowledged to edges and not yet unpacked.",
            registry=registry,
        )
        self.inbox_oldest_seconds = Gauge(
            "headframe_central_inbox_oldest_seconds",
            "Age of the oldest batch not yet unpacked; 0 if there is none.",
            registry=registry,
        )
        self.quarantined = Gauge(
            "headframe_central_quarantined_batches",
            "Entries in quarantine: a batch, or rows of one, that cannot be applied.",
            registry=registry,
        )
        self.held_batches = Gauge(
            "headframe_central_held_batches",
            "Batches of which something is in quarantine, by reason.",
            ["reason"],
            registry=registry,
        )
        self.held_rows = Gauge(
            "headframe_central_held_rows",
            "Samples in quarantine, by reason.",
            ["reason"],
            registry=registry,
        )
        self.parked_batches = Gauge(
            "headframe_central_parked_batches",
            "Batches that wait for a newer program or a series, by reason.",
            ["reason"],
            registry=registry,
        )
        self.unpacked_samples = Gauge(
            "headframe_central_unpacked_samples",
            "Samples unpacked by all workers that lived in the last 30 days.",
            registry=registry,
        )
        self.default_rows = Gauge(
            "headframe_central_default_partition_rows",
            "Samples in no partition of their day, as PostgreSQL estimates: wrong clocks or locks.",
            registry=registry,
        )
        self.workers = Gauge(
            "headframe_central_workers",
            "Unpacking workers with a fresh heartbeat.",
            registry=registry,
        )

    def show_held(self, held: Mapping[str, HeldCount], parked: Mapping[str, HeldCount]) -> None:
        """Show what is held by reason now; reasons that are gone disappear."""
        for gauge in (self.held_batches, self.held_rows, self.parked_batches):
            gauge.clear()
        for reason, count in held.items():
            self.held_batches.labels(reason).set(count.batches)
            self.held_rows.labels(reason).set(count.rows)
        for reason, count in parked.items():
            self.parked_batches.labels(reason).set(count.batches)


class UnpackMetrics:
    """What one worker counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.unpack_seconds = Histogram(
            "headframe_central_unpack_seconds",
            "Time of one unpacking transaction, from claim to commit.",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.rows_applied = Counter(
            "headframe_central_rows_applied",
            "Samples copied into partitions.",
            registry=registry,
        )
        self.batches_applied = Counter(
            "headframe_central_batches_applied", "Batches unpacked.", registry=registry
        )
        self.batches_quarantined = Counter(
            "headframe_central_batches_quarantined",
            "Batches of which something could not be applied, by reason.",
            ["reason"],
            registry=registry,
        )
        self.rows_quarantined = Counter(
            "headframe_central_rows_quarantined",
            "Samples that could not be applied, of batches that could be read, by reason.",
            ["reason"],
            registry=registry,
        )
        self.batches_parked = Counter(
            "headframe_central_batches_parked",
            "Batches set aside until a newer program or a series is there, by reason.",
            ["reason"],
            registry=registry,
        )
        self.rows_rolled_up = Counter(
            "headframe_central_rows_rolled_up",
            "Samples read to bring rollups up to date.",
            registry=registry,
        )
        self.rows_released = Counter(
            "headframe_central_rows_released",
            "Samples applied after all, from quarantine.",
            registry=registry,
        )
        self.unpack_failures = Counter(
            "headframe_central_unpack_failures",
            "Unpacking transactions that are tried again.",
            registry=registry,
        )


class SyncMetrics:
    """What the sync listener of a web process counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge(
            "headframe_central_sync_connections",
            "Connections of edges open in this process, greeting included.",
            registry=registry,
        )
        self.frames = Counter(
            "headframe_central_sync_frames",
            "Frames received from edges, by type.",
            ["type"],
            registry=registry,
        )
        self.received_bytes = Counter(
            "headframe_central_sync_received_bytes",
            "Bytes of frames received from edges.",
            registry=registry,
        )
        self.endings = Counter(
            "headframe_central_sync_endings",
            "Sessions that ended for a reason an operator may want to know, by reason.",
            ["code"],
            registry=registry,
        )
        self.refused_batches = Counter(
            "headframe_central_sync_refused_batches",
            "Batches that were refused, by reason.",
            ["code"],
            registry=registry,
        )


class ProcessMetrics:
    """The registry of one central process; everything is named ``headframe_central_*``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def register_process(self) -> None:
        """Add memory, processor and collector figures of this process."""
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)


class CentralMetrics(ProcessMetrics):
    """What a web process shows: its own counts, and how all of central stands."""

    def __init__(self) -> None:
        super().__init__()
        self.store = StoreMetrics(self.registry)
        self.backlog = BacklogMetrics(self.registry)
        self.sync = SyncMetrics(self.registry)


class WorkerMetrics(ProcessMetrics):
    """What a worker shows on a port of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.unpack = UnpackMetrics(self.registry)
