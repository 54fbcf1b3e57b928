"""Prometheus counters and gauges of central. Owns their names; every part increments its own."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

BATCHES = Counter(
    "headframe_central_batches",
    "Batches received from edges by what became of them: stored, repeated or conflict.",
    ["outcome"],
)
SAMPLES_STORED = Counter(
    "headframe_central_samples_stored", "Samples in batches committed to the inbox."
)
STORE_SECONDS = Histogram(
    "headframe_central_store_seconds",
    "Time of one inbox transaction, commit included.",
    buckets=_SECONDS,
)
STORE_FAILURES = Counter(
    "headframe_central_store_failures",
    "Inbox transactions that failed: unavailable (tried again) or refused (the data's fault).",
    ["cause"],
)
SESSIONS = Gauge("headframe_central_sessions", "Sync sessions open in this process.")
INBOX_PENDING = Gauge(
    "headframe_central_inbox_pending", "Batches acknowledged to edges and not yet unpacked."
)
INBOX_OLDEST_SECONDS = Gauge(
    "headframe_central_inbox_oldest_seconds", "Age of the oldest batch not yet unpacked; 0 if none."
)
QUARANTINED_BATCHES = Gauge(
    "headframe_central_quarantined_batches", "Batches in quarantine: kept, never applied."
)
WORKERS = Gauge("headframe_central_workers", "Unpacking workers with a fresh heartbeat.")
DATABASE_UP = Gauge("headframe_central_database_up", "1 while PostgreSQL answers, else 0.")
UNPACK_SECONDS = Histogram(
    "headframe_central_unpack_seconds",
    "Time of one unpacking transaction, from claim to commit.",
    buckets=_SECONDS,
)
ROWS_APPLIED = Counter("headframe_central_rows_applied", "Samples copied into partitions.")
BATCHES_APPLIED = Counter("headframe_central_batches_applied", "Batches unpacked.")
BATCHES_QUARANTINED = Counter(
    "headframe_central_batches_quarantined",
    "Batches that could not be unpacked, by reason.",
    ["reason"],
)
UNPACK_FAILURES = Counter(
    "headframe_central_unpack_failures", "Unpacking transactions that are tried again."
)
LIVE_VALUES = Counter(
    "headframe_central_live_values", "New values handed to the sockets of this process."
)
