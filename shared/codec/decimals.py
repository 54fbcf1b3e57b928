"""Which float64 columns are decimal numbers, and at which power of ten. Pure search, no bytes.

A value is *decimal at e* if an integer of at most 53 bits divided by ``10**e`` gives back exactly
its bits; IEEE 754 division is correctly rounded, so every machine agrees. Sensors and the JSON
they send are nearly always decimal with few places. A value is *short decimal at e* if the same
holds after the quotient is rounded to float32: what a controller with 32-bit reals sends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.codec.segments import I64, starts_of

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

EXPONENT_MAX = 22  # 10**22 is the largest power of ten that float64 holds exactly
NOT_DECIMAL = -1
_POWERS = 10.0 ** np.arange(EXPONENT_MAX + 1)
_DECIMAL_MAX = float(2**53)
# Any float32 is some integer of nine digits over a power of ten; only fewer digits are a saving.
_SHORT_DECIMAL_MAX = float(10**7)
_STAGES = ((0, 4), (4, 10), (10, EXPONENT_MAX + 1))  # most values are settled by the first

# Each round raises the exponent of the columns that need more places; a column that is not
# settled by then changes its precision all the time and is stored as it is.
_ROUNDS_MAX = 6
_EXCEPTION_BITS = 80.0  # an exception costs its 8 bytes and a position
_PLACE_BITS = 3.3  # log2(10): what one more decimal place costs each value
_EXCEPTIONS_PER_VALUE_MAX = 1 / 8  # a column with more of them is not decimal


@dataclass(frozen=True, slots=True)
class Decimals:
    """The decimal form of number columns; ``k`` columns, ``n`` values."""

    exponent: I64  # (k,) power of ten, or NOT_DECIMAL
    short: Flags  # (k,) the quotient is rounded to float32
    scaled: I64  # (n,) the integers; meaningless in columns that are not decimal
    exact: Flags  # (n,) False inside a decimal column: an exception


def find_decimals(values: F64, count: I64) -> Decimals:
    """Return the decimal form of ``values`` (n,) laid in columns of ``count`` (k,) >= 1."""
    exponent, short = _probe(values, count)
    scaled = np.zeros(len(values), dtype=np.int64)
    exact = np.zeros(len(values), dtype=np.bool_)
    unsettled = np.flatnonzero(exponent >= 0)
    for _ in range(_ROUNDS_MAX):
        if not len(unsettled):
            break
        members = _members(unsettled, count)
        part = _Part(values[members], count[unsettled], exponent[unsettled], short[unsettled])
        scaled[members], exact[members] = part.to_integers()
        wanted = part.exponent_wanted(exact[members])
        exponent[unsettled] = wanted
        unsettled = unsettled[(wanted != part.exponent) & (wanted >= 0)]
    exponent[unsettled] = NOT_DECIMAL
    return Decimals(exponent, short, scaled, exact)


def to_values(scaled: I64, exponent: I64, short: Flags) -> F64:
    """Return ``scaled / 10**exponent``, rounded to float32 where ``short``; all of shape (n,)."""
    values = scaled / _POWERS[exponent]
    if short.any():
        values[short] = values[short].astype(np.float32)
    return values


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns that are tried in one round."""

    values: F64
    count: I64
    exponent: I64
    short: Flags

    def to_integers(self) -> tuple[I64, Flags]:
        """Return the scaled integers and where they give back the value exactly."""
        power = np.repeat(_POWERS[self.exponent], self.count)
        short = np.repeat(self.short, self.count) if self.short.any() else None
        with np.errstate(all="ignore"):
            # + 0.0 turns -0.0 into 0.0: an integer has no negative zero, so -0.0 is no decimal.
            whole = np.rint(self.values * power) + 0.0
            back = whole / power
            if short is not None:
                back[short] = back[short].astype(np.float32)
            exact = np.abs(whole) <= _DECIMAL_MAX
            exact &= back.view(np.int64) == self.values.view(np.int64)
        if not exact.all():
            whole = _fill_exceptions(whole, exact, self.count)
        return whole.astype(np.int64), exact

    def exponent_wanted(self, exact: Flags) -> I64:
        """Return the exponent that each column should have: the same where all is well."""
        if exact.all():
            return self.exponent
        starts = starts_of(self.count)
        misses = np.add.reduceat(~exact, starts, dtype=np.int64)
        missing = np.flatnonzero(misses)
        need = _exponent_of_some(self, np.flatnonzero(~exact), starts)
        present, count = self.exponent[missing], self.count[missing]
        tolerable = misses[missing] <= count * _EXCEPTIONS_PER_VALUE_MAX
        cheaper = misses[missing] * _EXCEPTION_BITS < count * _PLACE_BITS * (need - present)
        raised = (need > present) & ~(tolerable & cheaper)
        wanted = self.exponent.copy()
        wanted[missing] = np.where(raised, need, np.where(tolerable, present, NOT_DECIMAL))
        return wanted


def _probe(values: F64, count: I64) -> tuple[I64, Flags]:
    """Guess exponent and shortness of each column from its first, middle and last value."""
    starts = starts_of(count)
    at = starts[None, :]
    if len(count) != len(values):
        at = np.stack([starts, starts + count // 2, starts + count - 1])
    probes = values[at].ravel()
    exponents = _exponent_of(probes, short=False)
    shorts = np.full(len(probes), NOT_DECIMAL, dtype=np.int64)
    left = np.flatnonzero(exponents < 0)
    if len(left):
        shorts[left] = _exponent_of(probes[left], short=True)
    exponent: I64 = exponents.reshape(at.shape).max(axis=0)
    short_exponent: I64 = shorts.reshape(at.shape).max(axis=0)
    short: Flags = short_exponent >= 0
    return np.where(short, short_exponent, exponent), short


def _exponent_of(values: F64, *, short: bool) -> I64:
    """Return the smallest exponent at which each value is (short) decimal, else NOT_DECIMAL."""
    exponent = np.full(len(values), NOT_DECIMAL, dtype=np.int64)
    left = np.arange(len(values))
    limit = _SHORT_DECIMAL_MAX if short else _DECIMAL_MAX
    for first, end in _STAGES:
        if not len(left):
            break
        power = _POWERS[first:end]
        part = values[left, None]
        with np.errstate(all="ignore"):
            whole = np.rint(part * power) + 0.0
            back = whole / power
            if short:
                back = back.astype(np.float32).astype(np.float64)
            fits = (back.view(np.int64) == part.view(np.int64)) & (np.abs(whole) <= limit)
        found = fits.any(axis=1)
        exponent[left[found]] = first + fits[found].argmax(axis=1)
        left = left[~found]
    return exponent


def _exponent_of_some(part: _Part, misses: NDArray[np.intp], starts: I64) -> I64:
    """Return the exponent that the first missing value of each column needs."""
    column = np.searchsorted(starts, misses, side="right") - 1
    columns, first = np.unique(column, return_index=True)
    values, short = part.values[misses[first]], part.short[columns]
    need = _exponent_of(values, short=False)
    if short.any():
        need[short] = _exponent_of(values[short], short=True)
    return need


def _fill_exceptions(whole: F64, exact: Flags, count: I64) -> F64:
    """Put a neighbour from the same column in the place of each exception: no difference."""
    index = np.arange(len(whole))
    starts = starts_of(count)
    before = np.maximum.accumulate(np.where(exact, index, 0))
    first = np.minimum.reduceat(np.where(exact, index, len(whole) - 1), starts)
    leading = before < np.repeat(starts, count)
    at = np.where(leading | ~exact[before], np.repeat(first, count), before)
    return np.where(exact[at], whole[at], 0.0)


def _members(columns: NDArray[np.intp], count: I64) -> slice | NDArray[np.intp]:
    if len(columns) == len(count):
        return slice(None)
    chosen = np.zeros(len(count), dtype=np.bool_)
    chosen[columns] = True
    return np.flatnonzero(np.repeat(chosen, count))
