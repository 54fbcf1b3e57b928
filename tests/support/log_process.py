"""A process that appends to a log until it is killed, and says what was acknowledged to it.

Each line it writes is one value whose append returned: from then on it must never be lost.
"""

import asyncio
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from edge.config import LogConfig
from edge.log.journal import Journal
from edge.log.records import QuarantineEntry
from shared.sync.ranges import Ranges
from tests.support.edge_log import (
    SEGMENT_SIZE_BYTES,
    T0_MS,
    make_batch,
    open_journal,
    small_config,
)

CALLERS = 8
VALUES_PER_CALLER = 1_000_000
PADDING = 200  # samples of a batch: a segment is full after some hundred batches
CONFIG: LogConfig = small_config(size_max_bytes=400 * SEGMENT_SIZE_BYTES)


def append_until_killed(state_dir: Path, first_value: int, told: Connection) -> None:
    """Append from several callers at once, acknowledge and quarantine beside them, for ever."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    asyncio.run(_run(state_dir, first_value, told.fileno()))


async def _run(state_dir: Path, first_value: int, told: int) -> None:
    journal = open_journal(state_dir, CONFIG)
    os.write(told, b"open\n")
    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(_append(journal, first_value + caller * VALUES_PER_CALLER, told))
        group.create_task(_acknowledge(journal))
        group.create_task(_quarantine(journal))


async def _append(journal: Journal, value: int, told: int) -> None:
    while True:
        batch = make_batch(*[float(value)] * PADDING, seen=[(1, value, T0_MS)])
        await journal.append(batch)
        os.write(told, b"%d\n" % value)
        value += 1


async def _acknowledge(journal: Journal) -> None:
    while True:
        await asyncio.sleep(0.02)
        last_seq = journal.state().lanes[2].last_seq
        await journal.acknowledge(2, Ranges.of((max(1, last_seq - 3), max(1, last_seq))))


async def _quarantine(journal: Journal) -> None:
    while True:
        entry = QuarantineEntry(
            at_ms=T0_MS, topic="t", reason="bad_json", field="", detail="", payload=b"x" * 500
        )
        await journal.quarantine([entry])
        await asyncio.sleep(0.003)
