"""Samples of one series out of the log, newest first, for the charts of the edge's own page.

The log is ordered by arrival and has no index by series: batches are decoded one by one, in steps
short enough for the uplink to read in between. How far back a search went is part of its answer.
"""

import contextlib
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from edge.errors import LogDamagedError, LogError
from edge.log.chain import BatchRow
from edge.log.database import Database
from edge.log.facts import SegmentFacts, View
from edge.log.layout import exists
from edge.log.reader import SegmentReaders
from edge.log.records import SeriesSamples
from edge.log.segments import SELECT_BATCH, batch_row
from shared.codec.body import decode_body
from shared.codec.columns import SampleColumns
from shared.domain.samples import Value, ValueType
from shared.errors import CodecError

SAMPLES_MAX = 200_000  # one answer: about 30 MB of Python objects
EFFORT_MAX_S = 2.0  # how long one search may take; what it found by then is the answer
BATCHES_PER_STEP = 128  # decoded without letting another reader in: some 10 ms
_SEQS_PER_STEP = 4_096  # looked at in one step, whether they match or not: at most 64 MB

_SELECT = f"{SELECT_BATCH} AND t_max >= ? AND t_min < ? ORDER BY seq DESC"


@dataclass(slots=True)
class Search:
    """A search in progress; each `step` does a little of it."""

    readers: SegmentReaders
    segments: list[SegmentFacts]  # those still to be looked at, the next one last
    series_ix: int
    start_ms: int
    end_ms: int
    limit: int
    below_seq: int | None = None  # in the segment at hand, numbers from here on are done
    found: list[tuple[int, Value]] = field(default_factory=list[tuple[int, Value]])

    @property
    def done(self) -> bool:
        """Whether there is nothing more to look at, or enough was found."""
        return not self.segments or len(self.found) >= self.limit

    def step(self) -> None:
        """Look at a few more batches; what is damaged or was removed meanwhile is passed over."""
        facts = self.segments[-1]
        try:
            with self.readers.use(facts) as database:
                more = self._step_in(database, facts)
        except LogDamagedError:  # the uplink's read will have it repaired
            more = False
        except LogError:
            if exists(facts.file):
                raise
            more = False
        if not more:
            self.segments.pop()
            self.below_seq = None

    def _step_in(self, database: Database, facts: SegmentFacts) -> bool:
        # Not up to the end of the table: a commit there may yet turn out to have failed.
        below_seq = facts.last_seq + 1 if self.below_seq is None else self.below_seq
        first_seq = max(facts.first_seq, below_seq - _SEQS_PER_STEP)
        rows = database.stream(_SELECT, first_seq, below_seq - 1, self.start_ms, self.end_ms)
        self.below_seq = first_seq
        with contextlib.closing(rows):
            for count, columns in enumerate(rows, start=1):
                row = batch_row(facts.file, columns)
                self._look_at(row)
                if count == BATCHES_PER_STEP:
                    self.below_seq = row.seq
                    break
        return self.below_seq > facts.first_seq

    def _look_at(self, row: BatchRow) -> None:
        with contextlib.suppress(CodecError):
            self.found.extend(
                (ts_ms, value)
                for ts_ms, _, value in samples_of(decode_body(row.body), self.series_ix)
                if self.start_ms <= ts_ms < self.end_ms
            )

    def _newest_unseen_ms(self) -> int | None:
        """Return the newest device time of what was not looked at; None when all of it was.

        The order of arrival says nothing about it: clocks of devices and of the edge are set.
        """
        times = [facts.summary.t_max_ms for facts in self.segments]
        if self.segments and self.below_seq is not None:
            facts = self.segments[-1]
            with contextlib.suppress(LogError), self.readers.use(facts) as database:
                row = database.row("SELECT max(t_max) FROM batch WHERE seq < ?", self.below_seq)
                times[-1:] = [row[0]] if row and row[0] is not None else []
        return max(times, default=None)

    def result(self) -> SeriesSamples:
        """Return what was found so far, ascending by device time, cut to the newest."""
        self.found.sort(key=lambda sample: sample[0])
        kept = self.found[-self.limit :]
        complete_from_ms = self.start_ms
        unseen_ms = self._newest_unseen_ms()
        if unseen_ms is not None:
            complete_from_ms = max(complete_from_ms, min(unseen_ms + 1, self.end_ms))
        if len(kept) < len(self.found) or len(kept) >= self.limit:
            complete_from_ms = max(complete_from_ms, kept[0][0])
        return SeriesSamples(
            ts_ms=tuple(sample[0] for sample in kept),
            value=tuple(sample[1] for sample in kept),
            complete_from_ms=complete_from_ms,
        )


def search_of(
    readers: SegmentReaders, view: View, *, series_ix: int, span_ms: tuple[int, int], limit: int
) -> Search:
    """Return a search for samples with device time in ``span_ms``, its end excluded."""
    start_ms, end_ms = span_ms
    segments = [
        facts
        for facts in view
        if facts.summary.total.batches
        and facts.summary.t_max_ms >= start_ms
        and facts.summary.t_min_ms < end_ms
    ]
    return Search(
        readers=readers,
        segments=segments,
        series_ix=series_ix,
        start_ms=start_ms,
        end_ms=end_ms,
        limit=max(1, min(limit, SAMPLES_MAX)),
    )


def samples_of(columns: SampleColumns, series_ix: int) -> list[tuple[int, int, Value]]:
    """Return (ts_ms, quality, value) of one series in arrival order; none when it has none."""
    place = int(np.searchsorted(columns.series_ix, series_ix))
    if place == len(columns.series_ix) or columns.series_ix[place] != series_ix:
        return []
    count = columns.count.astype(np.int64)
    first = int(count[:place].sum())
    size = int(count[place])
    value_type = columns.value_type[place]
    same_type = columns.value_type[:place] == value_type
    first_value = int(count[:place][same_type].sum())
    values = _values(columns, ValueType(int(value_type)), first_value, size)
    return list(
        zip(
            columns.ts_ms[first : first + size].tolist(),
            columns.quality[first : first + size].tolist(),
            values,
            strict=True,
        )
    )


def _values(columns: SampleColumns, value_type: ValueType, first: int, size: int) -> list[Value]:
    match value_type:
        case ValueType.NUMBER:
            return columns.number[first : first + size].tolist()
        case ValueType.INTEGER:
            return columns.integer[first : first + size].tolist()
        case ValueType.FLAG:
            return columns.flag[first : first + size].tolist()
        case ValueType.TEXT:
            return list(islice(columns.text, first, first + size))
