"""Reading what is in the segments: for the uplink by sequence number, for charts by time.

Every read is one short transaction on a read-only connection. A lock keeps the writer from sealing
or removing a file in the middle of a read; the writer never waits for it to append.
"""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LogDamagedError, LogError
from edge.log.chain import BatchRow, is_intact
from edge.log.database import Database, open_reader
from edge.log.facts import SegmentFacts, View, overlapping
from edge.log.layout import exists, is_whole
from edge.log.records import StoredBatch
from edge.log.segments import stream_batches
from shared.sync.ranges import Ranges

OPEN_FILES_MAX = 8  # the uplink reads in at most two places, charts in one
READ_BATCHES_MAX = 1_024  # keeps one read transaction in the tens of milliseconds


class SegmentReaders:
    """Read-only connections, kept open as long as they are of use; safe for several threads."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Database] = OrderedDict()
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def use(self, facts: SegmentFacts) -> Generator[Database]:
        """Give a connection to the segment for the length of the block; errors as `Database`."""
        with self._lock:
            database = self._open.pop(facts.file, None) or _open(facts)
            self._open[facts.file] = database
            while len(self._open) > OPEN_FILES_MAX:
                self._open.popitem(last=False)[1].close()
            yield database

    @contextlib.contextmanager
    def exclude(self, file: Path) -> Generator[None]:
        """Close what is open of ``file`` and keep every reader out for the length of the block."""
        with self._lock:
            database = self._open.pop(file, None)
            if database is not None:
                database.close()
            yield

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _open(facts: SegmentFacts) -> Database:
    return open_reader(facts.file, immutable=facts.sealed and is_whole(facts.file))


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The batches that could be read, and the segment that must be examined, if any."""

    batches: list[StoredBatch]
    suspect: SegmentFacts | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks for; ``lost`` are the numbers that need not be there."""

    first_seq: int
    last_seq: int
    size_max_bytes: int
    lost: Ranges


def read_batches(readers: SegmentReaders, view: View, wanted: Wanted) -> ReadResult:
    """Return the batches of the range that are held, ascending, as far as their size allows.

    At least one is returned if there is any, however large. A batch that is not what was written,
    or is not there and should be, ends the result and names its segment.
    """
    found: list[StoredBatch] = []
    left_bytes = wanted.size_max_bytes
    for facts in overlapping(view, wanted.first_seq, wanted.last_seq):
        try:
            with readers.use(facts) as database:
                left_bytes = _read_into(found, database, facts, wanted, left_bytes)
        except LogError as error:
            if not exists(facts.file):  # removed meanwhile: central has all of it
                continue
            if isinstance(error, LogDamagedError):
                return ReadResult(found, facts)
            raise
        if left_bytes <= 0 or len(found) >= READ_BATCHES_MAX:
            break
    return ReadResult(found, None)


def read_hashes(readers: SegmentReaders, view: View, seqs: Sequence[int]) -> dict[int, bytes]:
    """Return the sha256 of those of ``seqs`` that are held; a segment that is damaged has none."""
    found: dict[int, bytes] = {}
    for facts in view:
        inside = [seq for seq in seqs if facts.first_seq <= seq <= facts.last_seq]
        if not inside:
            continue
        try:
            with readers.use(facts) as database:
                for seq in inside:
                    row = database.row("SELECT sha256 FROM batch WHERE seq = ?", seq)
                    if row is not None and isinstance(row[0], bytes):
                        found[seq] = row[0]
        except LogDamagedError:
            continue
    return found


def _read_into(
    found: list[StoredBatch],
    database: Database,
    facts: SegmentFacts,
    wanted: Wanted,
    left_bytes: int,
) -> int:
    """Add batches to ``found``; return how many bytes are left, 0 when no more may be read.

    A damaged index makes SQLite skip rows without a word: numbers are checked for holes.
    """
    expected = max(wanted.first_seq, facts.first_seq)
    # Beyond the last, a commit may yet turn out to have failed.
    end = min(wanted.last_seq, facts.last_seq)
    with contextlib.closing(stream_batches(database, expected, end)) as rows:
        for row in rows:
            if found and len(row.body) > left_bytes:
                return 0
            if not is_intact(row) or wanted.lost.missing(expected, row.seq - 1):
                raise LogDamagedError(f"{database.file}: damaged: batch {expected}")
            found.append(stored_batch(facts.header.lane, row))
            expected = row.seq + 1
            left_bytes -= len(row.body)
            if left_bytes <= 0 or len(found) >= READ_BATCHES_MAX:
                return 0
    if facts.sealed and wanted.lost.missing(expected, end):
        raise LogDamagedError(f"{database.file}: damaged: batch {expected}")
    return left_bytes


def stored_batch(lane: int, row: BatchRow) -> StoredBatch:
    """Return a row as others see it."""
    return StoredBatch(
        lane=lane,
        seq=row.seq,
        n=row.n,
        t_min_ms=row.t_min_ms,
        t_max_ms=row.t_max_ms,
        recv_min_ms=row.recv_min_ms,
        recv_max_ms=row.recv_max_ms,
        series_count=row.series_count,
        sha256=row.sha256,
        body=row.body,
    )
