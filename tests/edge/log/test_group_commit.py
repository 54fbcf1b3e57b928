"""Many callers at once against a plain list: a seeded simulation of everything a log is asked."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from edge.log.journal import Journal
from edge.log.records import Committed, PendingBatch
from shared.domain.samples import Value
from shared.sync.ranges import Ranges
from tests.support.edge_log import (
    MEBIBYTE,
    SEGMENT_SIZE_BYTES,
    T0_MS,
    make_batch,
    open_journal,
    read_all,
    small_config,
    values_of,
)

LANE = 2
STEPS = 40
CONFIG = small_config(size_max_bytes=1_000 * SEGMENT_SIZE_BYTES)


@dataclass
class Model:
    """What the log must hold, as a list would."""

    stored: list[Value] = field(default_factory=list[Value])
    seen: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    acked: Ranges = field(default_factory=Ranges)
    last_seq: int = 0
    next_value: int = 0

    def batch(self, dice: random.Random) -> PendingBatch:
        """A batch of new values, some of them malformed in a way only the log can see."""
        size = dice.choice([0, 1, 1, 2, 50, 700])
        values = [float(self.next_value + n) for n in range(size)]
        self.next_value += size
        made = make_batch(*values, seen=[(1, int(value), T0_MS) for value in values])
        return replace(made, quality=[99_999] * size) if dice.random() < 0.1 else made


async def attempt(journal: Journal, batch: PendingBatch) -> Committed | None:
    try:
        return await journal.append(batch)
    except ValueError:
        return None


async def append_some(journal: Journal, model: Model, dice: random.Random) -> None:
    batches = [model.batch(dice) for _ in range(dice.randint(1, 12))]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(attempt(journal, batch)) for batch in batches]
    answers = [task.result() for task in tasks]
    for batch, answer in zip(batches, answers, strict=True):
        bad = bool(batch.quality) and batch.quality[0] > 65_535
        assert (answer is None) == bad
        if answer is not None:
            model.stored += batch.value
            model.seen += batch.seen
            assert answer.first_seq > model.last_seq or answer.last_seq < answer.first_seq
    model.last_seq = max([model.last_seq, *(a.last_seq for a in answers if a is not None)])


async def acknowledge_some(journal: Journal, model: Model, dice: random.Random) -> None:
    if not model.last_seq:
        return
    first = dice.randint(1, model.last_seq)
    ranges = Ranges.of((first, dice.randint(first, model.last_seq)))
    if dice.random() < 0.2:
        await journal.reconcile(LANE, ranges)
        model.acked = ranges
    else:
        await journal.acknowledge(LANE, ranges)
        model.acked = model.acked.union(ranges)


async def check(journal: Journal, model: Model) -> None:
    batches = await read_all(journal)
    lane = journal.state().lanes[LANE]
    assert lane.last_seq == model.last_seq
    assert [batch.seq for batch in batches] == list(range(1, model.last_seq + 1))
    assert values_of(batches) == sorted(model.stored, key=float)  # in the order of the callers
    owed = [batch for batch in batches if batch.seq not in model.acked]
    assert lane.backlog_batches == len(owed)
    assert lane.backlog_samples == sum(batch.n for batch in owed)
    assert lane.backlog_bytes == sum(len(batch.body) for batch in owed)
    assert lane.owed == Ranges.of_numbers(batch.seq for batch in owed)
    assert (lane.oldest_unacked_ms is None) == (not owed)


@pytest.mark.parametrize("seed", range(8))
async def test_the_log_is_a_list_however_it_is_used(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    model = Model()
    journal = open_journal(tmp_path, CONFIG)
    try:
        for _ in range(STEPS):
            match dice.randrange(8):
                case 0:
                    await journal.close()
                    journal = open_journal(tmp_path, CONFIG)
                    assert Counter(journal.recent) == Counter(model.seen)
                case 1 | 2:
                    await acknowledge_some(journal, model, dice)
                case 3:
                    await check(journal, model)
                case _:
                    await append_some(journal, model, dice)
        await check(journal, model)
    finally:
        await journal.close()


async def test_readers_beside_a_busy_writer_see_whole_batches_only(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, CONFIG)
    reads = 0

    async def write() -> None:
        for value in range(0, 15_000, 300):
            await journal.append(make_batch(*map(float, range(value, value + 300))))

    async def read_until(done: asyncio.Event) -> None:
        nonlocal reads
        next_seq = 1
        while not done.is_set() or next_seq <= journal.state().lanes[LANE].last_seq:
            for batch in await journal.read(LANE, next_seq, next_seq + 20, MEBIBYTE):
                first = (batch.seq - 1) * 300
                assert batch.seq == next_seq
                assert values_of([batch]) == list(map(float, range(first, first + 300)))
                next_seq += 1
            await journal.read_samples(1, start_ms=0, end_ms=2**62, samples_max=10)
            reads += 1

    done = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(read_until(done))
            await write()
            done.set()
        assert reads > 3
        assert journal.state().lost == ()
    finally:
        await journal.close()
