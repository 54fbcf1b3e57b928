"""What is known against a sample: its time, its place in the sequence, its value. Pure.

Owns the rules by which a sample is accepted, suppressed as a duplicate or refused for its time.
Time is given; the state (sequence per source, window of identities) is held by whoever calls.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec

from edge.ingest.catalogue import SeriesEntry, Source
from edge.ingest.clock_doubt import ClockDoubt
from edge.ingest.decoded import DecodedSample, Reason, Refusal
from edge.ingest.seen import Identity, SeenWindow, identity_of
from edge.ingest.sequence import IN_ORDER, SequenceVerdict
from shared.domain.samples import Quality, Value
from shared.domain.topics import Channel

_LATE: Final = int(Quality.LATE)
_FUTURE: Final = int(Quality.FUTURE)
_EDGE_TIME: Final = int(Quality.EDGE_TIME)
_OUT_OF_RANGE: Final = int(Quality.OUT_OF_RANGE)


class Outcome(IntEnum):
    """What happens to a sample."""

    ACCEPTED = 0
    DUPLICATE = 1  # seen before: counted, acknowledged, not stored again
    REFUSED = 2  # its time is too far ahead to be believed


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How far a device's time may be from the edge's, in ms."""

    late_after_ms: int
    future_after_ms: int
    future_reject_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the broker delivered the message a sample came in."""

    retained: bool
    redelivered: bool


class Verdict(msgspec.Struct, frozen=True):
    """The judgement of one sample; ``ts_ms`` is the time it is stored under."""

    outcome: Outcome
    ts_ms: int
    quality: int
    sequence: SequenceVerdict
    identity: Identity | None
    refusal: Refusal | None = None


class Judge:
    """Judges samples in arrival order. Owns the window of identities and the online times."""

    def __init__(self, limits: TimeLimits, seen: SeenWindow, doubt: ClockDoubt) -> None:
        self._limits = limits
        self._doubt = doubt
        self._seen = seen
        self._online_ms: dict[tuple[str, str], int] = {}  # newest birth or death of each asset

    def judge(
        self, sample: DecodedSample, source: Source, delivery: Delivery, now_ms: int
    ) -> Verdict:
        """Return what becomes of ``sample``; ``now_ms`` is the edge's time in epoch ms.

        Its identity is remembered here already: the caller must see to it that the sample becomes
        durable, and acknowledge nothing that arrives later before it is.
        """
        ts_ms = now_ms if sample.ts_ms is None else sample.ts_ms
        identity = identity_of(source.source_ix, sample.seq, sample.ts_ms, sample.values)
        if self._is_duplicate(sample, source, delivery, identity):
            return Verdict(Outcome.DUPLICATE, ts_ms, 0, IN_ORDER, identity)
        if identity is not None:
            self._seen.add(identity)
        # A time that is not believed must not become the time of the source.
        self._doubt.note(now_ms)
        believed_ms = min(ts_ms, self._doubt.believed_ms(now_ms, self._limits.future_after_ms))
        source.newest_ms = max(source.newest_ms, believed_ms)
        sequence = IN_ORDER
        if sample.seq is not None:
            sequence = source.sequence.advance(sample.seq, believed_ms)
        refusal = self._refusal(ts_ms, now_ms)
        if refusal is not None:
            return Verdict(Outcome.REFUSED, ts_ms, 0, sequence, identity, refusal)
        quality = sequence.quality | self._time_quality(sample.ts_ms, now_ms)
        if source.topic.channel in _ONLINE_CHANNELS:
            ts_ms, moved = self._online_time(source, ts_ms, now_ms)
            quality |= moved
        return Verdict(Outcome.ACCEPTED, ts_ms, quality, sequence, identity)

    def note_online(self, kind: str, asset_id: str, ts_ms: int) -> None:
        """Learn the newest birth or death of an asset from before a restart."""
        self._online_ms[kind, asset_id] = ts_ms

    def _is_duplicate(
        self, sample: DecodedSample, source: Source, delivery: Delivery, identity: Identity | None
    ) -> bool:
        # Retained messages come again with every new subscription, long after the window.
        if delivery.retained and sample.ts_ms is not None and sample.ts_ms <= source.newest_ms:
            return True
        if identity is None or identity not in self._seen:
            return False
        if sample.ts_ms is not None:
            return True
        # Without a time a rebooted device repeats numbers; only the broker's word tells the two.
        return delivery.redelivered or sample.seq == source.sequence.last_seq

    def _refusal(self, ts_ms: int, now_ms: int) -> Refusal | None:
        latest_ms = self._doubt.believed_ms(now_ms, self._limits.future_reject_ms)
        if ts_ms <= latest_ms:
            return None
        detail = (
            f"expected at most {latest_ms - now_ms} ms ahead of the edge's time, "
            f"got {ts_ms - now_ms} ms ahead"
        )
        return Refusal(Reason.FUTURE_TIME, "ts", detail)

    def _time_quality(self, ts_ms: int | None, now_ms: int) -> int:
        if ts_ms is None:
            return _EDGE_TIME
        if ts_ms < now_ms - self._limits.late_after_ms:
            return _LATE
        return _FUTURE if ts_ms > now_ms + self._limits.future_after_ms else 0

    def _online_time(self, source: Source, ts_ms: int, now_ms: int) -> tuple[int, int]:
        """Return the time of a birth or death such that the later arrival is the newer.

        A last will carries the time of its connect, so a death would lie before the birth it ends,
        and before whatever else the device said.
        """
        asset = (source.topic.kind, source.topic.asset_id)
        last_ms = self._online_ms.get(asset, -1)
        if source.topic.channel is Channel.DEATH:
            heard_ms = max((s.newest_ms for s in source.of_asset if s is not source), default=-1)
            bound_ms = self._doubt.believed_ms(now_ms, self._limits.future_after_ms)
            last_ms = max(last_ms, min(heard_ms, bound_ms))
        moved = 0 if ts_ms > last_ms else _EDGE_TIME
        if moved:
            ts_ms = max(now_ms, last_ms + 1)
        self._online_ms[asset] = ts_ms
        return ts_ms, moved


_ONLINE_CHANNELS: Final = frozenset({Channel.BIRTH, Channel.DEATH})


def range_quality(value: Value, entry: SeriesEntry) -> int:
    """Return OUT_OF_RANGE if a number lies outside what the quantity can physically be."""
    if isinstance(value, str) or entry.low <= value <= entry.high:
        return 0
    return _OUT_OF_RANGE
