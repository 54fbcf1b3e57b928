"""Columns of int64 as differences: which difference suits each column, and back again.

Layout of the columns that have more than one element (a single element is its own head):
one code per column, ``order * 16 + width``; the first differences of the columns of order 2; then
the zigzagged differences of all but the first element, at the column's width.

Order 0 subtracts the column's first element (noise around a level), order 1 the element before
(slow walks), order 2 extends the last step (clocks and counters). Heads, the first element of each
column, are written by the caller, who knows what they look like.
"""

import numpy as np
from numpy.typing import NDArray

from shared.codec.packing import U64, Reader, Writer, width_of
from shared.codec.segments import I64, running_sum, starts_of, unzigzag, zigzag
from shared.errors import CodecError

_LEVEL, _STEP, _SLOPE = 0, 1, 2
# An order must save this many bits a column before it is taken instead of order 1, which also
# decodes with one pass: 8 for a level, 24 for a slope, whose first difference is stored apart.
_HANDICAP_BITS = np.array([[8.0], [0.0], [24.0]])
_MANTISSA_BITS = 23  # of a float32: its bits divided by 2**23 are a piecewise linear log2


def write_heads(out: Writer, heads: I64) -> None:
    """Append the first elements of columns of unlike magnitude: a width each, then the numbers."""
    codes = zigzag(heads)
    width = width_of(codes)
    out.stream(width.astype(np.int64))
    out.graded(codes, width, np.ones(len(heads), dtype=np.int64))


def read_heads(source: Reader, count: int) -> I64:
    """Return the ``count`` heads written by ``write_heads``.

    Raises:
        CodecError: if the payload is cut short or a width is impossible.
    """
    width = source.stream(count)
    return unzigzag(source.graded(width, np.ones(count, dtype=np.int64)))


def write_differences(out: Writer, values: I64, count: I64) -> None:
    """Append all but the first element of each column; ``values`` (n,), ``count`` (k,) >= 1."""
    long = count >= 2
    if not long.any():
        return
    heads = values[starts_of(count)[long]]
    rest_count = count[long] - 1
    at = _positions_of_rest(count, len(values))
    order, slopes, differences = _choose(
        values[at], values[at - 1], np.repeat(heads, rest_count), rest_count
    )
    starts = starts_of(rest_count)
    width = width_of(np.maximum.reduceat(differences, starts))
    out.stream(order * 16 + width)
    slopes = slopes[order == _SLOPE]
    if len(slopes):
        write_heads(out, slopes)
    out.graded(differences, width, rest_count)


def read_differences(source: Reader, heads: I64, count: I64) -> I64:
    """Return whole columns from their ``heads`` and what ``write_differences`` wrote; (n,).

    The caller has bounded the sum of ``count``.

    Raises:
        CodecError: if the payload is cut short, or an order or width is impossible.
    """
    long = count >= 2
    if not long.any():
        return heads
    rest_count = count[long] - 1
    codes = source.stream(len(rest_count))
    order, width = codes >> 4, codes & 15
    if int(order.min()) < _LEVEL or int(order.max()) > _SLOPE:
        raise CodecError("order of a column must be 0..2")
    slopes = np.zeros(len(order), dtype=np.int64)
    with_slope = order == _SLOPE
    if with_slope.any():
        slopes[with_slope] = read_heads(source, int(with_slope.sum()))
    steps = unzigzag(source.graded(width, rest_count))
    values = np.empty(int(count.sum()), dtype=np.int64)
    starts = starts_of(count)
    values[starts] = heads
    rest = _undo(steps, order, slopes, rest_count) + np.repeat(heads[long], rest_count)
    values[_positions_of_rest(count, len(values))] = rest
    return values


def _positions_of_rest(count: I64, n: int) -> NDArray[np.intp]:
    rest = np.ones(n, dtype=np.bool_)
    rest[starts_of(count)] = False
    return np.flatnonzero(rest)


def _choose(rest: I64, before: I64, level: I64, count: I64) -> tuple[I64, I64, U64]:
    """Return order and first difference of each column, and the differences of that order."""
    starts = starts_of(count)
    steps = rest - before
    slopes = steps[starts]
    bends = np.empty_like(steps)
    bends[0] = 0
    np.subtract(steps[1:], steps[:-1], out=bends[1:])
    bends[starts] = 0
    by_order = (zigzag(rest - level), zigzag(steps), zigzag(bends))
    costs = np.stack([_bits_estimate(each, starts) for each in by_order]) + _HANDICAP_BITS
    order = np.argmin(costs, axis=0).astype(np.int64)
    if (order == order[0]).all():
        return order, slopes, by_order[int(order[0])]
    return order, slopes, np.choose(np.repeat(order, count), by_order)


def _bits_estimate(codes: U64, starts: I64) -> NDArray[np.float64]:
    """Return about how many bits the codes of each column need: the sum of log2(1 + code)."""
    logarithm = (codes.astype(np.float32) + np.float32(1)).view(np.uint32)
    offset = logarithm.astype(np.int64) - (127 << _MANTISSA_BITS)
    return np.add.reduceat(offset, starts) / float(1 << _MANTISSA_BITS)


def _undo(steps: I64, order: I64, slopes: I64, count: I64) -> I64:
    """Return the distance of each element to its column's head."""
    for at_least, first in ((_SLOPE, slopes), (_STEP, None)):
        chosen = order >= at_least
        if not chosen.any():
            continue
        all_chosen = bool(chosen.all())
        members = slice(None) if all_chosen else np.repeat(chosen, count)
        part, part_count = steps[members], count[chosen]
        if first is not None:
            part[starts_of(part_count)] += first[chosen]
        steps[members] = running_sum(part, part_count)
    return steps
