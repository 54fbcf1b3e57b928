"""From batch bodies to what is written to `sample` and `latest`. Pure: bytes in, bytes out.

What is wrong with one sample costs that sample only; what is wrong with a body costs the body;
and what a newer program or a fuller catalogue may understand is set aside, not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.errors import PoisonError
from central.inbox.copy_rows import copy_pieces
from central.inbox.sample_table import SampleTable, joined, table_of
from central.store.claims import (
    Claim,
    EpochKey,
    Parked,
    PlacedRecord,
    Poison,
    Prepared,
    RowSet,
    SeriesMap,
)
from central.store.instants import INSTANT_MS_MAX, INSTANT_MS_MIN
from central.store.partition_days import DAY_MS
from shared.codec.body import decode_body
from shared.codec.columns import SampleColumns
from shared.codec.text_columns import is_fit
from shared.domain.samples import ValueType
from shared.errors import CodecError, UnknownFormatError
from shared.sync.records import UnknownRecord, decode_records, is_records

_NO_SERIES: Final = SeriesMap(np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.uint8))
_DETAILS: Final = {
    "bad_ts": "ts_ms: expected a time between 4714 BC and 294276 AD",
    "bad_value": "value: expected a finite number, found NaN or an infinity",
    "bad_text": "value: expected at most 256 characters of UTF-8",
}


def prepare(claims: Sequence[Claim], maps: Mapping[EpochKey, SeriesMap]) -> Prepared:
    """Return what is to be written for ``claims``, and what of them cannot be.

    ``maps`` holds what the series numbers of each epoch mean, as far as it is known.
    """
    tables: list[SampleTable] = []
    records: list[PlacedRecord] = []
    poison: list[Poison] = []
    parked: list[Parked] = []
    for claim in claims:
        match _opened(claim, maps.get(claim.key.epoch_key, _NO_SERIES)):
            case Parked() as waiting:
                parked.append(waiting)
            case Poison() as fault:
                poison.append(fault)
            case list() as placed:
                records += placed
            case (table, faults):
                tables.append(table)
                poison += faults
    written = _written(tables)
    return replace(written, poison=tuple(poison), parked=tuple(parked), records=tuple(records))


def _opened(
    claim: Claim, known: SeriesMap
) -> tuple[SampleTable, list[Poison]] | list[PlacedRecord] | Parked | Poison:
    """Return what is in a batch: samples, or records; or why it cannot be told."""
    try:
        return _records(claim) if is_records(claim.body) else _unpacked(claim, known)
    except UnknownFormatError as error:
        return Parked(claim.key, "unknown_format", str(error))
    except CodecError as error:
        return Poison(claim.key, "bad_body", str(error))
    except PoisonError as error:
        return Poison(claim.key, error.reason, error.detail)
    except Exception as error:  # noqa: BLE001 - the edge of one batch: it must not stop the others
        return Poison(claim.key, "internal_error", repr(error))


def _written(tables: Sequence[SampleTable]) -> Prepared:
    if not any(table.rows for table in tables):
        return Prepared(copy=(), rows=0, days=frozenset(), latest=(), poison=())
    table = joined(tables).in_order()
    return Prepared(
        copy=copy_pieces(table),
        rows=table.rows,
        days=frozenset(np.unique(table.ts_ms // DAY_MS).tolist()),
        latest=tuple(sorted(table.newest(), key=lambda row: (row.site_id, row.series_id))),
        hours=table.hours(),
        poison=(),
    )


def _records(claim: Claim) -> list[PlacedRecord] | Parked:
    records = decode_records(claim.body)
    if len(records) != claim.n:
        raise PoisonError("bad_count", f"n says {claim.n} records, the body has {len(records)}")
    placed: list[PlacedRecord] = []
    for place, record in enumerate(records):
        if isinstance(record, UnknownRecord):
            detail = f"record {place} is of kind {record.tag}, of a later version"
            return Parked(claim.key, "unknown_record", detail)
        if claim.rows is None or claim.rows[place]:
            placed.append(PlacedRecord(claim.key, place, record))
    return placed


def _unpacked(claim: Claim, known: SeriesMap) -> tuple[SampleTable, list[Poison]] | Parked:
    """Return the good samples of a batch and what is wrong with the others."""
    columns = decode_body(claim.body, strict_text=False)
    n = len(columns.ts_ms)
    if n != claim.n:
        raise PoisonError("bad_count", f"n says {claim.n} samples, the body has {n}")
    asked = np.ones(n, np.bool_) if claim.rows is None else claim.rows
    places, unknown_ix = _places(columns, known)
    if unknown_ix is not None:
        detail = f"series number {unknown_ix} was never declared"
        return Parked(claim.key, "unknown_series", detail, unknown_ix)
    table = table_of(
        columns,
        site_id=claim.key.epoch_key.site_id,
        series_id=known.series_id[places],
        # An edge whose own clock runs ahead must not rank above all it sends once that is set.
        recv_max_ms=min(claim.recv_max_ms, claim.key.received_ms),
    )
    poison: list[Poison] = []
    for reason, detail, rows in _faults(columns, known.value_type[places]):
        found = rows & asked
        if found.any():
            asked = asked & ~found  # one reason a sample: the first
            poison.append(Poison(claim.key, reason, _counted(detail, found), found))
    return table.only(asked), poison


def _faults(columns: SampleColumns, declared: NDArray[np.uint8]) -> list[tuple[str, str, RowSet]]:
    """Return for each kind of fault its reason, a sentence, and the samples that have it."""
    types = np.repeat(columns.value_type, columns.count)
    mistyped = np.repeat(columns.value_type != declared, columns.count)
    finite = np.ones(len(types), np.bool_)
    finite[types == ValueType.NUMBER] = np.isfinite(columns.number)
    unfit = {text for text in set(columns.text) if not is_fit(text)}
    fit = np.ones(len(types), np.bool_)
    if unfit:
        fit[types == ValueType.TEXT] = [text not in unfit for text in columns.text]
    outside = (columns.ts_ms < INSTANT_MS_MIN) | (columns.ts_ms > INSTANT_MS_MAX)
    return [
        ("bad_type", _type_detail(columns, declared), mistyped),
        ("bad_ts", _DETAILS["bad_ts"], outside),
        ("bad_value", _DETAILS["bad_value"], ~finite),
        ("bad_text", _DETAILS["bad_text"], ~fit),
    ]


def _type_detail(columns: SampleColumns, declared: NDArray[np.uint8]) -> str:
    wrong = np.flatnonzero(columns.value_type != declared)
    if not len(wrong):
        return ""
    first = wrong[0]
    return (
        f"series number {columns.series_ix[first]} was declared with value type "
        f"{declared[first]}, the body has {columns.value_type[first]}"
    )


def _counted(detail: str, rows: RowSet) -> str:
    count = np.count_nonzero(rows)
    return f"{count} of {len(rows)} samples, the first is no. {rows.argmax()}: {detail}"


def _places(columns: SampleColumns, known: SeriesMap) -> tuple[NDArray[np.intp], int | None]:
    """Return where each series of ``columns`` stands in ``known``, and the first that does not."""
    where = np.searchsorted(known.ix, columns.series_ix)
    found = where < len(known.ix)
    found[found] = known.ix[where[found]] == columns.series_ix[found]
    return where, None if found.all() else int(columns.series_ix[~found][0])
