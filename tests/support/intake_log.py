"""A log in memory with the journal's promises: for ingest tests that need no disk."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.errors import LogError
from edge.log.declared import DeclaredGap, Recovered
from edge.log.records import Committed, PendingBatch, PendingRecords, QuarantineEntry
from shared.domain.samples import Series, Value
from shared.sync.records import KnownRecord

RECENT_MAX = 250_000
Row = tuple[int, int, Value, int]  # series number, ts_ms, value, quality


@dataclass
class IntakeLog:
    """``failures`` are raised by the next calls; a ``gate`` that is not set holds them back."""

    series: list[tuple[int, Series]] = field(default_factory=list[tuple[int, Series]])
    sources: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    recent: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    rows: list[Row] = field(default_factory=list[Row])
    records: list[KnownRecord] = field(default_factory=list[KnownRecord])
    quarantined: list[QuarantineEntry] = field(default_factory=list[QuarantineEntry])
    gaps: list[DeclaredGap] = field(default_factory=list[DeclaredGap])
    recovered: list[Recovered] = field(default_factory=list[Recovered])
    failures: list[LogError] = field(default_factory=list[LogError])
    commits: list[str] = field(default_factory=list[str])
    gate: asyncio.Event | None = None
    unstorable_values: set[Value] = field(default_factory=set[Value])
    commit_turns: Callable[[], int] = lambda: 1  # of the event loop, for one commit

    async def append(self, batch: PendingBatch) -> Committed:
        if self.unstorable(batch):
            raise ValueError("a row cannot be stored")
        await self._pass("append")
        for entry in batch.new_series:
            if entry not in self.series:
                assert entry[0] == len(self.series) + 1, "series are numbered without a hole"
                self.series.append(entry)
        for source in batch.new_sources:
            if source not in self.sources:
                assert source[0] == len(self.sources) + 1, "sources are numbered without a hole"
                self.sources.append(source)
        self.rows.extend(zip(batch.series_ix, batch.ts_ms, batch.value, batch.quality, strict=True))
        self.recent.extend(batch.seen)
        del self.recent[:-RECENT_MAX]
        first = len(self.commits)
        return Committed(batch.lane, first, first if batch.series_ix else first - 1)

    def unstorable(self, batch: PendingBatch) -> list[tuple[int, str]]:
        unstorable = self.unstorable_values
        return [(row, "odd") for row, value in enumerate(batch.value) if value in unstorable]

    async def quarantine(self, entries: Sequence[QuarantineEntry]) -> None:
        await self._pass("quarantine")
        self.quarantined.extend(entries)

    async def append_records(self, pending: PendingRecords) -> Committed:
        await self._pass("records")
        self.records.extend(pending.records)
        return Committed(pending.lane, len(self.records), len(self.records))

    async def declare(self, gaps: Sequence[DeclaredGap], recovered: Sequence[Recovered]) -> None:
        await self._pass("gaps")
        self.gaps.extend(gaps)
        self.recovered.extend(recovered)

    async def _pass(self, what: str) -> None:
        if self.gate is not None:
            await self.gate.wait()
        for _ in range(self.commit_turns()):
            await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.commits.append(what)

    def values(self) -> dict[str, list[tuple[int, Value]]]:
        """Return (ts_ms, value) by ``kind/id/metric``, in the order of storing."""
        names = {ix: f"{s.name.kind}/{s.name.asset_id}/{s.name.metric}" for ix, s in self.series}
        found: dict[str, list[tuple[int, Value]]] = {}
        for series_ix, ts_ms, value, _ in self.rows:
            found.setdefault(names[series_ix], []).append((ts_ms, value))
        return found
