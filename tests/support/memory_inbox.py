"""An inbox store in memory, with the failures of a real one on demand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from central.errors import BatchRefusedError, StoreError
from central.inbox.ports import BatchRefusal, SessionGrant, StoreResult
from central.store.fencing import History, judge_history
from central.store.grants import Ancestor
from shared.sync.frames import (
    MARK_HASH_BYTES,
    Batch,
    Hello,
    Mark,
    NackCode,
    Report,
    SeriesEntry,
)
from shared.sync.marks import make_marks, marked_held
from shared.sync.ranges import Ranges
from tests.support.sync_frames import CENTRAL_UUID

Key = tuple[str, str, int]  # site, edge_id, epoch


@dataclass(slots=True)
class EdgeData:
    """What is committed of one edge in one epoch."""

    series: list[SeriesEntry] = field(default_factory=list[SeriesEntry])
    batches: dict[tuple[int, int], Batch] = field(default_factory=dict[tuple[int, int], Batch])
    repeated: int = 0  # batches that came although they were held
    shared: dict[int, Ranges] = field(default_factory=dict[int, Ranges])  # held by another epoch
    shared_hashes: dict[tuple[int, int], bytes] = field(
        default_factory=dict[tuple[int, int], bytes]
    )

    def hashes(self) -> dict[tuple[int, int], bytes]:
        own = {key: batch.sha256[:MARK_HASH_BYTES] for key, batch in self.batches.items()}
        return self.shared_hashes | own

    def ranges(self) -> dict[int, Ranges]:
        lanes = sorted({lane for lane, _ in self.batches} | self.shared.keys())
        return {
            lane: Ranges.of_numbers(seq for of_lane, seq in self.batches if of_lane == lane).union(
                self.shared.get(lane, Ranges())
            )
            for lane in lanes
        }

    def marks(self) -> dict[int, tuple[Mark, ...]]:
        hashes: dict[int, dict[int, bytes]] = {}
        for lane, held in self.ranges().items():
            for seq in marked_held(held):
                hashes.setdefault(lane, {})[seq] = self.hashes()[lane, seq]
        return make_marks(hashes)


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
        self.fences: list[str] = []
        self._epochs: dict[tuple[str, str], dict[int, str]] = {}
        self._series_used = series_used
        self._sessions = 0

    def open_session(self, hello: Hello) -> SessionGrant:
        """Grant one epoch per installation, and another where its log is not the one it was."""
        epochs = self._epochs.setdefault((hello.site, hello.edge_id), {})
        newest = max(epochs, default=0)
        mine = [epoch for epoch, install in epochs.items() if install == hello.install_uuid]
        epoch = hello.epoch if hello.epoch in mine else max(mine, default=0)
        if not mine or hello.epoch > newest:
            epoch = newest = max(newest + 1, hello.epoch)
            epochs[epoch] = hello.install_uuid
        data = self.data.setdefault((hello.site, hello.edge_id, epoch), EdgeData())
        hashes = data.hashes()
        fence = judge_history(hello, History(data.ranges(), len(data.series), hashes))
        if fence is not None:
            self.fences.append(fence.because)
            epoch = newest + 1
            epochs[epoch] = hello.install_uuid
            data = EdgeData(
                shared=dict(fence.shared),
                shared_hashes={
                    (lane, seq): hashes[lane, seq]
                    for lane, held in fence.shared.items()
                    for first, last in held.spans
                    for seq in range(first, last + 1)
                },
            )
            self.data[hello.site, hello.edge_id, epoch] = data
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
            fenced=None if fence is None else fence.because,
            ancestors=tuple(
                Ancestor(other, self.data[hello.site, hello.edge_id, other].ranges())
                for other, install in epochs.items()
                if install == hello.install_uuid and other != epoch
            ),
            marks=data.marks(),
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
            if self._is_inherited(grant, data, batch):
                stored[batch.lane] = stored.get(batch.lane, Ranges()).add(batch.seq)
                continue
            code = self._insert(data, batch)
            if code:
                refused.append(BatchRefusal(batch.lane, batch.seq, code, "as told"))
            else:
                stored[batch.lane] = stored.get(batch.lane, Ranges()).add(batch.seq)
        return StoreResult(stored, tuple(refused))

    def _is_inherited(self, grant: SessionGrant, data: EdgeData, batch: Batch) -> bool:
        key = (batch.lane, batch.seq)
        others = [self.data[grant.site, grant.edge_id, one.epoch] for one in grant.ancestors]
        held = [other.batches[key] for other in others if key in other.batches]
        if key in data.batches or all(one.sha256 != batch.sha256 for one in held):
            return False
        data.shared[batch.lane] = data.shared.get(batch.lane, Ranges()).add(batch.seq)
        data.shared_hashes[key] = batch.sha256[:MARK_HASH_BYTES]
        return True

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
