"""What the page shows right after a start: the newest values of the log."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.config import LogConfig
from edge.log.journal import Journal
from edge.log.records import PendingBatch
from edge.runtime import seeding
from edge.runtime.seeding import newest_batches, newest_part
from shared.clock import SystemClock
from shared.domain.samples import Series, Value, ValueType
from shared.ids import SeriesName

TYPES = {1: ValueType.NUMBER, 2: ValueType.TEXT, 3: ValueType.FLAG, 4: ValueType.INTEGER}
SERIES = tuple(
    (number, Series(SeriesName("kaduna", "sensor", "gas-1", f"m{number}"), "", value_type))
    for number, value_type in TYPES.items()
)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal.open(tmp_path, "kaduna", "edge-1", LogConfig(), SystemClock())
    yield journal
    await journal.close()


async def store(
    journal: Journal, *rows: tuple[int, int, Value, int], received_ms: int = 1_000
) -> None:
    await journal.append(
        PendingBatch(
            series_ix=[row[0] for row in rows],
            value_type=[int(TYPES[row[0]]) for row in rows],
            ts_ms=[row[1] for row in rows],
            value=[row[2] for row in rows],
            quality=[row[3] for row in rows],
            recv_min_ms=0,
            recv_max_ms=received_ms,
            new_series=SERIES if not journal.state().series else (),
        )
    )


async def newest(journal: Journal) -> dict[int, tuple[int, Value, int]]:
    rows = newest_part(await newest_batches(journal)).rows
    return {row.series_ix: (row.ts_ms, row.value, row.quality) for row in rows}


async def test_an_empty_log_gives_nothing(journal: Journal) -> None:
    assert await newest(journal) == {}


async def test_the_newest_of_each_series_by_device_time_whatever_its_type(journal: Journal) -> None:
    await store(journal, (1, 100, 1.0, 0), (2, 100, "idle", 0), (3, 100, True, 0), (1, 50, 9.0, 0))
    await store(journal, (2, 200, "fault", 4), (4, 100, 2**60, 0), (1, 90, 8.0, 0))
    assert await newest(journal) == {
        1: (100, 1.0, 0),
        2: (200, "fault", 4),
        3: (100, True, 0),
        4: (100, 2**60, 0),
    }


async def test_of_equal_times_the_later_arrival(journal: Journal) -> None:
    await store(journal, (1, 100, 1.0, 0), (1, 100, 2.0, 0))
    await store(journal, (1, 100, 3.0, 0), (1, 100, 4.0, 0), (1, 99, 5.0, 0))
    assert await newest(journal) == {1: (100, 4.0, 0)}


async def test_a_time_from_the_future_counts_as_the_time_of_its_receipt(journal: Journal) -> None:
    await store(journal, (1, 9_000, 1.0, 2), (2, 100, "idle", 0), received_ms=150)
    await store(journal, (1, 160, 2.0, 0), received_ms=160)
    assert (await newest(journal))[1] == (160, 2.0, 0)
    rows = newest_part(await newest_batches(journal)).rows
    assert {row.series_ix: row.last_ms for row in rows} == {1: 9_000, 2: 100}


async def test_tells_how_many_series_there_were(journal: Journal) -> None:
    await store(journal, (1, 100, 1.0, 0))
    rows = newest_part(await newest_batches(journal)).rows
    assert [(row.series_ix, row.series_count) for row in rows] == [(1, 4)]


async def test_what_came_after_the_clock_was_set_back_is_the_newest(journal: Journal) -> None:
    await store(journal, (1, 9_000, 1.0, 0), (2, 9_000, "idle", 0), received_ms=9_000)
    await store(journal, (1, 100, 2.0, 0), received_ms=110)
    rows = newest_part(await newest_batches(journal)).rows
    assert [(row.series_ix, row.value) for row in rows] == [(2, "idle"), (1, 2.0)]


async def test_reads_back_no_further_than_its_limits(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeding, "SEED_BATCHES_MAX", 5)
    monkeypatch.setattr(seeding, "_STEP_BATCHES", 2)
    await store(journal, (2, 0, "long ago", 0))
    for number in range(10):
        await store(journal, (1, number, float(number), 0))
    batches = await newest_batches(journal)
    assert [batch.seq for batch in batches] == [7, 8, 9, 10, 11]
    assert await newest(journal) == {1: (9, 9.0, 0)}
    monkeypatch.setattr(seeding, "SEED_SIZE_MAX_BYTES", 1)
    assert [batch.seq for batch in await newest_batches(journal)] == [10, 11]
