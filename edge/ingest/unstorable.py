"""Rows that passed every rule and yet cannot be stored: taken out so that the rest can be. Pure.

Decoding refuses what the log cannot hold, so nothing comes here. If something does, it is a mistake
in the rules, and one device must not be able to stop an edge with it.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import compress

from edge.ingest.catalogue import Catalogue
from edge.ingest.decoded import Reason
from edge.log.records import PendingBatch, QuarantineEntry

SHOWN_CHARACTERS_MAX = 1_000  # of a value


def refused_rows(
    batch: PendingBatch, rows: Sequence[tuple[int, str]], catalogue: Catalogue
) -> list[QuarantineEntry]:
    """Return a quarantine entry for each of ``rows``, given by position and what is wrong."""
    return [_entry(batch, row, why, catalogue) for row, why in rows]


def without_rows(batch: PendingBatch, rows: Collection[int]) -> PendingBatch:
    """Return ``batch`` without ``rows``; what it has seen and its catalogue entries stay."""
    kept = [row not in rows for row in range(len(batch.series_ix))]
    return replace(
        batch,
        series_ix=list(compress(batch.series_ix, kept)),
        value_type=list(compress(batch.value_type, kept)),
        ts_ms=list(compress(batch.ts_ms, kept)),
        value=list(compress(batch.value, kept)),
        quality=list(compress(batch.quality, kept)),
    )


def _entry(batch: PendingBatch, row: int, why: str, catalogue: Catalogue) -> QuarantineEntry:
    name = catalogue.name_of(batch.series_ix[row])
    shown = repr(batch.value[row])[:SHOWN_CHARACTERS_MAX]
    return QuarantineEntry(
        at_ms=batch.recv_max_ms,
        topic="" if name is None else f"mine/v1/{name.site}/{name.kind}/{name.asset_id}",
        reason=str(Reason.BAD_VALUE),
        field="" if name is None else f"metrics.{name.metric}",
        detail=f"the log cannot store it: {why}",
        payload=shown.encode("utf-8", "backslashreplace"),
    )
