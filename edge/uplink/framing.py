"""From what the log says to the frames that say it. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from edge.log.records import Identity, LaneState, LogState, StoredBatch
from edge.uplink.events import LogRead, ReadLog
from shared.domain.samples import Series
from shared.sync.frames import (
    MARKS_MAX,
    REPORTED_REASONS_MAX,
    SERIES_PER_FRAME_MAX,
    UNIT_LENGTH_MAX,
    Batch,
    Hello,
    LaneBacklog,
    LaneExtent,
    Report,
    Role,
    SeriesEntry,
)
from shared.sync.marks import Hashes, make_marks, marked_seqs

_SOFTWARE_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True)
class Installation:
    """What an edge says of itself beside what its log says."""

    software: str
    boot_id: str  # new at every start of the process
    # Asked for every report: what never reached the edge, by reason.
    broker_refused: Callable[[], Mapping[str, int]] = dict[str, int]
    role: Role = Role.ALL  # of the connection


def make_hello(
    identity: Identity,
    state: LogState,
    installation: Installation,
    *,
    hashes: Hashes,
    now_ms: int,
) -> Hello:
    """Return the HELLO of an edge whose log is in ``state``.

    ``hashes`` are the sha256 of batches to mark, by lane and number.
    """
    return Hello(
        site=identity.site,
        edge_id=identity.edge_id,
        install_uuid=identity.install_uuid,
        boot_id=installation.boot_id,
        epoch=identity.epoch,
        software=installation.software[:_SOFTWARE_LENGTH_MAX],
        lanes={lane: _extent(of_lane) for lane, of_lane in sorted(state.lanes.items())},
        series_count=state.series,
        sent_at_ms=now_ms,
        marks=make_marks(hashes),
        role=installation.role,
    )


def seqs_to_mark(state: LogState, wanted: Mapping[int, Collection[int]]) -> dict[int, list[int]]:
    """Return which batches of each lane HELLO marks: its end, and what central asked about."""
    return {
        number: sorted({*marked_seqs(lane.first_retained, lane.last_seq), *wanted.get(number, ())})[
            -MARKS_MAX:
        ]
        for number, lane in state.lanes.items()
    }


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """What a report says of the link itself."""

    rtt_ms: float | None
    sent_today_bytes: Mapping[str, int]
    held_up: str | None


def make_report(
    state: LogState, broker_refused: Mapping[str, int], link: LinkFigures, *, now_ms: int
) -> Report:
    """Return how the edge stands, for headquarters; of too many reasons the most frequent."""
    return Report(
        sent_at_ms=now_ms,
        lanes={lane: _backlog(of_lane) for lane, of_lane in sorted(state.lanes.items())},
        disk_free_bytes=max(0, state.free_bytes),
        rtt_ms=link.rtt_ms,
        quarantined=_most_frequent(state.quarantined),
        broker_refused=_most_frequent(broker_refused),
        sent_today_bytes=dict(link.sent_today_bytes),
        held_up=link.held_up,
    )


def answer_read(
    asked: ReadLog,
    stored: Sequence[StoredBatch],
    catalogue: Sequence[tuple[int, Series]],
) -> LogRead:
    """Return the answer to ``asked``; ``catalogue`` holds at least the series that are used.

    Only entries that are as durable as a batch are taken: a number that the edge might give to
    another series after a power cut must never reach central.
    """
    used = max((batch.series_count for batch in stored), default=0)
    entries = [_entry(ix, series) for ix, series in catalogue if ix <= used]
    return LogRead(
        lane=asked.lane,
        first=asked.first,
        last=asked.last,
        batches=tuple(_batch(batch) for batch in stored),
        series=tuple(entries[:SERIES_PER_FRAME_MAX]),
        series_more=len(entries) > SERIES_PER_FRAME_MAX,
    )


def _extent(lane: LaneState) -> LaneExtent:
    # A lane that was emptied is (last + 1, last), one that never had a batch (1, 0).
    return LaneExtent(max(1, lane.first_retained), max(0, lane.last_seq))


def _backlog(lane: LaneState) -> LaneBacklog:
    return LaneBacklog(
        last_seq=lane.last_seq,
        acked=lane.acked.count,
        backlog_batches=lane.backlog_batches,
        backlog_samples=lane.backlog_samples,
        backlog_bytes=lane.backlog_bytes,
        oldest_ms=lane.oldest_unacked_ms,
    )


def _most_frequent(reasons: Mapping[str, int]) -> dict[str, int]:
    descending = sorted(reasons.items(), key=lambda item: -item[1])
    return dict(descending[:REPORTED_REASONS_MAX])


def _batch(stored: StoredBatch) -> Batch:
    return Batch(
        lane=stored.lane,
        seq=stored.seq,
        n=stored.n,
        t_min_ms=stored.t_min_ms,
        t_max_ms=stored.t_max_ms,
        recv_min_ms=stored.recv_min_ms,
        recv_max_ms=stored.recv_max_ms,
        sha256=stored.sha256,
        body=stored.body,
    )


def _entry(ix: int, series: Series) -> SeriesEntry:
    # A unit beyond the protocol's limits would stop the whole lane; shortened it stops nothing.
    unit = "".join(c for c in series.unit if c.isprintable())[:UNIT_LENGTH_MAX]
    name = series.name
    return SeriesEntry(ix, name.kind, name.asset_id, name.metric, unit, int(series.value_type))
