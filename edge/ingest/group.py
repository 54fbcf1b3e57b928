"""A group of messages on their way to one commit: rows, refusals and whom to tell. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from edge.ingest.catalogue import SeriesEntry
from edge.ingest.decoded import Refusal
from edge.ingest.seen import Identity
from edge.ingest.stream import Publish
from edge.log.declared import DeclaredGap, Recovered
from edge.log.records import PendingBatch, QuarantineEntry
from shared.domain.samples import Series, Value

# Tells the connection a message came by that it is durable: packet identifiers, in order.
# Returns how many of them it could still tell the broker.
Acknowledge = Callable[[Sequence[int]], int]

FIELD_CHARACTERS_MAX: Final = 200  # of a path in the quarantine; device text can be in it


class Group:
    """Collects what becomes durable together, in arrival order; used once."""

    __slots__ = (
        "_quality", "_receipts", "_recv_max_ms", "_recv_min_ms", "_seen", "_series_ix", "_ts_ms",
        "_value", "_value_type", "entries", "gaps", "messages", "opened_s", "recovered",
        "samples", "size_bytes",
    )  # fmt: skip

    def __init__(self, opened_s: float) -> None:
        self.opened_s = opened_s  # monotonic time at which its first message was read
        self.messages = 0
        self.samples = 0
        self.size_bytes = 0
        self.entries: list[QuarantineEntry] = []
        self.gaps: list[DeclaredGap] = []
        self.recovered: list[Recovered] = []
        self._series_ix: list[int] = []
        self._value_type: list[int] = []
        self._ts_ms: list[int] = []
        self._value: list[Value] = []
        self._quality: list[int] = []
        self._seen: list[Identity] = []
        self._recv_min_ms = 0
        self._recv_max_ms = 0
        self._receipts: dict[Acknowledge, list[int]] = {}  # one answer for each connection

    @property
    def received_ms(self) -> int:
        """Return the edge's time when its newest message was read."""
        return self._recv_max_ms

    @property
    def values(self) -> int:
        """Return how many values are in it."""
        return len(self._series_ix)

    def begin_message(self, message: Publish, acknowledge: Acknowledge, received_ms: int) -> None:
        """Note a message; everything added next belongs to it. Without a packet id: no answer."""
        self._recv_min_ms = min(self._recv_min_ms, received_ms) if self.messages else received_ms
        self._recv_max_ms = max(self._recv_max_ms, received_ms)
        self.messages += 1
        self.size_bytes += len(message.payload)
        if message.packet_id == 0:
            return
        receipt = self._receipts.get(acknowledge)
        if receipt is None:
            receipt = self._receipts[acknowledge] = []
        receipt.append(message.packet_id)

    def add_value(self, entry: SeriesEntry, ts_ms: int, value: Value, quality: int) -> None:
        """Add one row."""
        self._series_ix.append(entry.series_ix)
        self._value_type.append(entry.value_type)
        self._ts_ms.append(ts_ms)
        self._value.append(value)
        self._quality.append(quality)

    def add_seen(self, identity: Identity) -> None:
        """Add what a redelivery of a sample is recognised by."""
        self._seen.append(identity)

    def add_refusals(self, refusals: Sequence[Refusal], message: Publish, at_ms: int) -> None:
        """Add one quarantine entry for each reason; the first refusal of each speaks for the rest.

        A batch with thousands of bad samples would otherwise push everything else out.
        """
        by_reason: dict[str, list[Refusal]] = {}
        for refusal in refusals:
            by_reason.setdefault(refusal.reason, []).append(refusal)
        for reason, alike in by_reason.items():
            more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
            self.entries.append(
                QuarantineEntry(
                    at_ms=at_ms,
                    topic=message.topic,
                    reason=str(reason),
                    field=alike[0].field[:FIELD_CHARACTERS_MAX],
                    detail=alike[0].detail + more,
                    payload=message.payload,
                    size_bytes=message.size_bytes,
                    sha256=message.sha256,
                )
            )

    def batch(
        self,
        new_series: tuple[tuple[int, Series], ...],
        new_sources: tuple[tuple[int, str], ...],
    ) -> PendingBatch | None:
        """Return its samples for the log, or ``None`` if there is nothing to make durable."""
        if not (self._series_ix or self._seen or new_series or new_sources):
            return None
        return PendingBatch(
            series_ix=self._series_ix,
            value_type=self._value_type,
            ts_ms=self._ts_ms,
            value=self._value,
            quality=self._quality,
            recv_min_ms=self._recv_min_ms,
            recv_max_ms=self._recv_max_ms,
            new_series=new_series,
            new_sources=new_sources,
            seen=self._seen,
        )

    def acknowledge(self) -> int:
        """Tell every connection what is durable, in arrival order; return how many were sent."""
        return sum(acknowledge(packet_ids) for acknowledge, packet_ids in self._receipts.items())
