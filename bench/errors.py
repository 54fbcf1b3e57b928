"""Errors of the benchmarks."""

from shared.errors import HeadframeError


class BenchError(HeadframeError):
    """A benchmark cannot be run or finished; the message says what stood in the way."""

    code = "bench"
