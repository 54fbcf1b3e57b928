"""What an edge has declared lost, as the API lists it. Pure."""

from collections.abc import Iterable, Iterator

from edge.log.declared import DeclaredGap, record_of_gap
from edge.log.records import LostRange
from shared.web.site_data import GapListing


def gap_listings(
    edge_id: str, lost: Iterable[LostRange], missed: Iterable[DeclaredGap]
) -> Iterator[GapListing]:
    """Yield batches that are lost and messages that never came."""
    for one in lost:
        yield GapListing(
            gap_id=f"{one.lane}-{one.first_seq}-{one.last_seq}",
            edge_id=edge_id,
            reason=one.reason,
            declared_ms=one.detected_ms,
            lane=one.lane,
            first_seq=one.first_seq,
            last_seq=one.last_seq,
        )
    for gap in missed:
        yield GapListing(
            gap_id=record_of_gap(gap).gap_id,
            edge_id=edge_id,
            reason=gap.reason,
            declared_ms=gap.declared_ms,
            topic=gap.topic,
            messages=gap.missing,
            start_ms=gap.from_ms or None,
            end_ms=gap.until_ms or None,
        )
