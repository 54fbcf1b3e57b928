"""Timestamps as bytes. Series with the same times share one column: a device sends many metrics."""

import numpy as np
from numpy.typing import NDArray

from shared.codec.integer_columns import read_differences, write_differences
from shared.codec.packing import Reader, Writer
from shared.codec.segments import I64, starts_of, unzigzag, zigzag
from shared.errors import CodecError

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: spreads the bits of each time


def write_times(out: Writer, ts_ms: I64, count: I64) -> None:
    """Append ``ts_ms`` (n,) laid in columns of ``count`` (k,) >= 1."""
    if not len(count):
        return
    column, owner = _shared_columns(ts_ms, count)
    out.varint(len(owner))
    out.stream(zigzag(np.diff(column, prepend=0)).view(np.int64))
    members = np.zeros(len(count), dtype=np.bool_)
    members[owner] = True
    times = ts_ms[np.repeat(members, count)]
    out.stream(times[starts_of(count[owner])])
    write_differences(out, times, count[owner])


def read_times(source: Reader, count: I64) -> I64:
    """Return the times written by ``write_times``; shape (n,).

    The caller has bounded the sum of ``count``.

    Raises:
        CodecError: if the payload is cut short or series of unlike length share a column.
    """
    if not len(count):
        return np.empty(0, dtype=np.int64)
    size = source.varint(len(count))
    column = np.cumsum(unzigzag(source.stream(len(count)).view(np.uint64)))
    if not 0 <= int(column.min()) <= int(column.max()) < size:
        raise CodecError("number of a time column is outside its list")
    column_count = np.zeros(size, dtype=np.int64)
    column_count[column] = count
    if not column_count.all() or not np.array_equal(column_count[column], count):
        raise CodecError("a time column must be used, and by series of one length")
    times = read_differences(source, source.stream(size), column_count)
    if size == len(count) and np.array_equal(column, np.arange(size)):
        return times
    first = np.repeat(starts_of(column_count)[column] - starts_of(count), count)
    return times[first + np.arange(len(first))]


def _shared_columns(ts_ms: I64, count: I64) -> tuple[I64, NDArray[np.intp]]:
    """Return the column number of each series, and the series that owns each column.

    Columns are numbered by their first use, so that a series that owns one comes in column order.
    """
    starts = starts_of(count)
    place = np.arange(len(ts_ms)) - np.repeat(starts, count)
    mixed = (ts_ms.view(np.uint64) ^ (place.view(np.uint64) * _MIX)) * _MIX
    mixed ^= mixed >> np.uint64(29)
    digest = np.add.reduceat(mixed * _MIX, starts) ^ count.view(np.uint64)
    _, owner, group = np.unique(digest, return_index=True, return_inverse=True)
    owner_of = owner[group]
    owner_of[_differing(ts_ms, starts, count, owner_of)] = -1
    alone = np.flatnonzero(owner_of < 0)
    owner_of[alone] = alone  # equal digest, other times: a column of its own
    owner = np.flatnonzero(owner_of == np.arange(len(count)))
    return np.searchsorted(owner, owner_of), owner


def _differing(
    ts_ms: I64, starts: I64, count: I64, owner_of: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Tell for each series whether its times differ from those of the series it would share."""
    differs = count != count[owner_of]
    same = ~differs
    at = np.arange(len(ts_ms))
    shift = np.repeat(np.where(same, starts[owner_of] - starts, 0), count)
    unequal = ts_ms != ts_ms[at + shift]
    return differs | np.logical_or.reduceat(unequal, starts)
