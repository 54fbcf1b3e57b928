"""The newest value of every series. Owns what "current" means; does no I/O.

Newest is by device time, but no later than when the edge received it: backfill never shows as
current, and a device whose clock runs ahead hides nothing that is measured later.
The snapshot is fed after the commit, so nothing is shown that a power cut could take back.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from shared.domain.samples import NO_BOUND_MS, LatestValue, Series, Value
from shared.ids import Kind

_NEVER_MS = -(2**63)  # older than every time a device can send


class LiveSnapshot:
    """Newest sample of each catalogued series; at most ``series_max`` series.

    Series numbers are the catalogue's: from 1, contiguous. Every change carries a revision that
    only grows, so that a reader can ask for what changed since the revision it saw last.
    """

    def __init__(self, *, series_max: int) -> None:
        self._series_max = series_max
        self._series: list[Series | None] = [None]  # index 0 is never used
        self._ts_ms: list[int] = [_NEVER_MS]
        self._received_ms: list[int] = [NO_BOUND_MS]
        self._ranked_ms: list[int] = [_NEVER_MS]
        self._last_received_ms = _NEVER_MS
        self._value: list[Value] = [0.0]
        self._quality: list[int] = [0]
        self._changed: dict[int, int] = {}  # series -> revision, least recently changed first
        self._of_asset: dict[tuple[str, str], list[int]] = {}  # (kind, id) -> its series
        self._revision = 0

    @property
    def revision(self) -> int:
        """Return the revision of the newest change; 0 before the first."""
        return self._revision

    @property
    def series_count(self) -> int:
        """Return how many series the snapshot knows, with or without a value."""
        return len(self._series) - 1

    def add_series(self, series_ix: int, series: Series) -> None:
        """Learn the name, unit and type behind ``series_ix``; repeating the newest is harmless.

        Raises:
            ValueError: if ``series_ix`` is not the next number or the snapshot is full.
        """
        if series_ix < len(self._series) and self._series[series_ix] == series:
            return
        if series_ix != len(self._series):
            raise ValueError(f"series_ix must be {len(self._series)}, got {series_ix}")
        if series_ix > self._series_max:
            raise ValueError(f"the snapshot holds at most {self._series_max} series")
        self._series.append(series)
        self._ts_ms.append(_NEVER_MS)
        self._received_ms.append(NO_BOUND_MS)
        self._ranked_ms.append(_NEVER_MS)
        self._value.append(0.0)
        self._quality.append(0)
        name = series.name
        self._of_asset.setdefault((name.kind, name.asset_id), []).append(series_ix)

    def apply(
        self,
        series_ix: Sequence[int],
        ts_ms: Sequence[int],
        value: Sequence[Value],
        quality: Sequence[int],
        received_ms: int = NO_BOUND_MS,
    ) -> int:
        """Take committed samples (parallel rows in arrival order); return how many became current.

        ``received_ms`` is when the edge had received all of them. Of two samples of the same rank
        the one that arrived later is current.
        """
        self._revision += 1
        if received_ms < self._last_received_ms:
            self._forget_times_after(received_ms)
        self._last_received_ms = received_ms
        revision, held_ms, changed = self._revision, self._ranked_ms, self._changed
        became_current = 0
        for index, at_ms, new, known in zip(series_ix, ts_ms, value, quality, strict=True):
            ranked_ms = min(at_ms, received_ms)
            if ranked_ms < held_ms[index]:
                continue
            held_ms[index] = ranked_ms
            self._ts_ms[index] = at_ms
            self._received_ms[index] = received_ms
            self._value[index] = new
            self._quality[index] = known
            changed.pop(index, None)  # re-inserted below: the order of the dict is by recency
            changed[index] = revision
            became_current += 1
        return became_current

    def latest(self, kinds: Collection[Kind], asset_id: str | None = None) -> list[LatestValue]:
        """Return the newest values of all assets of ``kinds``, or of the one asset ``asset_id``.

        Of several catalogue entries under one name (another unit or type) only the newest counts.
        """
        return self._newest_by_name(self._indices(kinds, asset_id))

    def changed_since(
        self, revision: int, kinds: Collection[Kind]
    ) -> tuple[int, list[LatestValue]]:
        """Return the present revision and the values that changed after ``revision``.

        A ``revision`` from before a restart (greater than the present one) gets everything.
        """
        since = revision if revision <= self._revision else 0
        found: list[LatestValue] = []
        for index in reversed(self._changed):
            if self._changed[index] <= since:
                break
            entry = self._entry(index)
            if entry is not None and entry.series.name.kind in kinds:
                found.append(entry)
        found.reverse()
        return self._revision, found

    def value_of(self, series_ix: int) -> LatestValue | None:
        """Return the newest value of one series, or ``None`` if it has none."""
        return self._entry(series_ix) if 0 < series_ix < len(self._series) else None

    def _forget_times_after(self, now_ms: int) -> None:
        """Bound what was received by a clock that has been set back to ``now_ms`` since.

        Such values age from now, and whatever arrives next replaces them.
        """
        for index, ranked_ms in enumerate(self._ranked_ms):
            if ranked_ms > now_ms:
                self._ranked_ms[index] = _NEVER_MS
                self._received_ms[index] = now_ms
                self._changed.pop(index, None)
                self._changed[index] = self._revision

    def _indices(self, kinds: Collection[Kind], asset_id: str | None) -> Iterable[int]:
        if asset_id is not None:
            return chain.from_iterable(self._of_asset.get((kind, asset_id), ()) for kind in kinds)
        return chain.from_iterable(
            indices for (kind, _), indices in self._of_asset.items() if kind in kinds
        )

    def _newest_by_name(self, indices: Iterable[int]) -> list[LatestValue]:
        newest: dict[object, LatestValue] = {}
        for index in indices:
            entry = self._entry(index)
            if entry is None:
                continue
            held = newest.get(entry.series.name)
            if held is None or entry.ranked_ms >= held.ranked_ms:
                newest[entry.series.name] = entry
        return list(newest.values())

    def _entry(self, index: int) -> LatestValue | None:
        series = self._series[index]
        if series is None or self._ts_ms[index] == _NEVER_MS:
            return None
        return LatestValue(
            series,
            self._ts_ms[index],
            self._value[index],
            self._quality[index],
            self._received_ms[index],
        )
