"""The live snapshot's first content: the newest values that the log still holds.

Bounded in time, not complete: a device that was silent longer than the newest part of the log
reaches back shows again with its next message.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge.log.journal import Journal
from edge.log.records import TELEMETRY_LANE, StoredBatch
from shared.codec.body import BODY_SIZE_MAX_BYTES, decode_body
from shared.codec.columns import SampleColumns
from shared.domain.samples import Value, ValueType, replaces

# About 0.3 s of work at start. At two bytes a sample it is half a million of the newest samples.
SEED_SIZE_MAX_BYTES: Final = 1_048_576
SEED_BATCHES_MAX: Final = 2_000
# The log is read backwards in steps of this many batches, each step whole: 20 MB at the very most.
_STEP_BATCHES: Final = 20
_STEP_SIZE_MAX_BYTES: Final = _STEP_BATCHES * BODY_SIZE_MAX_BYTES


@dataclass(frozen=True, slots=True)
class NewestRow:
    """The newest sample of a series, as `shared.domain.samples.LatestValue` ranks them."""

    series_ix: int
    ts_ms: int
    value: Value
    quality: int
    received_ms: int  # at the edge, or a little later
    last_ms: int  # the greatest device time of the series, whatever its rank
    series_count: int  # how many series the log knew when it was stored

    @property
    def ranked_ms(self) -> int:
        """Return the time by which it is the newest."""
        return min(self.ts_ms, self.received_ms)


@dataclass(frozen=True, slots=True)
class NewestPart:
    """What the newest part of the log says of all series."""

    rows: Sequence[NewestRow] = ()
    received_ms: int = 0  # the latest receipt in it; 0 where there is nothing


async def newest_batches(journal: Journal) -> list[StoredBatch]:
    """Return the newest part of the telemetry lane, ascending; LogError if it cannot be read."""
    lane = journal.state().lanes.get(TELEMETRY_LANE)
    if lane is None or lane.last_seq < lane.first_retained:
        return []
    found: list[StoredBatch] = []
    size_bytes, last_seq = 0, lane.last_seq
    first_wanted = max(lane.first_retained, lane.last_seq - SEED_BATCHES_MAX + 1)
    while last_seq >= first_wanted and size_bytes < SEED_SIZE_MAX_BYTES:
        first_seq = max(first_wanted, last_seq - _STEP_BATCHES + 1)
        part = await journal.read(TELEMETRY_LANE, first_seq, last_seq, _STEP_SIZE_MAX_BYTES)
        found[:0] = part
        size_bytes += sum(len(batch.body) for batch in part)
        last_seq = first_seq - 1
    return found


def newest_part(batches: Sequence[StoredBatch]) -> NewestPart:
    """Return what ``batches`` say.

    Raises:
        CodecError: if a body cannot be decoded.
    """
    received_ms = max((batch.recv_max_ms for batch in batches), default=0)
    return NewestPart(_newest_rows(batches), received_ms)


def _newest_rows(batches: Sequence[StoredBatch]) -> list[NewestRow]:
    """Return the newest sample of each series in ``batches``; of equal ranks the later one.

    In the order of arrival.

    Raises:
        CodecError: if a body cannot be decoded.
    """
    newest: dict[int, NewestRow] = {}
    for batch in batches:
        for row in _newest_of(decode_body(batch.body), batch):
            held = newest.get(row.series_ix)
            if held is None:
                newest[row.series_ix] = row
                continue
            last_ms = max(held.last_ms, row.last_ms)
            if replaces(row.ranked_ms, row.received_ms, held.ranked_ms):
                del newest[row.series_ix]  # the order is that of arrival
                held = row
            newest[row.series_ix] = replace(held, last_ms=last_ms)
    return list(newest.values())


def _newest_of(columns: SampleColumns, batch: StoredBatch) -> Iterator[NewestRow]:
    values: dict[int, list[Value]] = {
        ValueType.NUMBER: columns.number.tolist(),
        ValueType.INTEGER: columns.integer.tolist(),
        ValueType.FLAG: columns.flag.tolist(),
        ValueType.TEXT: list(columns.text),
    }
    used = dict.fromkeys(values, 0)
    start = 0
    ranked_ms = np.minimum(columns.ts_ms, batch.recv_max_ms)
    grouped: Iterator[tuple[int, int, int]] = zip(
        columns.series_ix.tolist(), columns.value_type.tolist(), columns.count.tolist(), strict=True
    )
    for series_ix, value_type, count in grouped:
        end = start + count
        # The last of equal maxima: search from the end.
        row = end - 1 - int(np.argmax(ranked_ms[start:end][::-1]))
        yield NewestRow(
            series_ix=series_ix,
            ts_ms=int(columns.ts_ms[row]),
            value=values[value_type][used[value_type] + row - start],
            quality=int(columns.quality[row]),
            received_ms=batch.recv_max_ms,
            last_ms=int(columns.ts_ms[start:end].max()),
            series_count=batch.series_count,
        )
        start = end
        used[value_type] += count
