"""The live snapshot's first content: the newest values that the log still holds.

Bounded in time, not complete: a device that was silent longer than the newest part of the log
reaches back shows again with its next message.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.log.journal import Journal
from edge.log.records import TELEMETRY_LANE, StoredBatch
from shared.codec.body import BODY_SIZE_MAX_BYTES, decode_body
from shared.codec.columns import SampleColumns
from shared.domain.samples import Value, ValueType

# About 0.3 s of work at start. At two bytes a sample it is half a million of the newest samples.
SEED_SIZE_MAX_BYTES: Final = 1_048_576
SEED_BATCHES_MAX: Final = 2_000
# The log is read backwards in steps of this many batches, each step whole: 20 MB at the very most.
_STEP_BATCHES: Final = 20
_STEP_SIZE_MAX_BYTES: Final = _STEP_BATCHES * BODY_SIZE_MAX_BYTES


@dataclass(frozen=True, slots=True)
class NewestRows:
    """The newest sample of each series, as parallel rows."""

    series_ix: list[int]
    ts_ms: list[int]
    value: list[Value]
    quality: list[int]


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


def newest_rows(batches: Sequence[StoredBatch]) -> NewestRows:
    """Return the newest sample of each series in ``batches``; of equal times the later one.

    Raises:
        CodecError: if a body cannot be decoded.
    """
    newest: dict[int, tuple[int, Value, int]] = {}
    for batch in batches:
        for series_ix, ts_ms, value, quality in _newest_of(decode_body(batch.body)):
            held = newest.get(series_ix)
            if held is None or ts_ms >= held[0]:
                newest[series_ix] = (ts_ms, value, quality)
    rows = NewestRows([], [], [], [])
    for series_ix, (ts_ms, value, quality) in newest.items():
        rows.series_ix.append(series_ix)
        rows.ts_ms.append(ts_ms)
        rows.value.append(value)
        rows.quality.append(quality)
    return rows


def _newest_of(columns: SampleColumns) -> Iterator[tuple[int, int, Value, int]]:
    values: dict[int, list[Value]] = {
        ValueType.NUMBER: columns.number.tolist(),
        ValueType.INTEGER: columns.integer.tolist(),
        ValueType.FLAG: columns.flag.tolist(),
        ValueType.TEXT: list(columns.text),
    }
    used = dict.fromkeys(values, 0)
    start = 0
    grouped: Iterator[tuple[int, int, int]] = zip(
        columns.series_ix.tolist(), columns.value_type.tolist(), columns.count.tolist(), strict=True
    )
    for series_ix, value_type, count in grouped:
        # The last of equal maxima: search from the end.
        newest = count - 1 - int(np.argmax(columns.ts_ms[start : start + count][::-1]))
        value: Value = values[value_type][used[value_type] + newest]
        row = start + newest
        yield series_ix, int(columns.ts_ms[row]), value, int(columns.quality[row])
        start += count
        used[value_type] += count
