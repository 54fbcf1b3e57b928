"""From batch bodies to what is written to `sample` and `latest`. Pure: bytes in, bytes out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from central.errors import PoisonError
from central.inbox.copy_rows import copy_pieces
from central.inbox.sample_table import SampleTable, joined, table_of
from central.store.claims import (
    Claim,
    EpochKey,
    PlacedRecord,
    Poison,
    Prepared,
    SeriesMap,
)
from central.store.instants import INSTANT_MS_MAX, INSTANT_MS_MIN
from central.store.partition_days import DAY_MS
from shared.codec.body import decode_body
from shared.codec.columns import SampleColumns
from shared.errors import CodecError
from shared.sync.records import UnknownRecord, decode_records, is_records

_NO_SERIES = SeriesMap(np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.uint8))


def prepare(claims: Sequence[Claim], maps: Mapping[EpochKey, SeriesMap]) -> Prepared:
    """Return what is to be written for ``claims``; a batch that cannot be read becomes poison.

    ``maps`` holds what the series numbers of each epoch mean, as far as it is known.
    """
    tables: list[SampleTable] = []
    records: list[PlacedRecord] = []
    poison: list[Poison] = []
    for claim in claims:
        try:
            if is_records(claim.body):
                records += _records(claim)
                continue
            tables.append(_unpacked(claim, maps.get(claim.key.epoch_key, _NO_SERIES)))
        except PoisonError as error:
            poison.append(Poison(claim.key, error.reason, error.detail))
        except Exception as error:  # noqa: BLE001 - the edge of one batch: it must not stop the others
            poison.append(Poison(claim.key, "internal_error", repr(error)))
    written = _written(tables)
    return replace(written, poison=tuple(poison), records=tuple(records))


def _records(claim: Claim) -> list[PlacedRecord]:
    try:
        records = decode_records(claim.body)
    except CodecError as error:
        raise PoisonError("bad_body", str(error)) from error
    if len(records) != claim.n:
        raise PoisonError("bad_count", f"n says {claim.n} records, the body has {len(records)}")
    placed: list[PlacedRecord] = []
    for place, record in enumerate(records):
        if isinstance(record, UnknownRecord):
            raise PoisonError(
                "unknown_record", f"record {place} is of kind {record.tag}, of a later version"
            )
        placed.append(PlacedRecord(claim.key, place, record))
    return placed


def _written(tables: Sequence[SampleTable]) -> Prepared:
    if not any(table.rows for table in tables):
        return Prepared(copy=(), rows=0, days=frozenset(), latest=(), poison=())
    table = joined(tables).in_order()
    return Prepared(
        copy=copy_pieces(table),
        rows=table.rows,
        days=frozenset(np.unique(table.ts_ms // DAY_MS).tolist()),
        latest=tuple(sorted(table.newest(), key=lambda row: (row.site_id, row.series_id))),
        poison=(),
    )


def _unpacked(claim: Claim, known: SeriesMap) -> SampleTable:
    try:
        columns = decode_body(claim.body)
    except CodecError as error:
        raise PoisonError("bad_body", str(error)) from error
    _check_samples(claim, columns)
    return table_of(
        columns,
        site_id=claim.key.epoch_key.site_id,
        series_id=known.series_id[_places(columns, known)],
        # An edge whose own clock runs ahead must not rank above all it sends once that is set.
        recv_max_ms=min(claim.recv_max_ms, claim.key.received_ms),
    )


def _check_samples(claim: Claim, columns: SampleColumns) -> None:
    n = len(columns.ts_ms)
    if n != claim.n:
        raise PoisonError("bad_count", f"n says {claim.n} samples, the body has {n}")
    if n and (columns.ts_ms.min() < INSTANT_MS_MIN or columns.ts_ms.max() > INSTANT_MS_MAX):
        raise PoisonError(
            "bad_ts", "ts_ms: expected a time between 4714 BC and 294276 AD in every sample"
        )
    if not np.isfinite(columns.number).all():
        raise PoisonError("bad_value", "value: expected finite numbers, found NaN or an infinity")


def _places(columns: SampleColumns, known: SeriesMap) -> NDArray[np.intp]:
    """Return where each series of ``columns`` stands in ``known``, its type checked."""
    where = np.searchsorted(known.ix, columns.series_ix)
    found = where < len(known.ix)
    found[found] = known.ix[where[found]] == columns.series_ix[found]
    if not found.all():
        raise PoisonError(
            "unknown_series", f"series number {columns.series_ix[~found][0]} was never declared"
        )
    wrong = known.value_type[where] != columns.value_type
    if wrong.any():
        raise PoisonError(
            "bad_type",
            f"series number {columns.series_ix[wrong][0]} was declared with value type "
            f"{known.value_type[where][wrong][0]}, the body has {columns.value_type[wrong][0]}",
        )
    return where
