"""The newest samples of every series in memory, so that live charts cost the log nothing. Pure.

The log is ordered by arrival: finding one series in it means decoding all of them. What a page asks
for again and again is the last minutes, and these are here. It is a cache of the log: everything
in it is on disk, and it always says from when on it is complete.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from shared.domain.samples import Value, ValueType

# 16 bytes each: 16 MB. An hour of 300 values a second, three minutes of 5,000.
RECENT_SAMPLES_MAX: Final = 1_000_000
_DROPPED_SHARE: Final = 4  # a full memory drops the oldest quarter of each series
_NEVER_MS: Final = -(2**63)

NewestMs = Callable[[int], int | None]
Samples = list[tuple[int, Value]]


class _Ring:
    """Samples of one series in the order of arrival."""

    __slots__ = ("complete_from_ms", "ts_ms", "values")

    def __init__(self, complete_from_ms: int, value_type: int) -> None:
        self.complete_from_ms = complete_from_ms
        self.ts_ms = array("q")
        # Only numbers are so many that their size matters.
        is_number = value_type == ValueType.NUMBER
        self.values: array[float] | list[Value] = array("d") if is_number else []

    def append(self, ts_ms: int, value: Value) -> None:
        values = self.values
        if isinstance(values, list):
            values.append(value)
        else:
            values.append(float(value))
        self.ts_ms.append(ts_ms)

    def drop_oldest(self) -> int:
        count = -(-len(self.ts_ms) // _DROPPED_SHARE)
        self.complete_from_ms = max(self.complete_from_ms, max(self.ts_ms[:count]) + 1)
        del self.ts_ms[:count]
        del self.values[:count]
        return count

    def within(self, start_ms: int, end_ms: int) -> Samples:
        times = np.array(self.ts_ms, dtype=np.int64)  # a copy: a view would forbid appending
        chosen = np.flatnonzero((times >= start_ms) & (times < end_ms))
        chosen = chosen[np.argsort(times[chosen], kind="stable")]
        values = self.values
        found: list[Value] = (
            [values[index] for index in chosen.tolist()]
            if isinstance(values, list)
            else np.array(values)[chosen].tolist()
        )
        return list(zip(times[chosen].tolist(), found, strict=True))


class RecentSamples:
    """At most ``samples_max`` samples; the longest silent are not kept longer than the others.

    Samples must come from commits, each once, in any order of device time.
    """

    def __init__(
        self,
        *,
        known_series: int,
        newest_ms: NewestMs,
        started_ms: int,
        samples_max: int = RECENT_SAMPLES_MAX,
    ) -> None:
        """``known_series`` are in the log already; ``newest_ms`` tells their newest sample so far.

        What they sent before ``started_ms`` (edge time) is in the log only.
        """
        self._known_series = known_series
        self._newest_ms = newest_ms
        self._started_ms = started_ms
        self._samples_max = samples_max
        self._rings: dict[int, _Ring] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many samples are held."""
        return self._count

    def append(
        self,
        series_ix: Sequence[int],
        value_type: Sequence[int],
        ts_ms: Sequence[int],
        value: Sequence[Value],
    ) -> None:
        """Take committed samples (parallel rows)."""
        rings = self._rings
        for index, kind, at_ms, new in zip(series_ix, value_type, ts_ms, value, strict=True):
            ring = rings.get(index)
            if ring is None:
                ring = rings[index] = _Ring(self._first_complete_ms(index), kind)
            ring.append(at_ms, new)
        self._count += len(series_ix)
        while self._count > self._samples_max:
            self._count -= sum(ring.drop_oldest() for ring in rings.values() if ring.ts_ms)

    def complete_from_ms(self, series_ix: int) -> int:
        """Return from which device time on every sample of a series is here."""
        ring = self._rings.get(series_ix)
        return self._first_complete_ms(series_ix) if ring is None else ring.complete_from_ms

    def read(self, series_ix: int, *, start_ms: int, end_ms: int) -> Samples:
        """Return what is held of a series in ``[start_ms, end_ms)``, ascending in device time.

        Samples of one millisecond come in the order of arrival.
        """
        ring = self._rings.get(series_ix)
        return [] if ring is None else ring.within(start_ms, end_ms)

    def _first_complete_ms(self, series_ix: int) -> int:
        if series_ix > self._known_series:
            return _NEVER_MS  # its first sample ever came after the start
        # Nothing that came before the start is newer than the newest known, so all that is newer
        # still has come since, and is here.
        newest_ms = self._newest_ms(series_ix)
        return self._started_ms if newest_ms is None else max(self._started_ms, newest_ms + 1)
