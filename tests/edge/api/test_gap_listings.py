"""What an edge has declared lost, as the API lists it."""

from edge.api.gap_listings import gap_listings
from edge.log.declared import DeclaredGap, GapReason
from edge.log.records import LostRange

LOST = LostRange(lane=2, first_seq=5, last_seq=9, reason="damaged", detected_ms=700)
MISSED = DeclaredGap(
    reason=GapReason.BROKER_DROPPED, topic="", first_seq=0, last_seq=0, missing=7,
    from_ms=0, until_ms=800, declared_ms=801,
)  # fmt: skip


def test_both_kinds_are_listed_with_what_is_known_of_them() -> None:
    lost, missed = gap_listings("edge-1", [LOST], [MISSED])
    assert (lost.lane, lost.first_seq, lost.last_seq, lost.reason) == (2, 5, 9, "damaged")
    assert (lost.topic, lost.messages, lost.declared_ms) == (None, None, 700)
    assert (missed.topic, missed.messages, missed.reason) == ("", 7, "broker_dropped")
    assert (missed.lane, missed.start_ms, missed.end_ms) == (None, None, 800)
    assert lost.gap_id != missed.gap_id
