"""An inbox store in memory, with the failures of a real one on demand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from central.errors import BatchRefusedError, StoreError
from central.inbox.ports import BatchRefusal, SessionGrant, StoreResult
from shared.sync.frames import Batch, Hello, NackCode, Report, SeriesEntry
from shared.sync.ranges import Ranges
from tests.support.sync_frames import CENTRAL_UUID

Key = tuple[str, str, int]  # site, edge_id, epoch


@dataclass(slots=True)
class EdgeData:
    """What is committed of one edge in one epoch."""

    series: list[SeriesEntry] = field(default_factory=list[SeriesEntry])
    batches: dict[tuple[int, int], Batch] = field(default_factory=dict[tuple[int, int], Batch])
    repeated: int = 0  # batches that came although they were held

    def ranges(self) -> dict[int, Ranges]:
        lanes = sorted({lane for lane, _ in self.batches})
        return {
            lane: Ranges.of_numbers(seq for of_lane, seq in self.batches if of_lane == lane)
            for lane in lanes
        }


def no_series(batch: Batch) -> int:
    """Return that ``batch`` uses no series that the store would have to know."""
    del batch
    return 0


class MemoryDatabase:
    """Committed state only: what a crash of central leaves behind."""

    def __init__(self, series_used: Callable[[Batch], int] = no_series) -> None:
        """``series_used`` returns the highest series number a batch refers to."""
        self.data: dict[Key, EdgeData] = {}
        self.conflicts: list[Batch] = []
        self.poison: set[int] = set()  # seqs that make any transaction fail for good
        self.quarantine: set[int] = set()  # seqs that the store quarantines by itself
        self._epochs: dict[tuple[str, str], dict[str, int]] = {}
        self._series_used = series_used
        self._sessions = 0

    def open_session(self, hello: Hello) -> SessionGrant:
        """Grant one epoch per installation."""
        epochs = self._epochs.setdefault((hello.site, hello.edge_id), {})
        newest = max(epochs.values(), default=0)
        epoch = epochs.setdefault(hello.install_uuid, max(newest + 1, hello.epoch))
        data = self.data.setdefault((hello.site, hello.edge_id, epoch), EdgeData())
        self._sessions += 1
        return SessionGrant(
            session_id=f"{self._sessions:032x}",
            central_uuid=CENTRAL_UUID,
            site=hello.site,
            edge_id=hello.edge_id,
            install_uuid=hello.install_uuid,
            epoch=epoch,
            lanes=data.ranges(),
            series_known=len(data.series),
            site_key=1,
            edge_key=1,
        )

    def commit(
        self, grant: SessionGrant, series: Sequence[SeriesEntry], batches: Sequence[Batch]
    ) -> StoreResult:
        """Commit all or, for a poisoned batch, raise and commit nothing."""
        if any(batch.seq in self.poison for batch in batches):
            raise BatchRefusedError("poison")
        data = self.data[grant.site, grant.edge_id, grant.epoch]
        for entry in series:
            assert entry.ix <= len(data.series) + 1, f"hole in the catalogue before {entry}"
            if entry.ix == len(data.series) + 1:
                data.series.append(entry)
        stored: dict[int, Ranges] = {}
        refused: list[BatchRefusal] = []
        for batch in batches:
            code = self._insert(data, batch)
            if code:
                refused.append(BatchRefusal(batch.lane, batch.seq, code, "as told"))
            else:
                stored[batch.lane] = stored.get(batch.lane, Ranges()).add(batch.seq)
        return StoreResult(stored, tuple(refused))

    def _insert(self, data: EdgeData, batch: Batch) -> NackCode | None:
        used = self._series_used(batch)
        assert used <= len(data.series), f"{batch.seq} uses series {used} of {len(data.series)}"
        held = data.batches.setdefault((batch.lane, batch.seq), batch)
        if held is not batch:
            data.repeated += 1
        if held.sha256 != batch.sha256:
            self.conflicts.append(batch)
            return NackCode.CONFLICT
        return NackCode.QUARANTINED if batch.seq in self.quarantine else None


class MemoryInboxStore:
    """`InboxStore` over a `MemoryDatabase`; the knobs are public and may be turned any time."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        """Begin working; ``database`` may be shared with a store before or after this one."""
        self.database = database or MemoryDatabase()
        self.is_down = False  # StoreError from everything
        self.bug: Exception | None = None  # raised by the next store call, once
        self.report_bug: Exception | None = None  # raised by the next report, once
        self.gate = asyncio.Event()  # store calls wait for it; set unless a test clears it
        self.gate.set()
        self.reports: list[Report] = []
        self.closed: list[str] = []
        self.store_calls = 0

    async def open_session(self, hello: Hello, now_ms: int) -> SessionGrant:
        """See `InboxStore`."""
        del now_ms
        self._check_up()
        return self.database.open_session(hello)

    async def store(
        self,
        grant: SessionGrant,
        series: Sequence[SeriesEntry],
        batches: Sequence[Batch],
        *,
        now_ms: int,
    ) -> StoreResult:
        """See `InboxStore`."""
        del now_ms
        self.store_calls += 1
        await self.gate.wait()
        self._check_up()
        bug, self.bug = self.bug, None
        if bug:
            raise bug
        return self.database.commit(grant, series, batches)

    async def record_report(self, grant: SessionGrant, report: Report, now_ms: int) -> None:
        """See `InboxStore`."""
        del grant, now_ms
        self._check_up()
        bug, self.report_bug = self.report_bug, None
        if bug:
            raise bug
        self.reports.append(report)

    async def session_closed(self, grant: SessionGrant, now_ms: int) -> None:
        """See `InboxStore`."""
        del now_ms
        self._check_up()
        self.closed.append(grant.session_id)

    def _check_up(self) -> None:
        if self.is_down:
            raise StoreError("the database is down")
