"""What central holds of a lane, what is lost, and how much is still owed. Writer thread only.

Counts are kept by segment, so that neither a start nor an acknowledgement reads more than the
segments at the edges of what changed.
"""

from collections.abc import Callable, Iterable, Mapping

from edge.log.facts import SegmentFacts, View
from edge.log.meta import Meta
from edge.log.records import LostRange
from edge.log.tally import Tally
from shared.sync.ranges import Ranges

Count = Callable[[SegmentFacts, int, int], Tally]  # of the batches of a range within a segment


def retallied(
    view: View, tallies: Mapping[int, Tally], old: Ranges, new: Ranges, *, count: Count
) -> dict[int, Tally]:
    """Return by first sequence number how much of each segment is in ``new``, where it changed.

    ``tallies`` says the same for ``old``; a segment that is not in it is counted afresh. Only
    ranges that changed and do not cover a segment whole are counted with ``count``.
    """
    added, taken = new.difference(old), old.difference(new)
    changed: dict[int, Tally] = {}
    for facts in view:
        extent = facts.extent
        more, less = added.intersection(extent), taken.intersection(extent)
        known = tallies.get(facts.first_seq)
        if known is not None and not more and not less:
            continue
        inside = new.intersection(extent)
        if inside == extent:
            tally = facts.summary.total
        elif not inside:
            tally = Tally()
        elif known is None:
            tally = _sum(count, facts, inside)
        else:
            tally = known + _sum(count, facts, more) - _sum(count, facts, less)
        if tally != known:
            changed[facts.first_seq] = tally
    return changed


def _sum(count: Count, facts: SegmentFacts, ranges: Ranges) -> Tally:
    return sum((count(facts, first, last) for first, last in ranges.spans), Tally())


class Settlement:
    """The state of one lane towards central; what is in memory may be ahead of meta.db."""

    def __init__(self, lane: int, meta: Meta) -> None:
        self._lane = lane
        self._meta = meta
        self._tallies = meta.settled(lane)
        self.acked_total = sum(self._tallies.values(), Tally())  # of what is held here
        self._unsaved: dict[int, Tally] = {}
        self._stored = meta.acked(lane)
        self.acked = self._stored
        self.lost = Ranges.of(
            *((one.first_seq, one.last_seq) for one in meta.lost() if one.lane == lane)
        )

    @property
    def settled(self) -> Ranges:
        """What need not be sent: held by central or lost."""
        return self.acked.union(self.lost)

    def set_acked(self, acked: Ranges, view: View, count: Count) -> None:
        """Make ``acked`` what central holds, in memory; `save` makes it durable."""
        changed = retallied(view, self._tallies, self.acked, acked, count=count)
        self._tallies.update(changed)
        self._unsaved.update(changed)
        self.acked_total = sum(self._tallies.values(), Tally())
        self.acked = acked

    def save(self) -> None:
        """Bring meta.db up to date; errors as `Database`, and then it is still to be done."""
        if self.acked != self._stored or self._unsaved:
            self._meta.set_acked(self._lane, self._stored, self.acked, self._unsaved)
            self._stored = self.acked
            self._unsaved = {}

    def keep_only(self, first_seqs: Iterable[int]) -> None:
        """Forget the tallies of segments that are no more; errors as `Database`."""
        gone = self._tallies.keys() - set(first_seqs)
        for first_seq in gone:
            del self._tallies[first_seq]
            self._unsaved.pop(first_seq, None)
        self.acked_total = sum(self._tallies.values(), Tally())
        if gone:
            self._meta.forget_segments(self._lane, gone)

    def record_lost(self, ranges: Ranges, reason: str, now_ms: int) -> None:
        """Declare these lost, durably; errors as `Database`."""
        losses = [
            LostRange(self._lane, first, last, reason, now_ms) for first, last in ranges.spans
        ]
        self._meta.record_lost(losses)
        self.lost = self.lost.union(ranges)
