"""The edge's log as a benchmark sees it: when each batch became visible, and what it holds.

Reads the segment files from outside the edge, read-only and in short transactions: a row that
another connection can see has been committed with ``synchronous=FULL``.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.accounting import COUNTER_METRIC
from edge.log.database import open_reader
from edge.log.layout import Layout
from edge.log.records import TELEMETRY_LANE
from edge.log.segment_files import segment_names
from edge.log.segments import stream_batches
from shared.clock import Clock
from shared.codec.body import decode_body
from shared.codec.columns import SampleColumns
from shared.codec.segments import starts_of
from shared.domain.samples import ValueType
from shared.sync.ranges import SEQ_MAX

POLL_S = 0.005  # a commit is seen about this much late at most; a look costs 0.2 ms of CPU


@dataclass(slots=True)
class CommitWatch:
    """Notes when each batch of the telemetry lane appeared; ``watch`` runs in its own thread."""

    layout: Layout
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    seen_ms: dict[int, int] = field(default_factory=dict[int, int])  # by sequence number
    last_seq: int = 0

    def watch(self) -> None:
        """Look until ``stop`` is set. Batches that exist at the first look are not noted."""
        self.last_seq = _last_seq(self.layout)
        while not self.stop.wait(POLL_S):
            newest_seq = _last_seq(self.layout)
            now_ms = self.clock.utc_ms()
            for seq in range(self.last_seq + 1, newest_seq + 1):
                self.seen_ms[seq] = now_ms
            self.last_seq = max(self.last_seq, newest_seq)


@dataclass(frozen=True, slots=True)
class LoggedBatch:
    """One batch of the log, decoded."""

    seq: int
    size_bytes: int
    columns: SampleColumns


def read_batches(layout: Layout, first_seq: int = 1) -> Iterator[LoggedBatch]:
    """Yield every batch of the telemetry lane from ``first_seq`` on, in order."""
    for name in segment_names(layout, TELEMETRY_LANE):
        with open_reader(layout.segment_file(name)) as database:
            for row in stream_batches(database, first_seq, SEQ_MAX):
                yield LoggedBatch(row.seq, len(row.body), decode_body(row.body))


def counter_sources(layout: Layout) -> dict[int, str]:
    """Return the asset id of each series that holds the numbers of samples, by series index."""
    newest = segment_names(layout, TELEMETRY_LANE)[-1]
    with open_reader(layout.segment_file(newest)) as database:
        rows = database.rows("SELECT ix, asset_id FROM series WHERE metric = ?", COUNTER_METRIC)
    return dict(rows)


def counters_of(
    columns: SampleColumns, sources: dict[int, str]
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.int64]]]:
    """Yield source, sample numbers and their times (ms) for each counter series of a batch."""
    count = columns.count.astype(np.int64)
    is_number = columns.value_type == ValueType.NUMBER
    ends = zip(
        columns.series_ix[is_number].tolist(),
        starts_of(count[is_number]).tolist(),
        starts_of(count)[is_number].tolist(),
        count[is_number].tolist(),
        strict=True,
    )
    for ix, value, time, size in ends:
        if ix in sources:
            numbers = columns.number[value : value + size]
            yield sources[ix], numbers, columns.ts_ms[time : time + size]


def _last_seq(layout: Layout) -> int:
    # A connection held between two looks would keep the edge from sealing a full segment.
    for name in reversed(segment_names(layout, TELEMETRY_LANE)):
        with open_reader(layout.segment_file(name)) as database:
            row = database.row("SELECT max(seq) FROM batch")
        if row is not None and row[0] is not None:
            return int(row[0])
    return 0
