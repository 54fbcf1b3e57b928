"""Where an hour of a lane begins, found without reading a body. Thin over segment files.

Hours are those of the clock at reception. Numbers are what is ordered, times are hints: after a
clock was set, an "hour" may be cut short or hold more, and nothing is lost by it.
"""

from typing import Final

from edge.errors import LogError
from edge.log.database import Database
from edge.log.facts import SegmentFacts, View
from edge.log.reader import SegmentReaders

HOUR_MS: Final = 3_600_000
_RECEIVED = "SELECT recv_min FROM batch WHERE seq >= ? ORDER BY seq LIMIT 1"


def first_of_hour(readers: SegmentReaders, view: View, seq: int) -> int:
    """Return the first number of the hour in which batch ``seq`` was received, at most ``seq``.

    Whole segments are judged by their summaries; in one segment the border is found by halving. Of
    a segment that cannot be read everything counts as one hour: reading it will say what is wrong.
    """
    first, start_ms = seq, None
    for facts in reversed([one for one in view if one.first_seq <= seq]):
        if start_ms is not None and facts.summary.recv_min_ms >= start_ms:
            first = facts.first_seq
            continue
        last = min(seq, facts.last_seq)
        if last < facts.first_seq:  # empty
            continue
        try:
            with readers.use(facts) as database:
                if start_ms is None:
                    start_ms = _received_ms(database, last) // HOUR_MS * HOUR_MS
                first = _first_since(database, facts, last, start_ms)
        except LogError:
            return facts.first_seq
        if first > facts.first_seq:
            break
    return min(first, seq)


def _first_since(database: Database, facts: SegmentFacts, last: int, start_ms: int) -> int:
    """Return the first number of the segment, up to ``last`` + 1, that came at ``start_ms``."""
    low, high = facts.first_seq, last + 1
    while low < high:
        middle = (low + high) // 2
        if _received_ms(database, middle) < start_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _received_ms(database: Database, seq: int) -> int:
    row = database.row(_RECEIVED, seq)
    return int(row[0]) if row else 0
