"""From waiting batches to encoded ones: what is committed together becomes one batch. Pure.

Rows keep the order in which they came. A group is cut where a batch would hold too many samples
or its body would not fit the frame that carries it to central.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.log.records import PendingBatch, PendingRecords
from shared.codec.body import encode_body
from shared.codec.columns import SampleColumns, columns_from_rows
from shared.domain.samples import Value
from shared.sync.records import encode_records

# About 16 KB on the wire at 2 bytes a sample, which is 131 ms at 1 Mbit/s; and encoding one keeps
# the interpreter's lock for less than 5 ms.
SAMPLES_PER_BATCH_MAX = 8_192


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples as parallel rows, in arrival order."""

    series_ix: Sequence[int]
    value_type: Sequence[int]
    ts_ms: Sequence[int]
    value: Sequence[Value]
    quality: Sequence[int]

    def __len__(self) -> int:
        return len(self.series_ix)

    def part(self, first: int, end: int) -> "Rows":
        """Return rows ``first`` to ``end`` - 1."""
        return Rows(
            self.series_ix[first:end],
            self.value_type[first:end],
            self.ts_ms[first:end],
            self.value[first:end],
            self.quality[first:end],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedBatch:
    """A batch ready to be stored: everything but its place in the lane."""

    n: int
    t_min_ms: int
    t_max_ms: int
    recv_min_ms: int
    recv_max_ms: int
    sha256: bytes
    body: bytes


def merge_rows(batches: Sequence[PendingBatch]) -> Rows:
    """Return the samples of all batches, one batch after the other."""
    if len(batches) == 1:
        only = batches[0]
        return Rows(only.series_ix, only.value_type, only.ts_ms, only.value, only.quality)
    merged: tuple[list[int], list[int], list[int], list[Value], list[int]] = ([], [], [], [], [])
    series_ix, value_type, ts_ms, value, quality = merged
    for batch in batches:
        series_ix.extend(batch.series_ix)
        value_type.extend(batch.value_type)
        ts_ms.extend(batch.ts_ms)
        value.extend(batch.value)
        quality.extend(batch.quality)
    return Rows(*merged)


def encode_group(batches: Sequence[PendingBatch], value_types: Sequence[int]) -> list[EncodedBatch]:
    """Return the batches that ``batches``, committed together, become; none for no samples.

    ``value_types`` are the types of series 1, 2, and so on, as the catalogue has them.

    Raises:
        ValueError: if a row cannot be stored; nothing tells which batch it came from.
    """
    if not batches:
        return []
    try:
        return _encoded(batches, value_types)
    except (TypeError, OverflowError) as error:  # a column holds something that is no number
        raise ValueError(f"a row cannot be stored: {error}") from error


def encode_pending_records(pending: PendingRecords) -> EncodedBatch:
    """Return the batch that ``pending`` becomes: an alert shares none with what waits beside it.

    Raises:
        ValueError: if there are no records, too many, or too long ones.
    """
    body = encode_records(pending.records)
    at_ms = [record.at_ms for record in pending.records]
    return EncodedBatch(
        n=len(pending.records),
        t_min_ms=min(at_ms),
        t_max_ms=max(at_ms),
        recv_min_ms=pending.received_ms,
        recv_max_ms=pending.received_ms,
        sha256=hashlib.sha256(body).digest(),
        body=body,
    )


def unstorable_rows(batch: PendingBatch, value_types: Sequence[int]) -> list[tuple[int, str]]:
    """Return the rows of ``batch`` that `encode_group` refuses, by position, and why."""
    return list(_unstorable(merge_rows([batch]), 0, value_types))


def _unstorable(rows: Rows, offset: int, value_types: Sequence[int]) -> Iterator[tuple[int, str]]:
    try:
        for _ in _bodies(rows, value_types):
            pass
    except (ValueError, TypeError, OverflowError) as error:
        if len(rows) == 1:
            yield offset, str(error)
            return
        half = len(rows) // 2
        yield from _unstorable(rows.part(0, half), offset, value_types)
        yield from _unstorable(rows.part(half, len(rows)), offset + half, value_types)


def _encoded(batches: Sequence[PendingBatch], value_types: Sequence[int]) -> list[EncodedBatch]:
    rows = merge_rows(batches)
    recv_min_ms = min(batch.recv_min_ms for batch in batches)
    recv_max_ms = max(batch.recv_max_ms for batch in batches)
    return [
        EncodedBatch(
            n=len(part),
            t_min_ms=min(part.ts_ms),
            t_max_ms=max(part.ts_ms),
            recv_min_ms=recv_min_ms,
            recv_max_ms=recv_max_ms,
            sha256=hashlib.sha256(body).digest(),
            body=body,
        )
        for first in range(0, len(rows), SAMPLES_PER_BATCH_MAX)
        for part, body in _bodies(rows.part(first, first + SAMPLES_PER_BATCH_MAX), value_types)
    ]


def _bodies(rows: Rows, value_types: Sequence[int]) -> Iterator[tuple[Rows, bytes]]:
    """Yield the rows with their body, halved until each body fits."""
    columns = columns_from_rows(
        rows.series_ix, rows.value_type, rows.ts_ms, rows.value, rows.quality
    )
    _check_catalogue(columns, value_types)
    try:
        body = encode_body(columns)
    except ValueError:  # among others: more bytes than a frame can carry
        if len(rows) == 1:
            raise
    else:
        yield rows, body
        return
    half = len(rows) // 2
    yield from _bodies(rows.part(0, half), value_types)
    yield from _bodies(rows.part(half, len(rows)), value_types)


def _check_catalogue(columns: SampleColumns, value_types: Sequence[int]) -> None:
    for ix, value_type in zip(columns.series_ix.tolist(), columns.value_type.tolist(), strict=True):
        if not 1 <= ix <= len(value_types):
            raise ValueError(f"series_ix: {ix} is not in the catalogue")
        if value_types[ix - 1] != value_type:
            raise ValueError(
                f"value_type: series {ix} is of type {value_types[ix - 1]}, got {value_type}"
            )
