"""NUMBER columns as bytes: decimals as integers, the rest as bits, exceptions beside them.

One mode per column: 0..22 is the power of ten, 32..54 the same with the quotient rounded to
float32, 64 + s a column of raw bits whose lowest ``s`` (0..63) bits are always zero. After the
modes stand the decimal columns (heads, differences), the exceptions (positions, bits) and the raw
columns (heads, widths, exclusive or with the value before).
"""

import numpy as np
from numpy.typing import NDArray

from shared.codec.decimals import EXPONENT_MAX, F64, find_decimals, to_values
from shared.codec.integer_columns import (
    read_differences,
    read_heads,
    write_differences,
    write_heads,
)
from shared.codec.packing import U64, Reader, Writer, width_of
from shared.codec.segments import I64, running_xor, starts_of
from shared.errors import CodecError

_SHORT_FROM = 32
_RAW_FROM = 64
_MODE_MAX = _RAW_FROM + 63


def write_numbers(out: Writer, values: F64, count: I64) -> None:
    """Append ``values`` (n,) laid in columns of ``count`` (k,) >= 1."""
    if not len(count):
        return
    decimals = find_decimals(values, count)
    raw = decimals.exponent < 0
    bits, shift = _shifted_bits(values[np.repeat(raw, count)], count[raw])
    mode = decimals.exponent + np.where(decimals.short, _SHORT_FROM, 0)
    mode[raw] = _RAW_FROM + shift
    out.stream(mode)
    if not raw.all():
        members = np.repeat(~raw, count)
        scaled = decimals.scaled[members]
        write_heads(out, scaled[starts_of(count[~raw])])
        write_differences(out, scaled, count[~raw])
        _write_exceptions(out, values[members], decimals.exact[members])
    if raw.any():
        _write_raw(out, bits, count[raw])


def read_numbers(source: Reader, count: I64) -> F64:
    """Return the values written by ``write_numbers``; shape (n,).

    The caller has bounded the sum of ``count``.

    Raises:
        CodecError: if the payload is cut short or a mode, width or position is impossible.
    """
    if not len(count):
        return np.empty(0, dtype=np.float64)
    mode = source.stream(len(count))
    _check_modes(mode)
    raw = mode >= _RAW_FROM
    values = np.empty(int(count.sum()), dtype=np.float64)
    if not raw.all():
        values[np.repeat(~raw, count)] = _read_decimals(source, mode[~raw], count[~raw])
    if raw.any():
        values[np.repeat(raw, count)] = _read_raw(source, mode[raw] - _RAW_FROM, count[raw])
    return values


def _check_modes(mode: I64) -> None:
    exponent = np.where(mode >= _SHORT_FROM, mode - _SHORT_FROM, mode)
    known = (mode >= _RAW_FROM) & (mode <= _MODE_MAX)
    known |= (mode >= 0) & (mode < _RAW_FROM) & (exponent <= EXPONENT_MAX)
    if not known.all():
        raise CodecError("mode of a number column must be 0..22, 32..54 or 64..127")


def _read_decimals(source: Reader, mode: I64, count: I64) -> F64:
    scaled = read_differences(source, read_heads(source, len(count)), count)
    short = mode >= _SHORT_FROM
    exponent = np.where(short, mode - _SHORT_FROM, mode)
    values = to_values(scaled, np.repeat(exponent, count), np.repeat(short, count))
    _read_exceptions(source, values)
    return values


def _write_exceptions(out: Writer, values: F64, exact: NDArray[np.bool_]) -> None:
    at = np.flatnonzero(~exact)
    out.varint(len(at))
    out.stream(np.diff(at, prepend=-1) - 1)
    out.raw(values[at].astype("<f8").tobytes())


def _read_exceptions(source: Reader, values: F64) -> None:
    size = source.varint(len(values))
    gaps = source.stream(size)
    if size and not 0 <= int(gaps.min()) <= int(gaps.max()) < len(values):
        raise CodecError("position of an exception is outside its columns")
    at = np.cumsum(gaps + 1) - 1
    if size and int(at[-1]) >= len(values):
        raise CodecError("position of an exception is outside its columns")
    values[at] = np.frombuffer(source.raw(8 * size), dtype="<f8")


def _shifted_bits(values: F64, count: I64) -> tuple[U64, I64]:
    """Return the bits of the values without the low zero bits that a whole column shares."""
    bits = values.view(np.uint64)
    if not len(count):
        return bits, np.empty(0, dtype=np.int64)
    used = np.bitwise_or.reduceat(bits, starts_of(count))
    lowest = (used & (~used + np.uint64(1))).astype(np.float64)
    # A power of two is exact in float64, so frexp gives its place; 0 (all zero) has place 0.
    shift = np.maximum(np.frexp(lowest)[1].astype(np.int64) - 1, 0)
    return bits >> np.repeat(shift, count).view(np.uint64), shift


def _write_raw(out: Writer, bits: U64, count: I64) -> None:
    starts = starts_of(count)
    heads = bits[starts]
    head_width = width_of(heads)
    out.stream(head_width.astype(np.int64))
    out.graded(heads, head_width, np.ones(len(heads), dtype=np.int64))
    steps = bits.copy()
    steps[1:] ^= bits[:-1]
    steps[starts] = 0
    width = width_of(np.maximum.reduceat(steps, starts))
    out.stream(width.astype(np.int64))
    rest = np.ones(len(bits), dtype=np.bool_)
    rest[starts] = False
    out.graded(steps[rest], width, count - 1)


def _read_raw(source: Reader, shift: I64, count: I64) -> F64:
    ones = np.ones(len(count), dtype=np.int64)
    heads = source.graded(source.stream(len(count)), ones)
    steps = np.empty(int(count.sum()), dtype=np.uint64)
    rest = np.ones(len(steps), dtype=np.bool_)
    rest[starts_of(count)] = False
    steps[rest] = source.graded(source.stream(len(count)), count - 1)
    steps[~rest] = heads
    bits = running_xor(steps, count) << np.repeat(shift, count).view(np.uint64)
    return bits.view(np.float64)
