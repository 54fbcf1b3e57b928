"""Which topic is which source, which metric is which series. Pure state, rebuilt from the log.

Owns the numbers: sources and series are counted from 1 without a hole and never renumbered. It
must not judge values. New entries are handed out once, to be made durable with their first batch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from edge.ingest.sequence import SequenceState
from shared.domain.samples import Series, ValueType
from shared.domain.topics import Topic, parse_topic
from shared.ids import SeriesName
from shared.units import quantity_of

_NEVER_MS: Final = -(2**63)
_NO_RANGE: Final = (float("-inf"), float("inf"))


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """What judging a value needs to know of its series; the range is inclusive."""

    series_ix: int
    value_type: ValueType
    low: float
    high: float


class Source:
    """One device topic: its number, its sequence and its series."""

    __slots__ = (
        "entries", "heartbeat_ms", "newest_ms", "of_asset", "sequence", "source_ix", "topic",
    )  # fmt: skip

    def __init__(self, source_ix: int, topic: Topic, of_asset: "list[Source]") -> None:
        self.source_ix = source_ix
        self.topic = topic
        self.of_asset = of_asset  # every source of its asset, itself too
        self.sequence = SequenceState()
        self.newest_ms: int = -1  # newest device time of this topic
        self.heartbeat_ms: int = _NEVER_MS  # time of the heartbeat that was stored last
        self.entries: dict[str, SeriesEntry] = {}  # by metric, the type last used


class Catalogue:
    """Sources and series of one site; at most ``series_max`` of each."""

    def __init__(
        self,
        *,
        series: Iterable[tuple[int, Series]],
        sources: Iterable[tuple[int, str]],
        series_max: int,
        last_used: Iterable[tuple[int, int]] = (),
    ) -> None:
        """Rebuild from what the log has.

        ``last_used`` are series with a sample, the last to arrive last, each with how many series
        there were then: of several units of a name the one last used holds, unless another was
        declared since.
        """
        self._series_max = series_max
        self._ix_of: dict[Series, int] = {}
        self._unit_of: dict[SeriesName, str] = {}
        self._sources: dict[str, Source] = {}
        self._of_asset: dict[tuple[str, str], list[Source]] = {}
        self._new_series: list[tuple[int, Series]] = []
        self._new_sources: list[tuple[int, str]] = []
        by_number = dict(series)
        newest_ix: dict[SeriesName, int] = {}
        for series_ix, entry in by_number.items():
            self._ix_of[entry] = newest_ix[entry.name] = series_ix
            self._unit_of[entry.name] = entry.unit
        for series_ix, known_series in last_used:
            used = by_number.get(series_ix)
            if used is not None and newest_ix[used.name] <= known_series:
                self._unit_of[used.name] = used.unit
        for source_ix, text in sources:
            self._add_source(source_ix, text, parse_topic(text))

    @property
    def series_count(self) -> int:
        """Return how many series have a number."""
        return len(self._ix_of)

    @property
    def sources(self) -> Iterable[Source]:
        """Return every source."""
        return self._sources.values()

    def known_source(self, topic_text: str) -> Source | None:
        """Return the source of a topic that was used before."""
        return self._sources.get(topic_text)

    def source_of(self, topic: Topic) -> Source | None:
        """Return the source of ``topic``, new if need be; ``None`` when there are too many."""
        text = str(topic)
        known = self._sources.get(text)
        if known is not None or len(self._sources) >= self._series_max:
            return known
        source_ix = len(self._sources) + 1
        self._new_sources.append((source_ix, text))
        return self._add_source(source_ix, text, topic)

    def entry_of(self, source: Source, metric: str, value_type: ValueType) -> SeriesEntry | None:
        """Return the series of ``metric`` with values of this type; ``None`` if there are too many.

        The unit is the one a birth declared, else the one of the metric's suffix. A unit or type
        that was not used under this name before makes a new series.
        """
        entry = source.entries.get(metric)
        if entry is not None and entry.value_type is value_type:
            return entry
        topic = source.topic
        name = SeriesName(topic.site, str(topic.kind), topic.asset_id, metric)
        quantity = quantity_of(metric)
        unit = self._unit_of.get(name, quantity.unit)
        series_ix = self._number(Series(name, unit, value_type))
        if series_ix is None:
            return None
        # The physical range is known in the suffix's unit only.
        low, high = (quantity.low, quantity.high) if unit == quantity.unit else _NO_RANGE
        entry = SeriesEntry(series_ix, value_type, low, high)
        source.entries[metric] = entry
        return entry

    def declare_units(self, topic: Topic, units: Mapping[str, str]) -> None:
        """Take the units that a birth of this asset names; they hold for samples from now on.

        A series of a new unit is numbered at once, so that the declaration is as durable as the
        birth; the unit of an earlier series that comes back, as the first sample in it.
        """
        for metric, unit in units.items():
            if len(self._unit_of) >= 2 * self._series_max:
                return  # somebody declares names without end; units by suffix still hold
            name = SeriesName(topic.site, str(topic.kind), topic.asset_id, metric)
            if self._unit_of.get(name, quantity_of(metric).unit) == unit:
                continue
            self._unit_of[name] = unit
            value_type = ValueType.NUMBER
            for source in self._of_asset.get((topic.kind, topic.asset_id), ()):
                used = source.entries.pop(metric, None)
                value_type = value_type if used is None else used.value_type
            self._number(Series(name, unit, value_type))

    def name_of(self, series_ix: int) -> SeriesName | None:
        """Return the name of a series; slow, for messages to people."""
        for series, known_ix in self._ix_of.items():
            if known_ix == series_ix:
                return series.name
        return None

    def take_new(self) -> tuple[tuple[tuple[int, Series], ...], tuple[tuple[int, str], ...]]:
        """Return the series and sources that were numbered since the last call."""
        taken = tuple(self._new_series), tuple(self._new_sources)
        self._new_series.clear()
        self._new_sources.clear()
        return taken

    def _add_source(self, source_ix: int, text: str, topic: Topic) -> Source:
        of_asset = self._of_asset.setdefault((topic.kind, topic.asset_id), [])
        source = Source(source_ix, topic, of_asset)
        of_asset.append(source)
        self._sources[text] = source
        return source

    def _number(self, series: Series) -> int | None:
        series_ix = self._ix_of.get(series)
        if series_ix is None and len(self._ix_of) < self._series_max:
            series_ix = len(self._ix_of) + 1
            self._ix_of[series] = series_ix
            self._new_series.append((series_ix, series))
            self._unit_of.setdefault(series.name, series.unit)
        return series_ix
