"""The change from one segment to the next, and what a segment carries with it."""

from pathlib import Path

import apsw
import pytest

from edge.config import LogConfig
from edge.log import lane as lane_module
from edge.log import tail as tail_module
from edge.log.chain import CHAIN_START, link
from edge.log.database import open_reader
from edge.log.layout import Layout
from edge.log.segment_files import segment_names
from edge.log.segments import read_header, read_summary, stream_batches
from shared.sync.ranges import Ranges
from tests.support.edge_log import (
    SEGMENT_SIZE_BYTES,
    T0_MS,
    append_values,
    make_batch,
    make_series,
    noise_batch,
    opened,
    read_all,
    segment_files,
    small_config,
)

LANE = 2


async def test_a_full_segment_is_sealed_and_the_next_goes_on(tmp_path: Path) -> None:
    async with opened(tmp_path, small_config()) as journal:
        for seed in range(14):  # 64 kB each: four fill a segment
            await journal.append(noise_batch(seed, 8_192))
        assert journal.state().lanes[LANE].segments >= 3
        assert [batch.seq for batch in await read_all(journal)] == list(range(1, 15))
    *sealed, newest = segment_files(tmp_path)
    for file in sealed:
        assert not file.with_name(f"{file.name}-wal").exists()
        with open_reader(file, immutable=True) as database:
            summary = read_summary(database)
            assert summary is not None
            assert summary.total.batches == summary.last_seq - read_header(database).first_seq + 1
    with open_reader(newest) as database:
        assert read_summary(database) is None


async def test_the_chain_runs_through_all_segments(tmp_path: Path) -> None:
    async with opened(tmp_path, small_config()) as journal:
        for seed in range(14):
            await journal.append(noise_batch(seed, 8_192))
        install_uuid = journal.identity().install_uuid
    head = CHAIN_START
    for file in segment_files(tmp_path):
        with open_reader(file) as database:
            assert read_header(database).prev_hash == head
            for row in stream_batches(database, 0, 1_000):
                assert row.prev_hash == head
                head = link(install_uuid, LANE, row)


async def test_each_segment_has_the_whole_catalogue_and_tail(tmp_path: Path) -> None:
    series = tuple(make_series(ix) for ix in (1, 2, 3))
    async with opened(tmp_path, small_config()) as journal:
        await journal.append(make_batch(1.0, new_series=series, seen=[(1, 7, T0_MS)]))
        for seed in range(9):
            await journal.append(noise_batch(seed, 8_192))
    first, *_, newest = segment_files(tmp_path)
    first.rename(tmp_path / "elsewhere")  # only the newest is left to tell
    for file in segment_files(tmp_path)[:-1]:
        file.rename(tmp_path / file.name)
    async with opened(tmp_path, small_config()) as journal:
        assert journal.series == list(series)
        assert list(journal.recent) == [(1, 7, T0_MS)]
        assert newest.exists()


async def test_segments_central_holds_go_when_the_budget_is_spent(tmp_path: Path) -> None:
    async with opened(tmp_path, small_config()) as journal:
        for seed in range(40):  # ten segments through a budget of six
            await journal.append(noise_batch(seed, 8_192))
            await journal.acknowledge(LANE, Ranges.of((1, seed + 1)))
        lane = journal.state().lanes[LANE]
        assert journal.state().size_bytes < 8 * SEGMENT_SIZE_BYTES
        assert lane.first_retained > 1
        assert lane.last_seq == 40
        assert lane.backlog_batches == 0
        kept = await read_all(journal)
        assert [batch.seq for batch in kept] == list(range(lane.first_retained, 41))
    async with opened(tmp_path, small_config()) as journal:
        assert journal.state().lanes[LANE].first_retained == lane.first_retained
        assert journal.state().lost == ()
        assert (await journal.append(make_batch(1.0))).first_seq == 41


async def test_an_old_segment_that_is_owed_outlives_newer_ones(tmp_path: Path) -> None:
    async with opened(tmp_path, small_config()) as journal:
        for seed in range(40):
            await journal.append(noise_batch(seed, 8_192))
            if seed:  # batch 1 is never acknowledged
                await journal.acknowledge(LANE, Ranges.of((2, seed + 1)))
        assert [b.seq for b in await journal.read(LANE, 1, 1, 1)] == [1]
        assert journal.state().lanes[LANE].owed.first == 1
        assert journal.state().lanes[LANE].backlog_batches == 1
    async with opened(tmp_path, small_config()) as journal:
        assert journal.state().lost == ()  # the hole in the middle is known to be acknowledged
        assert journal.state().lanes[LANE].backlog_batches == 1


async def test_small_rows_of_the_tail_are_merged_and_old_ones_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "ROWS_PER_MERGE", 8)
    monkeypatch.setattr(tail_module, "MESSAGES_MAX", 60)
    monkeypatch.setattr(tail_module, "MESSAGES_MIN", 40)
    async with opened(tmp_path, LogConfig()) as journal:
        for seq in range(200):
            await journal.append(make_batch(1.0, seen=[(1, seq, T0_MS + seq)]))
    with open_reader(segment_files(tmp_path)[0]) as database:
        assert database.rows("SELECT count(*) FROM recent")[0][0] <= 60 // 8 + 8
    async with opened(tmp_path) as journal:
        seqs = [seq for _, seq, _ in journal.recent]
    assert seqs == list(range(200 - len(seqs), 200))
    assert 40 <= len(seqs) <= 68  # a merged row of eight may stand above the limit


async def test_the_write_ahead_log_is_copied_before_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "CHECKPOINT_BYTES", 262_144)
    large_segments = small_config(segment_size_bytes=4_194_304, size_max_bytes=33_554_432)
    async with opened(tmp_path, large_segments) as journal:
        for seed in range(30):  # 2 MB
            await journal.append(noise_batch(seed, 8_192))
        wal = segment_files(tmp_path)[0]
        assert wal.with_name(f"{wal.name}-wal").stat().st_size < 1_048_576


async def test_files_are_closed_to_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
        modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "log").iterdir()}
        assert (tmp_path / "log").stat().st_mode & 0o077 == 0
    assert segment_names(Layout(tmp_path))
    assert modes


def test_sqlite_in_use_is_safe() -> None:
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)
