"""Arithmetic on columns laid end to end in one array. Pure index work, no meaning, no bytes.

A *column* is a run of consecutive elements; ``count`` holds the length of each column. All sums
wrap modulo 2**64, so that a difference and its sum restore any int64.
"""

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


def starts_of(count: I64) -> I64:
    """Return the index of the first element of each column; shape (k,)."""
    starts = np.empty_like(count)
    if len(count):
        starts[0] = 0
        np.cumsum(count[:-1], out=starts[1:])
    return starts


def running_sum(step: I64, count: I64) -> I64:
    """Return the sum from the first element of each column up to and with each element; (n,)."""
    total = np.cumsum(step)
    if len(count) < 2:
        return total
    before = total[starts_of(count)[1:] - 1]
    total[int(count[0]) :] -= np.repeat(before, count[1:])
    return total


def running_xor(step: NDArray[np.uint64], count: I64) -> NDArray[np.uint64]:
    """Return the exclusive or of each column's elements up to and with each element; (n,)."""
    total = np.bitwise_xor.accumulate(step)
    if len(count) < 2:
        return total
    before = total[starts_of(count)[1:] - 1]
    total[int(count[0]) :] ^= np.repeat(before, count[1:])
    return total


def zigzag(number: I64) -> NDArray[np.uint64]:
    """Map small magnitudes of either sign to small unsigned numbers: 0, -1, 1, -2 to 0, 1, 2, 3."""
    return ((number << 1) ^ (number >> 63)).view(np.uint64)


def unzigzag(code: NDArray[np.uint64]) -> I64:
    """Undo ``zigzag``."""
    return (code >> np.uint64(1)).view(np.int64) ^ -(code & np.uint64(1)).view(np.int64)
