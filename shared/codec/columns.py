"""Samples of one batch as columns. Owns the grouping of rows by series; knows nothing of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.domain.samples import Value, ValueType


@dataclass(frozen=True, slots=True, eq=False)
class SampleColumns:
    """Samples of one batch, grouped by series; within a series in arrival order.

    ``k`` series and ``n`` samples. The values of the series stand in the array of their type, in
    series order: those of the NUMBER series in ``number``, and so on. Compare two of them with
    ``same_samples``: equality of floats is not equality of bits.
    """

    series_ix: NDArray[np.uint32]  # (k,) strictly ascending
    value_type: NDArray[np.uint8]  # (k,) ValueType of each series
    count: NDArray[np.uint32]  # (k,) samples of each series, at least 1; their sum is n
    ts_ms: NDArray[np.int64]  # (n,) milliseconds since the epoch
    quality: NDArray[np.uint16]  # (n,) Quality bits
    number: NDArray[np.float64]
    integer: NDArray[np.int64]
    flag: NDArray[np.bool_]
    text: tuple[str, ...]

    def same_samples(self, other: "SampleColumns") -> bool:
        """Tell whether both hold the same samples, floats compared bit by bit."""
        return self.text == other.text and all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(_arrays(self), _arrays(other), strict=True)
        )


def columns_from_rows(
    series_ix: Sequence[int],
    value_type: Sequence[int],
    ts_ms: Sequence[int],
    value: Sequence[Value],
    quality: Sequence[int],
) -> SampleColumns:
    """Return the rows grouped by series; rows of one series keep their order.

    The five sequences run in parallel, one entry per sample in arrival order.

    Raises:
        ValueError: if the lengths differ, a series has two value types, a value is not of its
            type, or a number does not fit its column (``series_ix`` 32 bits unsigned, ``ts_ms``
            and INTEGER values 64 bits signed, ``quality`` 16 bits unsigned).
    """
    n = len(series_ix)
    if not n == len(value_type) == len(ts_ms) == len(value) == len(quality):
        raise ValueError("the five sequences of rows must have the same length")
    rows_ix = _integers(series_ix, np.uint32, "series_ix")
    order = np.argsort(rows_ix, kind="stable")
    rows_ix = rows_ix[order]
    rows_type = _integers(value_type, np.uint8, "value_type")[order]
    first = np.flatnonzero(np.diff(rows_ix, prepend=np.uint32(0)) != 0)
    if n and (not len(first) or first[0]):
        first = np.concatenate(([0], first))
    count = np.diff(first, append=n).astype(np.uint32)
    types = rows_type[first]
    _check_types(rows_type, types, count)
    return SampleColumns(
        series_ix=rows_ix[first],
        value_type=types,
        count=count,
        ts_ms=_integers(ts_ms, np.int64, "ts_ms")[order],
        quality=_integers(quality, np.uint16, "quality")[order],
        number=_floats(_values_of(ValueType.NUMBER, value, order, rows_type)),
        integer=_int64s(_values_of(ValueType.INTEGER, value, order, rows_type)),
        flag=_flags(_values_of(ValueType.FLAG, value, order, rows_type)),
        text=_texts(_values_of(ValueType.TEXT, value, order, rows_type)),
    )


def _integers(numbers: Sequence[int], dtype: type[np.integer[Any]], field: str) -> NDArray[Any]:
    column = np.array(numbers)
    if not column.size:
        return np.empty(0, dtype=dtype)
    fits = np.iinfo(dtype)
    # A list with a number beyond 64 bits, or with other things than integers, has another kind.
    if column.dtype.kind not in "iu" or column.min() < fits.min or column.max() > fits.max:
        raise ValueError(f"{field}: expected integers from {fits.min} to {fits.max}")
    return column.astype(dtype)


def _check_types(
    rows_type: NDArray[np.uint8], types: NDArray[np.uint8], count: NDArray[np.uint32]
) -> None:
    if not np.array_equal(np.repeat(types, count), rows_type):
        raise ValueError("value_type: a series has samples of two types")
    unknown = set(types.tolist()) - set(ValueType)
    if unknown:
        raise ValueError(f"value_type: expected one of 1..4, got {sorted(unknown)}")


def _values_of(
    value_type: ValueType,
    value: Sequence[Value],
    order: NDArray[np.intp],
    rows_type: NDArray[np.uint8],
) -> list[Any]:
    rows = order[rows_type == value_type].tolist()
    return [value[row] for row in rows]


def _floats(values: list[Any]) -> NDArray[np.float64]:
    if not all(type(value) in (float, int) for value in values):
        raise ValueError("value: expected a number in a NUMBER series")
    column = np.array(values, dtype=np.float64)
    if not column.tolist() == values and any(
        type(value) is int and value != int(converted)
        for value, converted in zip(values, column.tolist(), strict=True)
    ):
        raise ValueError("value: an integer that float64 cannot hold belongs to INTEGER")
    return column


def _int64s(values: list[Any]) -> NDArray[np.int64]:
    if not all(type(value) is int for value in values):
        raise ValueError("value: expected an integer in an INTEGER series")
    return _integers(values, np.int64, "value")


def _flags(values: list[Any]) -> NDArray[np.bool_]:
    if not all(type(value) is bool for value in values):
        raise ValueError("value: expected true or false in a FLAG series")
    return np.array(values, dtype=np.bool_)


def _texts(values: list[Any]) -> tuple[str, ...]:
    if not all(type(value) is str for value in values):
        raise ValueError("value: expected a string in a TEXT series")
    return tuple(values)


def _arrays(columns: SampleColumns) -> tuple[NDArray[Any], ...]:
    heads = (columns.series_ix, columns.value_type, columns.count, columns.ts_ms, columns.quality)
    return (*heads, columns.number.view(np.int64), columns.integer, columns.flag)
