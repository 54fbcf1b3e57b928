"""Records of the urgent lanes in the log, on real files."""

import asyncio
from pathlib import Path

import pytest

from edge.errors import LogFullError
from edge.log import journal as journal_module
from edge.log.records import Committed, PendingRecords
from shared.sync.records import decode_records
from tests.support.edge_log import T0_MS, make_batch, make_gap, opened, read_all, values_of


async def test_records_have_a_lane_of_their_own_and_are_found_again(tmp_path: Path) -> None:
    gaps = [make_gap(n, n) for n in (1, 2, 3)]
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(1.0))
        first = PendingRecords(lane=1, records=tuple(gaps[:2]), received_ms=T0_MS)
        assert await journal.append_records(first) == Committed(1, 1, 1)
    async with opened(tmp_path) as journal:
        second = PendingRecords(lane=1, records=(gaps[2],), received_ms=T0_MS + 5)
        assert await journal.append_records(second) == Committed(1, 2, 2)
        batches = await journal.read(1, 1, 9, 1_000_000)
        assert values_of(await read_all(journal)) == [1.0]
    assert [batch.n for batch in batches] == [2, 1]
    assert [decode_records(batch.body) for batch in batches] == [gaps[:2], gaps[2:]]
    assert [batch.recv_max_ms for batch in batches] == [T0_MS, T0_MS + 5]


async def test_records_that_cannot_be_stored_are_the_callers_error(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match=r"lane must be one of \[0, 1\]"):
            await journal.append_records(PendingRecords(lane=2, records=(), received_ms=T0_MS))
        with pytest.raises(ValueError, match="1 to 1000 records"):
            await journal.append_records(PendingRecords(lane=1, records=(), received_ms=T0_MS))
        good = PendingRecords(lane=1, records=(make_gap(),), received_ms=T0_MS)
        assert await journal.append_records(good) == Committed(1, 1, 1)


async def test_calls_with_records_have_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "RECORDS_WAITING_MAX", 2)
    pending = PendingRecords(lane=1, records=(make_gap(),), received_ms=T0_MS)
    async with opened(tmp_path) as journal:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(journal.append_records(pending))
            await asyncio.sleep(0)
            with pytest.raises(LogFullError, match="2 calls with records wait"):
                await journal.append_records(pending)
        assert isinstance(await journal.append_records(pending), Committed)
