"""Samples of many batches as one sorted table. Pure numpy; owns the order and what "newest" means.

A sample with a wrong clock must not hide real ones: the newest of a series is found by the
device's time, but by no later time than when the edge had received the batch. A sample from the
future then counts as of its arrival and gives way to whatever is measured after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.store.claims import DirtyHour, LatestRow
from central.store.instants import INSTANT_MS_MAX, INSTANT_MS_MIN
from central.store.rollup_ranges import HOUR_MS, ROLLED_FROM_MS, ROLLED_UNTIL_MS
from shared.codec.columns import SampleColumns
from shared.domain.samples import Value, ValueType


@dataclass(frozen=True, slots=True, eq=False)
class SampleTable:
    """Parallel arrays, one entry per sample; those of one series have one value type.

    ``bits`` holds the value in 64 bits: the float64 of a NUMBER, an INTEGER, a FLAG as 0 or 1, for
    TEXT the index into ``texts``.
    """

    site_id: NDArray[np.int32]
    series_id: NDArray[np.int32]
    value_type: NDArray[np.uint8]
    ts_ms: NDArray[np.int64]
    ranked_ms: NDArray[np.int64]
    quality: NDArray[np.uint16]
    bits: NDArray[np.int64]
    texts: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many samples there are."""
        return len(self.ts_ms)

    def where(self, *types: ValueType) -> "SampleTable":
        """Return the samples of these value types, in the same order."""
        return self._picked(np.flatnonzero(np.isin(self.value_type, types)))

    def only(self, rows: NDArray[np.bool_]) -> "SampleTable":
        """Return the samples where ``rows``, one entry per sample, is true; in the same order."""
        return self if rows.all() else self._picked(np.flatnonzero(rows))

    def in_order(self) -> "SampleTable":
        """Return the samples by series, then rank, then time, then as they came."""
        return self._picked(np.lexsort((self.ts_ms, self.ranked_ms, self.series_id)))

    def newest(self) -> list[LatestRow]:
        """Return the last sample of each series; the table must be `in_order`."""
        last = np.flatnonzero(np.diff(self.series_id, append=-1))  # -1 is no series
        of = self._picked(last)
        return [
            LatestRow(site_id, series_id, ts_ms, ranked_ms, value, quality)
            for site_id, series_id, ts_ms, ranked_ms, quality, value in zip(
                of.site_id.tolist(),
                of.series_id.tolist(),
                of.ts_ms.tolist(),
                of.ranked_ms.tolist(),
                of.quality.tolist(),
                of.values(),
                strict=True,
            )
        ]

    def hours(self) -> tuple[DirtyHour, ...]:
        """Return the hours of each series that have a sample here, where hours are rolled up."""
        rolled = (self.ts_ms >= ROLLED_FROM_MS) & (self.ts_ms < ROLLED_UNTIL_MS)
        of = self.only(rolled)
        # One number for series and hour; hours until 2200 fit 32 bits many times over.
        places = of.series_id.astype(np.int64) << 32 | of.ts_ms // HOUR_MS
        keys, first = np.unique(places, return_index=True)
        hours_ms = (keys & 0xFFFFFFFF) * HOUR_MS
        sites, series = of.site_id[first].tolist(), of.series_id[first].tolist()
        return tuple(map(DirtyHour, sites, series, hours_ms.tolist()))

    def values(self) -> list[Value]:
        """Return the values as Python objects; for few rows only."""
        numbers = self.bits.view(np.float64).tolist()
        return [
            _value(ValueType(value_type), bits, number, self.texts)
            for value_type, bits, number in zip(
                self.value_type.tolist(), self.bits.tolist(), numbers, strict=True
            )
        ]

    def _picked(self, order: NDArray[np.intp]) -> "SampleTable":
        return SampleTable(
            self.site_id[order],
            self.series_id[order],
            self.value_type[order],
            self.ts_ms[order],
            self.ranked_ms[order],
            self.quality[order],
            self.bits[order],
            self.texts,
        )


def table_of(
    columns: SampleColumns, *, site_id: int, series_id: NDArray[np.int32], recv_max_ms: int
) -> SampleTable:
    """Return the samples of one batch.

    ``series_id``, shape (k,), are central's ids of the k series in ``columns``. ``recv_max_ms`` is
    when the newest sample had been received.
    """
    value_type = np.repeat(columns.value_type, columns.count)
    received_ms = min(max(recv_max_ms, INSTANT_MS_MIN), INSTANT_MS_MAX)
    return SampleTable(
        np.full(len(columns.ts_ms), site_id, np.int32),
        np.repeat(series_id, columns.count),
        value_type,
        columns.ts_ms,
        np.minimum(columns.ts_ms, received_ms),
        columns.quality,
        _bits(columns, value_type),
        columns.text,
    )


def joined(tables: Sequence[SampleTable]) -> SampleTable:
    """Return all samples of ``tables``, which must be at least one, in their order."""
    texts_before = np.cumsum([0, *(len(table.texts) for table in tables)])
    shifted = [
        np.where(table.value_type == ValueType.TEXT, table.bits + before, table.bits)
        for table, before in zip(tables, texts_before, strict=False)
    ]
    return SampleTable(
        np.concatenate([table.site_id for table in tables]),
        np.concatenate([table.series_id for table in tables]),
        np.concatenate([table.value_type for table in tables]),
        np.concatenate([table.ts_ms for table in tables]),
        np.concatenate([table.ranked_ms for table in tables]),
        np.concatenate([table.quality for table in tables]),
        np.concatenate(shifted),
        tuple(text for table in tables for text in table.texts),
    )


def _bits(columns: SampleColumns, value_type: NDArray[np.uint8]) -> NDArray[np.int64]:
    bits = np.empty(len(value_type), np.int64)
    of_type: dict[ValueType, NDArray[Any]] = {
        ValueType.NUMBER: columns.number.view(np.int64),
        ValueType.INTEGER: columns.integer,
        ValueType.FLAG: columns.flag.astype(np.int64),
        ValueType.TEXT: np.arange(len(columns.text), dtype=np.int64),
    }
    for each, values in of_type.items():
        bits[value_type == each] = values
    return bits


def _value(value_type: ValueType, bits: int, number: float, texts: tuple[str, ...]) -> Value:
    match value_type:
        case ValueType.NUMBER:
            return number
        case ValueType.INTEGER:
            return bits
        case ValueType.FLAG:
            return bool(bits)
        case ValueType.TEXT:
            return texts[bits]
