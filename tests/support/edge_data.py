"""What an edge sends to central, made up: greetings, catalogue entries, batches of samples."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from shared.codec.body import encode_body
from shared.codec.columns import columns_from_rows
from shared.domain.samples import Value, ValueType
from shared.sync.frames import LANES_MAX, Batch, Hello, LaneExtent, Mark, Role, SeriesEntry
from shared.sync.ranges import SEQ_MAX
from shared.sync.records import ALERT_LANE, KnownRecord, encode_records

NOW_MS = 1_795_435_200_000  # 2026-11-23T12:00Z
LANE = 2  # telemetry
SERIES_COUNT = 1_000_000


class Sample(NamedTuple):
    """One measurement: the series' number, its time, its value and what is known against it."""

    ix: int
    ts_ms: int
    value: Value
    quality: int = 0


def hello(
    *,
    site: str = "kaduna",
    edge_id: str = "edge-1",
    install: int = 1,
    epoch: int = 0,
    boot_id: str = "boot-1",
    lanes: Mapping[int, LaneExtent] = {},
    series_count: int = SERIES_COUNT,
    marks: Mapping[int, tuple[Mark, ...]] = {},
    role: Role = Role.ALL,
) -> Hello:
    """Return the greeting of installation number ``install``, whose log has all that is held."""
    return Hello(
        site=site,
        edge_id=edge_id,
        install_uuid=str(UUID(int=install)),
        boot_id=boot_id,
        epoch=epoch,
        software="0.1.0",
        lanes=dict(lanes) or dict.fromkeys(range(LANES_MAX), LaneExtent(1, SEQ_MAX)),
        series_count=series_count,
        sent_at_ms=NOW_MS,
        marks=dict(marks),
        role=role,
    )


def entry(
    ix: int,
    metric: str = "ch4_pct",
    *,
    asset_id: str = "ch4-01",
    kind: str = "sensor",
    unit: str = "%",
    value_type: ValueType = ValueType.NUMBER,
) -> SeriesEntry:
    """Return one catalogue entry."""
    return SeriesEntry(ix, kind, asset_id, metric, unit, value_type)


def record_batch(seq: int, *records: KnownRecord, lane: int = ALERT_LANE) -> Batch:
    """Return a batch of an urgent lane."""
    return batch_of_body(seq, encode_records(records), n=len(records), lane=lane)


def type_of(value: Value) -> ValueType:
    """Return how ingest stores ``value``."""
    match value:
        case bool():
            return ValueType.FLAG
        case str():
            return ValueType.TEXT
        case int():
            return ValueType.INTEGER
        case float():
            return ValueType.NUMBER


def batch(
    seq: int, samples: Sequence[Sample], *, lane: int = LANE, recv_max_ms: int = NOW_MS
) -> Batch:
    """Return a batch of ``samples``."""
    columns = columns_from_rows(
        [sample.ix for sample in samples],
        [type_of(sample.value) for sample in samples],
        [sample.ts_ms for sample in samples],
        [sample.value for sample in samples],
        [sample.quality for sample in samples],
    )
    return batch_of_body(
        seq, encode_body(columns), len(samples), lane=lane, recv_max_ms=recv_max_ms
    )


def batch_of_body(
    seq: int, body: bytes, n: int, *, lane: int = LANE, recv_max_ms: int = NOW_MS
) -> Batch:
    """Return a batch with any bytes as its body."""
    return Batch(
        lane=lane,
        seq=seq,
        n=n,
        t_min_ms=NOW_MS,
        t_max_ms=NOW_MS,
        recv_min_ms=NOW_MS,
        recv_max_ms=recv_max_ms,
        sha256=sha256(body).digest(),
        body=body,
    )
