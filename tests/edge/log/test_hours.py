"""Where an hour of the log begins."""

import random
from pathlib import Path

from edge.log.hours import HOUR_MS
from edge.log.journal import Journal
from tests.support.edge_log import MEBIBYTE, make_batch, noise_batch, opened, small_config

LANE = 2
T0_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
ROOMY = small_config(size_max_bytes=100 * MEBIBYTE)


async def firsts(journal: Journal, *seqs: int) -> list[int]:
    return [await journal.first_of_hour(LANE, seq) for seq in seqs]


async def append_at(journal: Journal, *times_ms: int) -> None:
    for at_ms in times_ms:
        await journal.append(make_batch(1.0, at_ms=at_ms))


async def test_an_hour_begins_at_its_first_batch(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        hours = (0.1, 0.5, 0.9, 1.0, 1.7, 3.2)
        await append_at(journal, *(T0_MS + round(hour * HOUR_MS) for hour in hours))
        assert await firsts(journal, 1, 2, 3, 4, 5, 6) == [1, 1, 1, 4, 4, 6]


async def test_an_hour_may_lie_in_several_segments(tmp_path: Path) -> None:
    async with opened(tmp_path, ROOMY) as journal:
        await journal.append(noise_batch(0, 8_192, at_ms=T0_MS - 9_000_000))
        for seed in range(1, 20):  # four fill a segment
            await journal.append(noise_batch(seed, 8_192, at_ms=T0_MS + seed))
        assert journal.state().lanes[LANE].segments > 3
        assert await firsts(journal, 20, 12, 2, 1) == [2, 2, 2, 1]


async def test_it_is_found_anew_whatever_the_times_and_never_after_the_batch(
    tmp_path: Path,
) -> None:
    dice = random.Random(5)
    async with opened(tmp_path, ROOMY) as journal:
        at_ms, times_ms = T0_MS, list[int]()
        for _ in range(60):
            at_ms += dice.choice((1_000, 60_000, 900_000, 2 * HOUR_MS))
            times_ms.append(at_ms)
            await journal.append(noise_batch(len(times_ms), 4_096, at_ms=at_ms))
        hours = [one // HOUR_MS for one in times_ms]
        found = await firsts(journal, *range(1, 61))
        assert found == [hours.index(hour) + 1 for hour in hours]


async def test_a_clock_that_was_set_back_ends_an_hour_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_at(journal, T0_MS, T0_MS + HOUR_MS, 0, 1_000, T0_MS + 2 * HOUR_MS)
        for seq, first in enumerate(await firsts(journal, 1, 2, 3, 4, 5), start=1):
            assert 1 <= first <= seq
