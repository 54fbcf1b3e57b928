"""What goes into the log and what comes out of it. Pure types; no bytes, no files, no threads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.domain.samples import Series, Value
from shared.sync.ranges import Ranges
from shared.sync.records import KnownRecord

TELEMETRY_LANE = 2
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingBatch:
    """Samples that must become durable together, as parallel rows in arrival order.

    ``new_series`` and ``new_sources`` are catalogue entries first used here, numbered from 1
    without a hole. They are kept even if this batch is refused, so a later batch may use them.
    ``seen`` has one (source_ix, sequence number or hash, ts_ms) for each device message, each an
    int64: what a redelivery is recognised by after a restart.
    """

    series_ix: Sequence[int]
    value_type: Sequence[int]
    ts_ms: Sequence[int]
    value: Sequence[Value]
    quality: Sequence[int]
    recv_min_ms: int  # edge time of the first and last message in it
    recv_max_ms: int
    new_series: tuple[tuple[int, Series], ...] = ()
    new_sources: tuple[tuple[int, str], ...] = ()
    seen: Sequence[tuple[int, int, int]] = ()
    lane: int = TELEMETRY_LANE


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRecords:
    """Records that must become durable together in an urgent lane, in their order."""

    lane: int
    records: tuple[KnownRecord, ...]
    received_ms: int  # edge time


@dataclass(frozen=True, slots=True)
class Committed:
    """What one group commit made durable; last_seq < first_seq when it held no samples."""

    lane: int
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """One batch as it stands in the log; ``body`` is checked on reading.

    Its bytes are `shared.codec`'s, or in an urgent lane those of `shared.sync.records`. It uses no
    series numbered above ``series_count``; all of these are as durable as it is.
    """

    lane: int
    seq: int
    n: int
    t_min_ms: int
    t_max_ms: int
    recv_min_ms: int
    recv_max_ms: int
    series_count: int
    sha256: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """A message that was not accepted.

    The log cuts ``payload`` to its limit and fills in ``id``; it fills in ``size_bytes`` and
    ``sha256`` (of the whole payload) where ``sha256`` is empty.
    """

    at_ms: int
    topic: str
    reason: str
    field: str
    detail: str
    payload: bytes
    size_bytes: int = 0
    sha256: bytes = b""
    id: int = 0


@dataclass(frozen=True, slots=True)
class LostRange:
    """Batches that the log once held, or may have held, and no longer can give.

    ``last_seq`` may be beyond the newest batch that ever existed: where the end of a segment is
    unreadable the range reaches to the highest number that could have been used.
    """

    lane: int
    first_seq: int
    last_seq: int
    reason: str
    detected_ms: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this installation is; ``epoch`` 0 and no ``central_uuid`` before the first session."""

    site: str
    edge_id: str
    install_uuid: str
    epoch: int = 0
    central_uuid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """One lane. ``first_retained`` is last_seq + 1 when nothing is held.

    ``acked`` are held by central; ``lost`` are declared lost here. The backlog counts what is
    held here and in neither. ``body_bytes`` are the encoded samples, ``size_bytes`` the files.
    """

    lane: int
    first_retained: int
    last_seq: int
    acked: Ranges
    lost: Ranges
    backlog_batches: int
    backlog_samples: int
    backlog_bytes: int
    oldest_unacked_ms: int | None
    segments: int
    size_bytes: int

    @property
    def owed(self) -> Ranges:
        """Sequence numbers that are held here and must still reach central."""
        return (
            Ranges.of((self.first_retained, self.last_seq)).difference(self.acked.union(self.lost))
            if self.first_retained <= self.last_seq
            else Ranges()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """The whole log at one moment; ``refusing`` tells why nothing more is taken, if so."""

    lanes: Mapping[int, LaneState]
    size_bytes: int
    free_bytes: int
    refusing: str | None
    lost: tuple[LostRange, ...]
    series: int
    quarantined: Mapping[str, int]  # entries ever, by reason
    quarantine_evicted: Mapping[str, int]  # of these, removed to make room, by reason
    quarantine_entries: int
    quarantine_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class RecentTail:
    """The newest device messages in the log, oldest first: what a redelivery is recognised by.

    Iterating yields (source_ix, sequence number or hash, ts_ms) as they were given.
    """

    sources: tuple[tuple[int, str], ...] = ()
    source_ix: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    mark: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    ts_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.source_ix)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.source_ix.tolist(), self.mark.tolist(), self.ts_ms.tolist(), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSamples:
    """Samples of one series from the local log, ascending by time, newest kept when cut.

    Complete from ``complete_from_ms`` to the asked end: before it, the limit of samples or of
    effort ended the search. ``ts_ms`` and ``value`` run in parallel.
    """

    ts_ms: tuple[int, ...]
    value: tuple[Value, ...]
    complete_from_ms: int
