"""The newest samples of every series in memory, so that live charts cost the log nothing. Pure.

The log is ordered by arrival: finding one series in it means decoding all of them. What a page asks
for again and again is the last minutes, and these are here. It is a cache of the log: everything
in it is on disk, and it always says from when on it is complete.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.domain.samples import Value, ValueType

# Numbers take 16 bytes each: 16 MB. An hour of 300 values a second, three minutes of 5,000.
RECENT_SAMPLES_MAX: Final = 1_000_000
RECENT_SIZE_MAX_BYTES: Final = 33_554_432  # a text of 256 characters takes as much as 20 numbers
_TEXT_OVERHEAD_BYTES: Final = 64  # of a Python object around it
_INTEGER_BYTES: Final = 32
_SAMPLE_BYTES: Final = 16  # its time, and the number or the place of another value
_DROPPED_SHARE: Final = 4  # a full memory drops the oldest quarter of each series
_NEVER_MS: Final = -(2**63)

NewestMs = Callable[[int], int | None]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A copy of samples around a span of time, cheap to make; `columns` may run in any thread."""

    start_ms: int
    end_ms: int
    _times: NDArray[np.int64]
    _values: NDArray[np.float64] | list[Value]  # parallel, both in the order of arrival

    def columns(self) -> tuple[list[int], list[Value]]:
        """Return the device times in ``[start_ms, end_ms)``, ascending, and their values.

        Samples of one millisecond come in the order of arrival.
        """
        times, values = self._times, self._values
        chosen = np.flatnonzero((times >= self.start_ms) & (times < self.end_ms))
        chosen = chosen[np.argsort(times[chosen], kind="stable")]
        if isinstance(values, list):
            return times[chosen].tolist(), [values[index] for index in chosen.tolist()]
        return times[chosen].tolist(), values[chosen].tolist()


_NOTHING: Final = np.zeros(0, np.int64)


class _Ring:
    """Samples of one series in the order of arrival."""

    __slots__ = ("complete_from_ms", "ts_ms", "values")

    def __init__(self, complete_from_ms: int, value_type: int) -> None:
        self.complete_from_ms = complete_from_ms
        self.ts_ms = array("q")
        # Only numbers are so many that their size matters.
        is_number = value_type == ValueType.NUMBER
        self.values: array[float] | list[Value] = array("d") if is_number else []

    def append(self, ts_ms: int, value: Value) -> int:
        """Return how many bytes that took."""
        self.ts_ms.append(ts_ms)
        values = self.values
        if isinstance(values, list):
            values.append(value)
            return _SAMPLE_BYTES + _object_bytes(value)
        values.append(float(value))
        return _SAMPLE_BYTES

    def drop_oldest(self) -> tuple[int, int]:
        """Return how many samples and bytes that were."""
        count = -(-len(self.ts_ms) // _DROPPED_SHARE)
        self.complete_from_ms = max(self.complete_from_ms, max(self.ts_ms[:count]) + 1)
        size_bytes = _SAMPLE_BYTES * count
        if isinstance(self.values, list):
            size_bytes += sum(map(_object_bytes, self.values[:count]))
        del self.ts_ms[:count]
        del self.values[:count]
        return count, size_bytes

    def excerpt(self, start_ms: int, end_ms: int) -> Excerpt:
        times = np.array(self.ts_ms, dtype=np.int64)  # a copy: a view would forbid appending
        inside = (times >= start_ms) & (times < end_ms)
        if not inside.any():
            return Excerpt(start_ms, end_ms, _NOTHING, [])
        part = slice(int(inside.argmax()), len(inside) - int(inside[::-1].argmax()))
        values = self.values[part]
        copied = values if isinstance(values, list) else np.array(values, dtype=np.float64)
        return Excerpt(start_ms, end_ms, times[part], copied)


def _object_bytes(value: Value) -> int:
    # The same whenever it is asked, which `sys.getsizeof` is not: a text may keep its UTF-8 too.
    if isinstance(value, str):
        return _TEXT_OVERHEAD_BYTES + len(value) * (1 if value.isascii() else 4)
    return _INTEGER_BYTES


class RecentSamples:
    """At most ``samples_max`` samples and ``size_max_bytes``; all series lose their oldest alike.

    Samples must come from commits, each once, in any order of device time.
    """

    def __init__(
        self,
        *,
        known_series: int,
        newest_ms: NewestMs,
        started_ms: int,
        samples_max: int = RECENT_SAMPLES_MAX,
        size_max_bytes: int = RECENT_SIZE_MAX_BYTES,
    ) -> None:
        """``known_series`` are in the log already; ``newest_ms`` tells their newest sample so far.

        What they sent before ``started_ms`` (edge time) is in the log only.
        """
        self._known_series = known_series
        self._newest_ms = newest_ms
        self._started_ms = started_ms
        self._samples_max = samples_max
        self._size_max_bytes = size_max_bytes
        self._rings: dict[int, _Ring] = {}
        self._count = 0
        self._size_bytes = 0

    def __len__(self) -> int:
        """Return how many samples are held."""
        return self._count

    @property
    def size_bytes(self) -> int:
        """Return how much memory the samples take, about."""
        return self._size_bytes

    def append(
        self,
        series_ix: Sequence[int],
        value_type: Sequence[int],
        ts_ms: Sequence[int],
        value: Sequence[Value],
    ) -> None:
        """Take committed samples (parallel rows)."""
        rings, size_bytes = self._rings, 0
        for index, kind, at_ms, new in zip(series_ix, value_type, ts_ms, value, strict=True):
            ring = rings.get(index)
            if ring is None:
                ring = rings[index] = _Ring(self._first_complete_ms(index), kind)
            size_bytes += ring.append(at_ms, new)
        self._count += len(series_ix)
        self._size_bytes += size_bytes
        while self._count > self._samples_max or self._size_bytes > self._size_max_bytes:
            for ring in rings.values():
                if ring.ts_ms:
                    count, freed_bytes = ring.drop_oldest()
                    self._count -= count
                    self._size_bytes -= freed_bytes

    def complete_from_ms(self, series_ix: int) -> int:
        """Return from which device time on every sample of a series is here."""
        ring = self._rings.get(series_ix)
        return self._first_complete_ms(series_ix) if ring is None else ring.complete_from_ms

    def excerpt(self, series_ix: int, *, start_ms: int, end_ms: int) -> Excerpt:
        """Return what is held of a series in ``[start_ms, end_ms)``, still to be put in order."""
        ring = self._rings.get(series_ix)
        if ring is None:
            return Excerpt(start_ms, end_ms, _NOTHING, [])
        return ring.excerpt(start_ms, end_ms)

    def _first_complete_ms(self, series_ix: int) -> int:
        if series_ix > self._known_series:
            return _NEVER_MS  # its first sample ever came after the start
        # Nothing that came before the start is newer than the newest known, so all that is newer
        # still has come since, and is here.
        newest_ms = self._newest_ms(series_ix)
        return self._started_ms if newest_ms is None else max(self._started_ms, newest_ms + 1)
