"""What is read out of a damaged segment, and what an interrupted salvage leaves."""

import shutil
from pathlib import Path

import pytest

from edge.errors import LogFullError
from edge.log import lane as lane_module
from edge.log import salvage as salvage_module
from edge.log import store as store_module
from edge.log.certain import Certain
from edge.log.database import open_reader
from edge.log.layout import SALVAGE_PREFIX, Layout
from edge.log.records import PendingBatch
from edge.log.salvage import salvage_segment
from edge.log.segments import OpenSegment, read_header
from tests.support.edge_log import (
    MEBIBYTE,
    SEGMENT_SIZE_BYTES,
    append_values,
    make_batch,
    noise_batch,
    opened,
    read_all,
    segment_files,
    small_config,
    values_of,
)

LANE = 2
SMALL = small_config(size_max_bytes=16 * MEBIBYTE)
THIRTY = [noise_batch(seed, 512) for seed in range(30)]


async def crash_image(state_dir: Path, *batches: PendingBatch) -> Path:
    """Return a copy of a log as a killed process leaves it, nothing copied from the WAL."""
    async with opened(state_dir, SMALL) as journal:
        for batch in batches:
            await journal.append(batch)
        image = state_dir.with_name("image")
        shutil.copytree(state_dir, image, ignore=shutil.ignore_patterns("*-shm"))
    return image


async def test_batches_in_the_write_ahead_log_are_found_without_its_head(tmp_path: Path) -> None:
    image = await crash_image(tmp_path / "site", *THIRTY)
    (file,) = segment_files(image)
    wal = file.with_name(f"{file.name}-wal")
    file.write_bytes(bytes(file.stat().st_size))
    with wal.open("r+b") as stream:
        stream.write(bytes(32))
    async with opened(image, SMALL) as journal:
        found = await journal.read(LANE, 1, 30, 10 * MEBIBYTE)
        assert [batch.seq for batch in found] == list(range(1, 31))
        assert values_of(found[7:8]) == noise_batch(7, 512).value


async def test_large_bodies_are_found_in_the_write_ahead_log(tmp_path: Path) -> None:
    large = noise_batch(1, 8_000)  # 64 kB over eight pages
    image = await crash_image(tmp_path / "site", large)
    (file,) = segment_files(image)
    file.write_bytes(bytes(file.stat().st_size))
    wal = file.with_name(f"{file.name}-wal")
    wal.write_bytes(bytes(32) + wal.read_bytes()[32:])
    async with opened(image, SMALL) as journal:
        assert values_of(await journal.read(LANE, 1, 1, 1)) == large.value


async def test_without_room_for_the_copy_the_original_is_kept_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0)
    (file,) = segment_files(tmp_path)
    original = bytes(100) + file.read_bytes()[100:]
    file.write_bytes(original)

    def full(*_: object) -> None:
        raise LogFullError("no space")

    monkeypatch.setattr(salvage_module, "write_segment", full)
    async with opened(tmp_path) as journal:
        assert await read_all(journal) == []
        assert journal.state().lanes[LANE].lost.first == 1
        assert (await journal.append(make_batch(3.0))).first_seq > 2
    assert (tmp_path / "log" / "damaged" / f"{file.name}.0").read_bytes() == original


@pytest.mark.parametrize("original_is_there", [True, False])
async def test_an_interrupted_salvage_is_done_again_or_finished(
    tmp_path: Path, original_is_there: bool
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0)
    (file,) = segment_files(tmp_path)
    salvage = file.with_name(f"{SALVAGE_PREFIX}{file.name}")
    if original_is_there:  # the copy may be half done
        salvage.write_bytes(file.read_bytes()[:5_000])
    else:
        file.rename(salvage)
    async with opened(tmp_path) as journal:
        assert values_of(await read_all(journal)) == [1.0, 2.0]
    assert not salvage.exists()


async def test_a_segment_that_cannot_be_sealed_now_is_sealed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "RETRY_AFTER_S", 0.0)
    seal, refusals = OpenSegment.seal, [LogFullError("no space"), LogFullError("no space")]

    def sometimes(segment: OpenSegment) -> None:
        if refusals:
            raise refusals.pop()
        seal(segment)

    monkeypatch.setattr(OpenSegment, "seal", sometimes)
    async with opened(tmp_path, SMALL) as journal:
        for seed in range(SEGMENT_SIZE_BYTES // 4_000 + 20):
            await journal.append(noise_batch(seed, 512))
        assert not refusals
        with open_reader(segment_files(tmp_path)[0]) as database:
            assert database.rows("SELECT count(*) FROM summary") == [(1,)]
        assert journal.state().lost == ()


async def test_a_segment_that_was_never_sealed_is_sealed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_segment: OpenSegment) -> None:
        raise LogFullError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(OpenSegment, "seal", never)
        async with opened(tmp_path, SMALL) as journal:
            for seed in range(SEGMENT_SIZE_BYTES // 4_000 + 20):
                await journal.append(noise_batch(seed, 512))
            written = journal.state().lanes[LANE].last_seq
    async with opened(tmp_path, SMALL) as journal:
        assert [batch.seq for batch in await read_all(journal)] == list(range(1, written + 1))
        assert journal.state().lost == ()
    with open_reader(segment_files(tmp_path)[0]) as database:
        assert database.rows("SELECT count(*) FROM summary") == [(1,)]


async def test_readers_cannot_keep_the_write_ahead_log_growing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "CHECKPOINT_BYTES", 10_000_000)
    monkeypatch.setattr(lane_module, "WAL_SIZE_MAX_BYTES", 100_000)
    async with opened(tmp_path, small_config(segment_size_bytes=4 * MEBIBYTE,
                                             size_max_bytes=32 * MEBIBYTE)) as journal:  # fmt: skip
        for seed in range(60):
            await journal.append(noise_batch(seed, 512))
            await journal.read(LANE, 1, 99, 10_000)
        (file,) = segment_files(tmp_path)
        assert file.with_name(f"{file.name}-wal").stat().st_size < 200_000


async def test_what_is_beyond_the_last_commit_is_not_salvaged(tmp_path: Path) -> None:
    image = await crash_image(tmp_path / "site", *THIRTY)
    (file,) = segment_files(image)
    with open_reader(file) as database:
        header = read_header(database)
    certain = Certain(first_seq=1, last_seq=28, next_tail_ix=1)
    salvaged = salvage_segment(Layout(image), file, header, certain)
    assert (salvaged.present.first, salvaged.present.last) == (1, 28)
    assert salvaged.end_known
    with open_reader(file) as database:
        assert database.row("SELECT max(seq) FROM batch") == (28,)
