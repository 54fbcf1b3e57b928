"""What ingest knew before a restart, made again from what the log kept. Pure.

Owns the order: messages are taken in again oldest first, exactly as they were judged, so that the
same message delivered again is recognised and the next number is judged by the one before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from edge.ingest.catalogue import Catalogue
from edge.ingest.seen import SeenWindow
from edge.log.records import RecentTail
from shared.domain.samples import Series


@dataclass(frozen=True, slots=True)
class IngestState:
    """The state that judging builds on."""

    catalogue: Catalogue
    seen: SeenWindow


def restore_ingest(
    series: Iterable[tuple[int, Series]],
    recent: RecentTail,
    *,
    series_max: int,
    now_ms: int,
    last_used: Iterable[tuple[int, int]] = (),
) -> IngestState:
    """Return the state after the newest messages in the log; takes about 1 us for each.

    ``now_ms``, or the newest time on record, bounds device times that were refused as being too
    far ahead: they are no time. ``last_used`` is as for `Catalogue`.
    """
    catalogue = Catalogue(
        series=series, sources=recent.sources, series_max=series_max, last_used=last_used
    )
    by_number = {source.source_ix: source for source in catalogue.sources}
    seen = SeenWindow()
    for identity in recent:
        if seen.is_due:
            seen.turn()
        seen.add(identity)
        source = by_number.get(identity[0])
        if source is None:
            continue
        _, mark, stamp = identity
        # A negative stamp stands for a time the device did not give.
        ts_ms = min(stamp, now_ms) if stamp >= 0 else max(source.newest_ms, 0)
        source.newest_ms = max(source.newest_ms, ts_ms)
        if mark >= 0:
            source.sequence.advance(mark, ts_ms)
    return IngestState(catalogue, seen)
