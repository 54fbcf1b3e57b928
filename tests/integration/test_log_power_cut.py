"""The power fails at any moment, and the disk kept any part of what was not flushed."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.log import lane as lane_module
from edge.log.journal import Journal
from shared.sync.ranges import Ranges
from tests.support.cut_disk import CutDisk
from tests.support.edge_log import (
    SEGMENT_SIZE_BYTES,
    T0_MS,
    make_batch,
    opened,
    read_all,
    small_config,
    values_of,
)

CUTS = 15
CALLERS = 4
SAMPLES = 300  # of a batch; the values differ, so that it takes some pages
CONFIG = small_config(size_max_bytes=100 * SEGMENT_SIZE_BYTES)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[CutDisk]:
    monkeypatch.setattr(lane_module, "CHECKPOINT_BYTES", 100_000)  # many checkpoints
    disk = CutDisk()
    yield disk
    disk.unregister()


async def append_until_cancelled(journal: Journal, value: int, acknowledged: set[int]) -> None:
    while True:
        samples = [value + index / SAMPLES for index in range(SAMPLES)]
        await journal.append(make_batch(*samples, seen=[(1, value, T0_MS)]))
        acknowledged.add(value)
        value += 1


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_what_was_acknowledged_before_a_power_cut_is_there_once(
    tmp_path: Path, disk: CutDisk, seed: int
) -> None:
    dice = random.Random(seed)
    acknowledged: set[int] = set()
    promises: list[set[int]] = []
    async with opened(tmp_path / "site", CONFIG) as journal:
        tasks = [
            asyncio.ensure_future(append_until_cancelled(journal, n * 1_000_000, acknowledged))  # noqa: TID251 cancelled below, each for itself
            for n in range(CALLERS)
        ]
        for cut in range(CUTS):
            await asyncio.sleep(dice.uniform(0.0, 0.1))
            await journal.acknowledge(2, Ranges.of((1, 1 + cut)))
            disk.image(tmp_path / "site", tmp_path / f"cut-{cut}", dice)
            promises.append(set(acknowledged))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    disk.unregister()
    assert promises[-1], "nothing was acknowledged: the test would prove nothing"
    for cut, promised in enumerate(promises):
        await check(tmp_path / f"cut-{cut}", promised)


async def check(state_dir: Path, promised: set[int]) -> None:
    async with opened(state_dir, CONFIG) as journal:
        stored = Counter(int(float(value)) for value in values_of(await read_all(journal)))
        assert journal.state().lost == ()
        assert promised <= stored.keys()
        assert set(stored.values()) <= {SAMPLES}  # each batch once and whole
        assert {mark for _, mark, _ in journal.recent} == stored.keys()
        last_seq = journal.state().lanes[2].last_seq
        assert (await journal.append(make_batch(-1.0))).first_seq == last_seq + 1
    assert not list((state_dir / "log" / "damaged").iterdir())
