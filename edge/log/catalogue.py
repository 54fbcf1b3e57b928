"""What the numbers of series and sources in the log stand for. Only grows; the loop adds to it.

The writer reads it from its own thread, always up to a count it was given: appending to a list is
atomic, so no lock is needed.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from edge.log.segments import Entries, SourceRow
from edge.log.series_rows import SeriesRow
from shared.domain.samples import Series, ValueType
from shared.ids import SeriesName

EntryT = TypeVar("EntryT")
_VALUE_TYPES = frozenset(ValueType)


class Catalogue:
    """Series and sources by their numbers, which begin with 1 and have no holes."""

    def __init__(self, site: str, series: Sequence[Series], sources: Sequence[str]) -> None:
        self._site = site
        self._series = list(series)
        self._sources = list(sources)
        self.value_types = [int(one.value_type) for one in series]  # of series 1, 2, ...

    @property
    def series_count(self) -> int:
        """How many series there are; also the largest number."""
        return len(self._series)

    @property
    def source_count(self) -> int:
        """How many sources there are; also the largest number."""
        return len(self._sources)

    def series_from(self, first_ix: int) -> list[tuple[int, Series]]:
        """Return the entries from number ``first_ix`` on."""
        return list(enumerate(self._series[first_ix - 1 :], start=first_ix))

    def sources(self) -> tuple[tuple[int, str], ...]:
        """Return all sources with their numbers."""
        return tuple(enumerate(self._sources, start=1))

    def register(
        self, new_series: Sequence[tuple[int, Series]], new_sources: Sequence[tuple[int, str]]
    ) -> None:
        """Add entries; saying the same again is no mistake.

        Raises:
            ValueError: if a number is given twice to different things or leaves a hole; nothing
                is added then.
        """
        series = _continued(self._series, new_series, "new_series")
        sources = _continued(self._sources, new_sources, "new_sources")
        for _, one in new_series:
            if one.name.site != self._site:
                raise ValueError(f"new_series: {one.name} is not of site {self._site!r}")
        texts = (f"{one.name} {one.unit}" for _, one in new_series)
        for text in (*texts, *(topic for _, topic in new_sources)):
            text.encode()  # a surrogate cannot be stored: UnicodeEncodeError is a ValueError
        self.value_types.extend(int(one.value_type) for one in series)
        self._series.extend(series)
        self._sources.extend(sources)

    def all_entries(self) -> Entries:
        """Return everything, as rows."""
        return self.entries(
            series_after=0,
            series_count=self.series_count,
            sources_after=0,
            source_count=self.source_count,
        )

    def entries(
        self, *, series_after: int, series_count: int, sources_after: int, source_count: int
    ) -> Entries:
        """Return the entries numbered after the first count up to the second, as rows."""
        return Entries(
            series=[
                series_row(series_after + offset, one)
                for offset, one in enumerate(self._series[series_after:series_count], start=1)
            ],
            sources=[
                (sources_after + offset, topic)
                for offset, topic in enumerate(self._sources[sources_after:source_count], start=1)
            ],
        )


def series_row(ix: int, series: Series) -> SeriesRow:
    """Return a series as a row of the catalogue table."""
    name = series.name
    return (ix, name.kind, name.asset_id, name.metric, series.unit, int(series.value_type))


def series_of_rows(site: str, rows: Sequence[SeriesRow]) -> dict[int, Series]:
    """Return the series of catalogue rows by number; what is no valid row is left out."""
    found: dict[int, Series] = {}
    for ix, kind, asset_id, metric, unit, value_type in rows:
        if value_type in _VALUE_TYPES:
            name = SeriesName(site, kind, asset_id, metric)
            found[ix] = Series(name, unit, ValueType(value_type))
    return found


def without_holes(site: str, found: Mapping[int, Series], count: int) -> tuple[list[Series], int]:
    """Return series 1 to ``count`` (or the largest found), and how many of them were made up.

    After damage a number may be known to be in use and its name lost. The number must not be
    given to another series, so it gets a name that says so.
    """
    count = max([count, *found])
    series = [found.get(ix) or _nameless(site, ix) for ix in range(1, count + 1)]
    return series, count - len(found)


def source_topics(rows: Sequence[SourceRow]) -> list[str]:
    """Return the topics of sources 1 to the largest number; a missing one is empty."""
    found = dict(rows)
    return [found.get(ix, "") for ix in range(1, max(found, default=0) + 1)]


def _nameless(site: str, ix: int) -> Series:
    return Series(SeriesName(site, "sensor", "lost", f"series_{ix}"), "", ValueType.NUMBER)


def _continued(
    known: Sequence[EntryT], fresh: Sequence[tuple[int, EntryT]], field: str
) -> list[EntryT]:
    added: list[EntryT] = []
    for ix, entry in fresh:
        if 1 <= ix <= len(known):
            if known[ix - 1] != entry:
                raise ValueError(f"{field}: number {ix} stands for {known[ix - 1]} already")
        elif ix == len(known) + len(added) + 1:
            added.append(entry)
        else:
            raise ValueError(
                f"{field}: expected number {len(known) + len(added) + 1} next, got {ix}"
            )
    return added
