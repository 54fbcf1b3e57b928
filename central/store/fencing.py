"""Is this edge's log the one whose batches are held, or an old or other copy of it? Pure.

An edge whose image was restored, or of which there are two, gives numbers that are taken to new
batches. It goes on under a new epoch, which begins with what both histories share.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.sync.frames import Hello, Role
from shared.sync.ranges import SEQ_MAX, Ranges

BatchHashes = Mapping[tuple[int, int], bytes]  # (lane, seq) -> the beginning of its sha256


@dataclass(frozen=True, slots=True)
class History:
    """What is held of an edge in the epoch it names; hashes as far as they were asked for."""

    held: Mapping[int, Ranges]
    series_known: int
    hashes: BatchHashes = field(default_factory=dict[tuple[int, int], bytes])


@dataclass(frozen=True, slots=True)
class Fence:
    """Why an edge begins a new epoch, and what of the old one it shares."""

    because: str
    shared: Mapping[int, Ranges]  # held by central and the same in the edge's log


def judge_history(hello: Hello, history: History) -> Fence | None:
    """Return the fence between the edge's log and what is held; None where they agree."""
    because = _disagreement(hello, history)
    if because is None:
        return None
    shared = {
        lane: held.intersection(Ranges.of((1, until)))
        for lane, held in history.held.items()
        if (until := _shared_until(hello, lane, history.hashes)) > 0
    }
    return Fence(because, {lane: held for lane, held in shared.items() if held})


def _disagreement(hello: Hello, history: History) -> str | None:
    for lane, held in sorted(history.held.items()):
        extent = hello.lanes.get(lane)
        last_seq = extent.last_seq if extent else 0
        # Of other lanes another connection may have brought more since HELLO was written.
        if hello.role.serves(lane) and held.last is not None and held.last > last_seq:
            return f"lane {lane} is held up to {held.last}, the edge's log ends at {last_seq}"
        wrong = [seq for seq, is_same in _compared(hello, lane, history.hashes) if not is_same]
        if wrong:
            return f"lane {lane}: batch {min(wrong)} is held with other content"
    if hello.role is Role.URGENT:
        return None
    known, count = history.series_known, hello.series_count
    return f"{known} series are known, the edge's log has {count}" if known > count else None


def _shared_until(hello: Hello, lane: int, hashes: BatchHashes) -> int:
    """Return up to which number both are certainly the same; 0 where nothing is certain.

    The batches of a log form a chain: where one is the same, all before it are.
    """
    compared = list(_compared(hello, lane, hashes))
    first_other = min((seq for seq, is_same in compared if not is_same), default=SEQ_MAX + 1)
    return max((seq for seq, is_same in compared if is_same and seq < first_other), default=0)


def _compared(hello: Hello, lane: int, hashes: BatchHashes) -> list[tuple[int, bool]]:
    return [
        (mark.seq, hashes[lane, mark.seq] == mark.hash)
        for mark in hello.marks.get(lane, ())
        if (lane, mark.seq) in hashes
    ]
