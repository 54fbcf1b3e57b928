"""A disk that is full or fails: nothing half stored, everybody told, and on it goes afterwards."""

import asyncio
import contextlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from edge.errors import LogError, LogFullError
from edge.log import store as store_module
from edge.log.ballast import BALLAST_SIZE_BYTES
from edge.log.journal import Journal
from shared.sync.ranges import Ranges
from tests.support.edge_log import (
    MEBIBYTE,
    SEGMENT_SIZE_BYTES,
    fill,
    make_batch,
    noise_batch,
    opened,
    read_all,
    small_config,
    values_of,
)
from tests.support.failing_disk import BROKEN, NO_SPACE, FailingDisk, failing_disk

LANE = 2
UNLIMITED = small_config(size_max_bytes=1_000 * MEBIBYTE, segment_size_bytes=SEGMENT_SIZE_BYTES)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB of its own, of which the log takes 16 at most."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m,mode=0700", "none", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(folder: Path) -> Path:
    """Take every byte that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(65_536)) == 65_536:
            pass
        while stream.write(bytes(1)):
            pass
    return filler


async def fill_log(journal: Journal) -> None:
    with pytest.raises(LogFullError):
        await fill(journal)


@pytest.mark.needs_root
async def test_a_full_disk_refuses_and_goes_on_when_central_has_some(small_disk: Path) -> None:
    async with opened(small_disk, UNLIMITED) as journal:
        await fill_log(journal)
        stored = journal.state().lanes[LANE].last_seq
        assert stored > 150  # 64 kB each in 40 MB, less the floor of 16 and the ballast of 8
        with pytest.raises(LogFullError):
            await journal.append(noise_batch(1, 8_192))
        await journal.acknowledge(LANE, Ranges.of((1, stored // 2)))
        assert (await journal.append(make_batch(1.0))).first_seq == stored + 1
    async with opened(small_disk, UNLIMITED) as journal:
        batches = await read_all(journal)
        assert batches[-1].seq == stored + 1
        assert all(
            values_of([batch]) == noise_batch(batch.seq - 1, 8_192).value for batch in batches[:-1]
        )
        assert journal.state().lost == ()


@pytest.mark.needs_root
async def test_others_who_fill_the_disk_do_not_stop_the_bookkeeping(small_disk: Path) -> None:
    async with opened(small_disk, UNLIMITED) as journal:
        for seed in range(100):
            await journal.append(noise_batch(seed, 8_192))
        filler = fill_disk(small_disk)
        await fill_log(journal)
        await journal.acknowledge(LANE, Ranges.of((1, 90)))  # noted; whole segments go
        await journal.set_session(1, "a" * 32)
        assert journal.state().lanes[LANE].first_retained > 50
        filler.unlink()
        await append_when_possible(journal)
        assert (small_disk / "log" / "ballast.bin").stat().st_size == BALLAST_SIZE_BYTES
    async with opened(small_disk, UNLIMITED) as journal:
        assert journal.state().lanes[LANE].acked == Ranges.of((1, 90))
        assert journal.identity().epoch == 1


async def append_when_possible(journal: Journal) -> None:
    for _ in range(100):
        try:
            await journal.append(make_batch(1.0))
        except LogFullError:
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail(f"still refused: {journal.state().refusing}")


@pytest.mark.needs_root
async def test_the_log_opens_and_is_read_on_a_full_disk(small_disk: Path) -> None:
    async with opened(small_disk, UNLIMITED) as journal:
        for seed in range(20):
            await journal.append(noise_batch(seed, 8_192))
    fill_disk(small_disk)
    async with opened(small_disk, UNLIMITED) as journal:
        assert len(await read_all(journal)) == 20
        assert journal.state().refusing is not None
        with pytest.raises(LogFullError, match="disk is full"):
            await journal.append(make_batch(1.0))


@pytest.mark.needs_root
async def test_the_floor_keeps_space_free_for_others(small_disk: Path) -> None:
    floor = small_config(size_max_bytes=1_000 * MEBIBYTE, free_space_min_bytes=24 * MEBIBYTE)
    async with opened(small_disk, floor) as journal:
        with pytest.raises(LogFullError, match="free_space_min_bytes"):
            await fill(journal)
        assert journal.state().free_bytes > 23 * MEBIBYTE


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingDisk]:
    monkeypatch.setattr(store_module, "RETRY_AFTER_S", 0.0)
    with failing_disk() as disk:
        yield disk


@pytest.mark.parametrize("error", [NO_SPACE, BROKEN])
@pytest.mark.parametrize("good_writes", [0, 1, 2, 3, 5])
async def test_a_failed_write_stores_nothing_and_tells_everybody(
    tmp_path: Path, disk: FailingDisk, error: type[apsw.Error], good_writes: int
) -> None:
    async with opened(tmp_path, UNLIMITED) as journal:
        await journal.append(make_batch(1.0))
        disk.write_error, disk.good_writes = error, good_writes
        told = await asyncio.gather(  # noqa: TID251 outcomes of all are wanted
            *(journal.append(noise_batch(n, 2_000)) for n in range(3)), return_exceptions=True
        )
        assert {type(one) for one in told} <= {LogError, LogFullError}
        disk.heal()
        assert (await journal.append(make_batch(2.0))).first_seq == 2
        assert values_of(await read_all(journal)) == [1.0, 2.0]
    async with opened(tmp_path, UNLIMITED) as journal:
        assert values_of(await read_all(journal)) == [1.0, 2.0]


async def test_a_failed_flush_is_not_taken_for_stored(tmp_path: Path, disk: FailingDisk) -> None:
    async with opened(tmp_path, UNLIMITED) as journal:
        await journal.append(make_batch(1.0))
        disk.flush_error = BROKEN
        with pytest.raises(LogError, match="IOError"):
            await journal.append(make_batch(2.0))
        with pytest.raises(LogError):
            await journal.append(make_batch(3.0))
        disk.heal()
        await journal.append(make_batch(4.0))
        stored = values_of(await read_all(journal))
        assert stored[0] == 1.0
        assert stored[-1] == 4.0
        assert journal.state().lost == ()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_disk_that_fails_now_and_then_loses_nothing_acknowledged(
    tmp_path: Path, disk: FailingDisk, seed: int
) -> None:
    dice = random.Random(seed)
    acknowledged: list[float] = []
    async with opened(tmp_path, UNLIMITED) as journal:
        for value in range(150):
            disk.heal()
            match dice.randrange(6):
                case 0:
                    disk.write_error = dice.choice([NO_SPACE, BROKEN])
                    disk.good_writes = dice.randrange(12)
                case 1:
                    disk.flush_error = BROKEN
                case _:
                    pass
            with contextlib.suppress(LogError):
                await journal.append(make_batch(*[float(value)] * dice.choice([1, 4_000])))
                acknowledged.append(float(value))
        disk.heal()
        await journal.append(make_batch(-1.0))
    assert acknowledged, "nothing was acknowledged: the test would prove nothing"
    async with opened(tmp_path, UNLIMITED) as journal:
        batches = await read_all(journal)
        stored = [values_of([batch])[0] for batch in batches]
        assert [batch.seq for batch in batches] == list(range(1, len(batches) + 1))
        assert len(set(stored)) == len(stored)  # nothing twice
        assert set(acknowledged) <= set(stored)
        assert journal.state().lost == ()
