"""Counting what central holds: the shortcuts must give what plain counting gives."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.log.facts import SegmentFacts
from edge.log.segments import SegmentHeader, SegmentSummary
from edge.log.settlement import retallied
from edge.log.tally import Tally
from shared.sync.ranges import Ranges

# Three segments: numbers 1-10, 11-14 and 20-29 (15-19 were removed); batch n has n samples.
EXTENTS = ((1, 10), (11, 14), (20, 29))
NUMBERS = st.sets(st.integers(1, 31)).map(Ranges.of_numbers)


def tally_of(numbers: Ranges) -> Tally:
    held = [n for n in numbers if any(first <= n <= last for first, last in EXTENTS)]
    return Tally(len(held), sum(held), 10 * sum(held))


def count(_facts: SegmentFacts, first_seq: int, last_seq: int) -> Tally:
    return tally_of(Ranges.of((first_seq, last_seq)))


def facts_of(first_seq: int, last_seq: int) -> SegmentFacts:
    header = SegmentHeader(
        site="kaduna", edge_id="edge-1", install_uuid="0" * 32, lane=2, first_seq=first_seq,
        prev_hash=bytes(32),
    )  # fmt: skip
    summary = SegmentSummary(
        last_seq=last_seq, total=tally_of(Ranges.of((first_seq, last_seq))), t_min_ms=0,
        t_max_ms=0, recv_min_ms=0, recv_max_ms=0, head=bytes(32),
    )  # fmt: skip
    return SegmentFacts(file=Path("x"), header=header, summary=summary, size_bytes=1, sealed=True)


VIEW = tuple(facts_of(*extent) for extent in EXTENTS)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_counting_changes_only_gives_what_counting_everything_gives(sets: list[Ranges]) -> None:
    tallies: dict[int, Tally] = {}
    before = Ranges()
    for after in sets:
        tallies.update(retallied(VIEW, tallies, before, after, count=count))
        before = after
    for facts in VIEW:
        expected = tally_of(sets[-1].intersection(facts.extent))
        assert tallies[facts.first_seq] == expected


def test_whole_segments_are_not_read() -> None:
    def never(_facts: SegmentFacts, first_seq: int, last_seq: int) -> Tally:
        raise AssertionError(f"{first_seq}-{last_seq} was counted")

    everything = Ranges.of((1, 29))
    tallies = retallied(VIEW, {}, Ranges(), everything, count=never)
    assert sum(tallies.values(), Tally()).batches == 24  # 10 + 4 + 10
    assert retallied(VIEW, tallies, everything, Ranges(), count=never)[20] == Tally()


def test_a_segment_that_was_never_counted_is_counted_although_nothing_changed() -> None:
    held = Ranges.of((5, 12))
    tallies = retallied(VIEW, {}, held, held, count=count)
    assert tallies[1].batches == 6  # 5 to 10
    assert tallies[11].batches == 2
