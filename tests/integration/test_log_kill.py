"""kill -9 at any moment: what was acknowledged is there, once, and the chain holds."""

import asyncio
import multiprocessing
import os
import random
import select
import threading
from collections import Counter
from pathlib import Path

import pytest

from edge.log.chain import CHAIN_START, is_intact, link
from edge.log.database import open_reader
from edge.log.segments import read_header, stream_batches
from tests.support import log_process
from tests.support.edge_log import opened, read_all, segment_files, values_of
from tests.support.log_process import CALLERS, PADDING, VALUES_PER_CALLER

KILLS = 20
LIFE_MAX_S = 0.6  # from the first acknowledgement on; a segment lasts a quarter of that


# Children are forked from a process that has everything imported: a life costs no start-up.
NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload([log_process.__name__])


def live_and_die(state_dir: Path, first_value: int, life_s: float) -> list[int]:
    """Let a process append for ``life_s``, kill it, and return what was acknowledged to it."""
    reading, writing = NURSERY.Pipe(duplex=False)
    child = NURSERY.Process(
        target=log_process.append_until_killed, args=(state_dir, first_value, writing)
    )
    child.start()
    writing.close()
    with open(reading.fileno(), "rb", buffering=0, closefd=False) as stream:
        assert stream.read(5) == b"open\n"
        assert select.select([stream], [], [], 10.0)[0], "no acknowledgement for 10 s"
        threading.Timer(life_s, child.kill).start()
        told = stream.readall()
    child.join()
    whole_lines = told[: told.rfind(b"\n") + 1]
    return [int(line) for line in whole_lines.split()]


def check_chain(state_dir: Path, install_uuid: str) -> int:
    """Walk the chain through every segment; return how many batches it has."""
    head, seq = CHAIN_START, 0
    for file in segment_files(state_dir):
        with open_reader(file) as database:
            assert read_header(database).first_seq == seq + 1
            for row in stream_batches(database, 0, 2**62):
                seq += 1
                assert (row.seq, row.prev_hash, is_intact(row)) == (seq, head, True)
                head = link(install_uuid, 2, row)
    return seq


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_was_acknowledged_before_a_kill_is_there_once(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    acknowledged: set[int] = set()
    for life in range(KILLS // 2):
        first_value = life * CALLERS * VALUES_PER_CALLER
        life_s = dice.uniform(0.0, LIFE_MAX_S)
        told = await asyncio.to_thread(live_and_die, tmp_path, first_value, life_s)
        acknowledged.update(told)
        if dice.random() < 0.5:  # otherwise the next life recovers on its own
            async with opened(tmp_path, log_process.CONFIG) as journal:
                check_chain(tmp_path, journal.identity().install_uuid)
    async with opened(tmp_path, log_process.CONFIG) as journal:
        stored = Counter(int(float(value)) for value in values_of(await read_all(journal)))
        batches = check_chain(tmp_path, journal.identity().install_uuid)
        assert journal.state().lost == ()
        assert journal.state().lanes[2].last_seq == batches
        assert journal.state().quarantined["bad_json"] > 0
        remembered = {mark for _, mark, _ in journal.recent}
    assert acknowledged, "nothing was acknowledged: the test would prove nothing"
    assert acknowledged <= stored.keys()
    assert set(stored.values()) == {PADDING}  # each batch once and whole
    assert remembered == stored.keys()  # redelivery of any of them would be recognised
    assert not list((tmp_path / "log" / "damaged").iterdir())


async def test_a_kill_releases_the_lock(tmp_path: Path) -> None:
    await asyncio.to_thread(live_and_die, tmp_path, 0, 0.0)
    async with opened(tmp_path, log_process.CONFIG):
        assert int((tmp_path / "log" / "lock").read_text()) == os.getpid()
