"""Gaps that are declared: what is known to be lost in front of the log. Pure.

Owns what a gap says, how it shrinks when a part of it arrives late, and how many are kept: when
there are too many, old ones are merged and none is forgotten.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.sync.records import MessageGapRecord

GAPS_MAX: Final = 10_000  # kept one by one; 2 MB on disk
MERGED_PART: Final = 4  # one in so many, the oldest, are merged when there are too many
RECOVERED: Final = "recovered"
ALL_TOPICS: Final = "*"  # of gaps of many devices that were merged


class GapReason(StrEnum):
    """How a loss is known."""

    SEQUENCE_GAP = "sequence_gap"  # a device's numbers jump
    BROKER_DROPPED = "broker_dropped"  # the broker says so; it does not say whose messages


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredGap:
    """Messages that never arrived. Times are epoch ms; between them the messages were sent.

    ``missing`` counts messages. The same loss may be known by both reasons: the sum over reasons
    has no meaning.
    """

    reason: GapReason
    topic: str  # empty where the reason names none
    first_seq: int  # 0 and 0 where there are no numbers
    last_seq: int
    missing: int
    from_ms: int  # 0: not known
    until_ms: int
    declared_ms: int
    merged: int = 1  # how many declarations it stands for


@dataclass(frozen=True, slots=True)
class Recovered:
    """A missing number of a topic that came after all."""

    topic: str
    seq: int
    at_ms: int  # edge time


def record_of_gap(gap: DeclaredGap) -> MessageGapRecord:
    """Return what central is told of a gap."""
    return MessageGapRecord(
        gap_id=_id_of(gap.reason, gap.topic, gap.first_seq, gap.from_ms, gap.until_ms),
        topic=gap.topic,
        missing=gap.missing,
        from_ms=gap.from_ms or None,
        until_ms=gap.until_ms or None,
        reason=gap.reason,
        at_ms=gap.declared_ms,
    )


def record_of_recovery(one: Recovered) -> MessageGapRecord:
    """Return what central is told of a missing message that came after all."""
    return MessageGapRecord(
        gap_id=_id_of(RECOVERED, one.topic, one.seq, one.at_ms, 0),
        topic=one.topic,
        missing=1,
        from_ms=None,
        until_ms=None,
        reason=RECOVERED,
        at_ms=one.at_ms,
    )


def _id_of(*parts: str | int) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:32]


def without(gap: DeclaredGap, seq: int) -> list[DeclaredGap]:
    """Return what is left of ``gap`` when ``seq`` of it has arrived."""
    if gap.merged > 1 or gap.missing != gap.last_seq - gap.first_seq + 1:
        return [replace(gap, missing=gap.missing - 1)] if gap.missing > 1 else []
    parts = ((gap.first_seq, seq - 1), (seq + 1, gap.last_seq))
    return [
        replace(gap, first_seq=first, last_seq=last, missing=last - first + 1)
        for first, last in parts
        if first <= last
    ]


def merge_oldest(gaps: Sequence[DeclaredGap], gaps_max: int = GAPS_MAX) -> list[DeclaredGap]:
    """Return at most ``gaps_max`` gaps that declare as much as ``gaps``, which are oldest first.

    First those of one device become one; if that is not enough, those of all devices.
    """
    if len(gaps) <= gaps_max:
        return list(gaps)
    old = max(len(gaps) // MERGED_PART, len(gaps) - gaps_max + 2)
    kept = list(gaps[old:])
    by_topic = _merged((gap.topic, gap) for gap in gaps[:old])
    if len(by_topic) + len(kept) <= gaps_max:
        return by_topic + kept
    return _merged((ALL_TOPICS, gap) for gap in gaps[:old]) + kept


def _merged(gaps: Iterable[tuple[str, DeclaredGap]]) -> list[DeclaredGap]:
    found: dict[tuple[str, GapReason], DeclaredGap] = {}
    for topic, gap in gaps:
        key = (topic, gap.reason)
        known = found.get(key)
        found[key] = replace(gap, topic=topic) if known is None else _joined(known, gap)
    return list(found.values())


def _joined(one: DeclaredGap, other: DeclaredGap) -> DeclaredGap:
    return replace(
        one,
        first_seq=min(one.first_seq, other.first_seq),
        last_seq=max(one.last_seq, other.last_seq),
        missing=one.missing + other.missing,
        from_ms=min(one.from_ms, other.from_ms),
        until_ms=max(one.until_ms, other.until_ms),
        declared_ms=max(one.declared_ms, other.declared_ms),
        merged=one.merged + other.merged,
    )
