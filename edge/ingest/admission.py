"""From a message to what it adds to a group: routing, decoding and judging. No clock, no I/O.

Owns what is accepted, suppressed and refused, and counts it. Decoding of a large payload may happen
in another thread (``decode``); everything that touches state happens where ``admit`` is called.
"""

from collections.abc import Iterator
from typing import Final

from edge.ingest.catalogue import Catalogue, Source
from edge.ingest.decode import decode_payload, too_large
from edge.ingest.decoded import Decoded, DecodedSample, DecodeLimits, Reason, Refusal
from edge.ingest.group import Group
from edge.ingest.quality import Delivery, Judge, Outcome, Verdict, range_quality
from edge.ingest.routing import NotOurs, route
from edge.ingest.seen import SeenWindow
from edge.ingest.sequence import IN_ORDER
from edge.ingest.stream import Publish
from edge.log.declared import DeclaredGap, GapReason, Recovered
from edge.metrics import IngestCounts
from shared.domain.samples import ValueType

# The loop is given back after this many samples: at 10 us each that is 2.5 ms.
SLICE_SAMPLES: Final = 250

# A heartbeat says "online" as a birth does, but not each of them is worth a row.
HEARTBEAT_STORED_EVERY_S: Final = 10
_HEARTBEAT_MS: Final = HEARTBEAT_STORED_EVERY_S * 1000
_ONLINE: Final = (("online", ValueType.FLAG, True),)

_ORDINARY: Final = Delivery(retained=False, redelivered=False)

_NOT_PERMITTED: Final = Refusal(
    Reason.NOT_PERMITTED, "topic", "expected a topic of the sender's own device"
)

Contents = Decoded | NotOurs | Refusal


class Admission:
    """Judges messages of one site in the order of arrival."""

    def __init__(
        self,
        *,
        site: str,
        limits: DecodeLimits,
        catalogue: Catalogue,
        judge: Judge,
        seen: SeenWindow,
        counts: IngestCounts,
    ) -> None:
        self.catalogue = catalogue
        self._site = site
        self._limits = limits
        self._judge = judge
        self._seen = seen
        self._counts = counts

    def decode(self, message: Publish) -> Contents:
        """Return what the message says; reads nothing that changes, so any thread may call it."""
        if message.is_denied:
            return _NOT_PERMITTED
        source = self.catalogue.known_source(message.topic)
        routed = route(message.topic, self._site) if source is None else source.topic
        if isinstance(routed, NotOurs | Refusal):
            return routed
        if message.size_bytes > len(message.payload):
            return too_large(message.size_bytes, self._limits)
        return decode_payload(routed, message.payload, self._limits)

    def admit(
        self, message: Publish, contents: Contents, received_ms: int, group: Group
    ) -> Iterator[None]:
        """Add what the message says to ``group``; its ``begin_message`` was called.

        Yields after every ``SLICE_SAMPLES`` samples, so that a large batch does not hold the loop;
        ``group`` must stay open until the iterator ends.
        """
        counts = self._counts
        counts.messages += 1
        counts.payload_bytes += message.size_bytes
        counts.retained += message.retain
        if isinstance(contents, NotOurs):
            counts.not_ours += 1
            return
        refusals: list[Refusal] = []
        if isinstance(contents, Refusal):
            refusals.append(contents)
        else:
            refusals.extend(contents.refused)
            yield from self._admit_samples(contents, message, received_ms, group, refusals)
        if refusals:
            for refusal in refusals:
                counts.refuse(refusal.reason)
            group.add_refusals(refusals, message, received_ms)

    def _admit_samples(
        self,
        decoded: Decoded,
        message: Publish,
        received_ms: int,
        group: Group,
        refusals: list[Refusal],
    ) -> Iterator[None]:
        if not decoded.samples:
            return
        source = self.catalogue.known_source(message.topic)
        if source is None:
            source = self.catalogue.source_of(decoded.topic)
        if source is None:
            refusals.append(Refusal(Reason.TOO_MANY_SERIES, "topic", "no room for another source"))
            return
        delivery = _ORDINARY
        if message.retain or message.dup:
            delivery = Delivery(retained=message.retain, redelivered=message.dup)
        for index, sample in enumerate(decoded.samples, 1):
            verdict = self._judge.judge(sample, source, delivery, received_ms)
            # An old birth that is delivered again must not undo a newer one.
            if decoded.units and verdict.outcome is Outcome.ACCEPTED:
                self.catalogue.declare_units(decoded.topic, decoded.units)
            self._add_sample(sample, source, verdict, group, refusals)
            if index % SLICE_SAMPLES == 0:
                yield

    def _add_sample(
        self,
        sample: DecodedSample,
        source: Source,
        verdict: Verdict,
        group: Group,
        refusals: list[Refusal],
    ) -> None:
        group.samples += 1
        if verdict.outcome is Outcome.DUPLICATE:
            self._counts.duplicates += 1
            return
        self._remember(verdict, group)
        if verdict.sequence is not IN_ORDER:
            self._declare(sample, source, verdict, group)
        if verdict.refusal is not None:
            refusals.append(verdict.refusal)
            return
        self._counts.samples += 1
        values = sample.values
        if sample.is_heartbeat and abs(verdict.ts_ms - source.heartbeat_ms) >= _HEARTBEAT_MS:
            source.heartbeat_ms = verdict.ts_ms
            values = _ONLINE
        for metric, value_type, value in values:
            entry = self.catalogue.entry_of(source, metric, value_type)
            if entry is None:
                detail = f"the site has as many series as are allowed; {metric} is not kept"
                refusals.append(Refusal(Reason.TOO_MANY_SERIES, f"metrics.{metric}", detail))
                continue
            quality = verdict.quality | range_quality(value, entry)
            group.add_value(entry, verdict.ts_ms, value, quality)

    def _remember(self, verdict: Verdict, group: Group) -> None:
        if verdict.identity is not None:
            group.add_seen(verdict.identity)
            if self._seen.is_due:
                self._turn_window(group)

    def _declare(
        self, sample: DecodedSample, source: Source, verdict: Verdict, group: Group
    ) -> None:
        """Count what the number of a sample tells; declare what is missing before it."""
        sequence, counts = verdict.sequence, self._counts
        counts.gaps += sequence.missing > 0
        counts.missing += sequence.missing
        counts.recovered += sequence.recovered
        counts.restarts += sequence.restarted
        if sequence.recovered and sample.seq is not None:
            group.recovered.append(Recovered(str(source.topic), sample.seq, group.received_ms))
        if sequence.gap is not None:
            first_seq, last_seq, from_ms = sequence.gap
            group.gaps.append(
                DeclaredGap(
                    reason=GapReason.SEQUENCE_GAP,
                    topic=str(source.topic),
                    first_seq=first_seq,
                    last_seq=last_seq,
                    missing=sequence.missing,
                    from_ms=max(from_ms, 0),
                    until_ms=verdict.ts_ms,
                    declared_ms=group.received_ms,
                )
            )

    def _turn_window(self, group: Group) -> None:
        """Forget the oldest identities, but rewrite the last of each source, for its sequence.

        At most a quarter of a generation: with more silent sources than that, some lose the number
        to judge their next one by.
        """
        ageing = self._seen.turn()
        room = self._seen.generation_size // 4
        for source in self.catalogue.sources:
            sequence = source.sequence
            identity = (source.source_ix, sequence.last_seq, sequence.last_ts_ms)
            if identity in ageing and room:
                room -= 1
                self._seen.add(identity)
                group.add_seen(identity)
