"""Builders of SampleColumns for tests, and hypothesis strategies of every valid one."""

import struct
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from shared.codec.columns import SampleColumns, columns_from_rows
from shared.domain.samples import TEXT_LENGTH_MAX, Value, ValueType

Row = tuple[int, ValueType, int, Value, int]  # series_ix, value_type, ts_ms, value, quality

INT64 = st.integers(-(2**63), 2**63 - 1)
ANY_BITS = st.integers(0, 2**64 - 1).map(
    lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]
)
DECIMAL = st.tuples(st.integers(-(10**8), 10**8), st.integers(0, 6)).map(
    lambda scaled: float(scaled[0] / 10 ** scaled[1])
)
NUMBER = st.one_of(ANY_BITS, st.floats(), DECIMAL, st.sampled_from([0.0, -0.0, 5e-324, 0.1 + 0.2]))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.just("\0")
VALUE_OF_TYPE: dict[ValueType, st.SearchStrategy[Value]] = {
    ValueType.NUMBER: NUMBER,
    ValueType.INTEGER: INT64,
    ValueType.FLAG: st.booleans(),
    ValueType.TEXT: TEXT | st.just("é" * TEXT_LENGTH_MAX),
}


def columns_of(rows: Sequence[Row]) -> SampleColumns:
    """Return the columns of ``rows``; no rows give empty columns."""
    series_ix, value_type, ts_ms, value, quality = zip(*rows, strict=True) if rows else [()] * 5
    return columns_from_rows(series_ix, value_type, ts_ms, value, quality)


def number_columns_of(
    table: np.ndarray[tuple[int, int], np.dtype[np.float64]], *, step_ms: int = 1000
) -> SampleColumns:
    """Return NUMBER series 1.. from the columns of ``table``; its rows are ``step_ms`` apart."""
    rows, series = table.shape
    n = table.size
    return SampleColumns(
        series_ix=np.arange(1, series + 1, dtype=np.uint32),
        value_type=np.full(series, ValueType.NUMBER, dtype=np.uint8),
        count=np.full(series, rows, dtype=np.uint32),
        ts_ms=np.tile(1_700_000_000_000 + step_ms * np.arange(rows, dtype=np.int64), series),
        quality=np.zeros(n, dtype=np.uint16),
        number=np.ascontiguousarray(table.T).ravel(),
        integer=np.empty(0, dtype=np.int64),
        flag=np.empty(0, dtype=np.bool_),
        text=(),
    )


@st.composite
def sample_rows(draw: st.DrawFn) -> list[Row]:
    """Draw rows of up to eight series, any types, times, values and qualities, shuffled."""
    rows: list[Row] = []
    for series_ix in draw(st.lists(st.integers(0, 2**32 - 1), max_size=8, unique=True)):
        value_type = draw(st.sampled_from(ValueType))
        times = draw(st.lists(INT64 | st.integers(0, 5), min_size=1, max_size=12))
        value = VALUE_OF_TYPE[value_type]
        if draw(st.booleans()):
            value = st.just(draw(value))
        quality = st.integers(0, 2**16 - 1) if draw(st.booleans()) else st.just(0)
        rows += [(series_ix, value_type, ts, draw(value), draw(quality)) for ts in times]
    return draw(st.permutations(rows))
