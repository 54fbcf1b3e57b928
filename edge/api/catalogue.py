"""The series of the site in the order of a listing, and by name. Pure."""

import bisect
from collections.abc import Callable, Sequence

from shared.domain.samples import LatestValue, Series
from shared.ids import SeriesName
from shared.web.site_data import SeriesKey, SeriesListing, SeriesQuery, series_key

NewestValue = Callable[[int], LatestValue | None]


class SeriesCatalogue:
    """All catalogue entries of one edge, by series number."""

    def __init__(self) -> None:
        self._ordered: list[tuple[SeriesKey, int]] = []
        self._series: dict[int, Series] = {}
        self._by_name: dict[SeriesName, list[int]] = {}

    def __len__(self) -> int:
        """Return how many entries are known."""
        return len(self._series)

    def learn(self, entries: Sequence[tuple[int, Series]]) -> None:
        """Take entries that came after those known."""
        for series_ix, series in entries:
            if series_ix in self._series:
                continue
            self._series[series_ix] = series
            self._by_name.setdefault(series.name, []).append(series_ix)
            bisect.insort(self._ordered, (series_key(series), series_ix))

    def page(self, query: SeriesQuery, newest: NewestValue) -> list[SeriesListing]:
        """Return the entries that ``query`` asks for."""
        words = (query.text or "").lower().split()
        start = 0
        if query.after is not None:
            start = bisect.bisect_right(self._ordered, query.after, key=_key_of)
        found: list[SeriesListing] = []
        for key, series_ix in self._ordered[start:]:
            if len(found) == query.limit:
                break
            if key[0] not in query.kinds or query.asset_id not in {None, key[1]}:
                continue
            if words and not _has_all(words, key):
                continue
            value = newest(series_ix)
            listing = SeriesListing(self._series[series_ix], value.ts_ms if value else None)
            found.append(listing)
        return found

    def find(
        self, name: SeriesName, unit: str | None, newest: NewestValue
    ) -> tuple[int, Series] | None:
        """Return the entry of ``name`` (in ``unit``) with the newest sample."""
        candidates = [
            series_ix
            for series_ix in self._by_name.get(name, ())
            if unit is None or self._series[series_ix].unit == unit
        ]
        if not candidates:
            return None
        chosen = max(candidates, key=lambda series_ix: _recency(series_ix, newest))
        return chosen, self._series[chosen]


def _key_of(entry: tuple[SeriesKey, int]) -> SeriesKey:
    return entry[0]


def _has_all(words: Sequence[str], key: SeriesKey) -> bool:
    text = f"{key[0]}/{key[1]}/{key[2]}"
    return all(word in text for word in words)


def _recency(series_ix: int, newest: NewestValue) -> tuple[int, int]:
    value = newest(series_ix)
    return (value.ranked_ms if value is not None else -(2**63), series_ix)
