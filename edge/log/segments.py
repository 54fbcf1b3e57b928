"""One segment file: its tables, how it is made, appended to, sealed and read.

A segment has one row per batch, the whole catalogue and the deduplication tail, so it can be read
without any other file. It is written by one connection only, and never again once sealed.
"""

import contextlib
import zlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import LogDamagedError, LogError
from edge.log.chain import HASH_BYTES, BatchRow
from edge.log.database import Checkpoint, Database, Row, open_writer, typed_row
from edge.log.formats import FileFormat, check_format, create_tables
from edge.log.layout import (
    UNFINISHED_PREFIX,
    Layout,
    SegmentName,
    remove_database,
    rename_durably,
)
from edge.log.series_rows import SERIES_TABLE, SeriesRow, insert_series
from edge.log.tail import TailTable
from edge.log.tally import Tally

SourceRow = tuple[int, str]

SEGMENT_FORMAT = FileFormat(
    what="log segment",
    application_id=0x48464C47,  # "HFLG"
    version=1,
    schema="""
CREATE TABLE header(site TEXT NOT NULL, edge_id TEXT NOT NULL, install_uuid TEXT NOT NULL,
    lane INTEGER NOT NULL, first_seq INTEGER NOT NULL, prev_hash BLOB NOT NULL) STRICT;
CREATE TABLE batch(seq INTEGER PRIMARY KEY, n INTEGER NOT NULL, t_min INTEGER NOT NULL,
    t_max INTEGER NOT NULL, recv_min INTEGER NOT NULL, recv_max INTEGER NOT NULL,
    series_count INTEGER NOT NULL, sha256 BLOB NOT NULL, prev_hash BLOB NOT NULL,
    crc32 INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
"""
    + SERIES_TABLE
    + """
CREATE TABLE source(ix INTEGER PRIMARY KEY, topic TEXT NOT NULL) STRICT;
CREATE TABLE recent(ix INTEGER PRIMARY KEY, n INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE summary(last_seq INTEGER NOT NULL, batches INTEGER NOT NULL,
    samples INTEGER NOT NULL, body_bytes INTEGER NOT NULL, t_min INTEGER NOT NULL,
    t_max INTEGER NOT NULL, recv_min INTEGER NOT NULL, recv_max INTEGER NOT NULL,
    head BLOB NOT NULL, crc32 INTEGER NOT NULL) STRICT;
""",
)

_BATCH_COLUMNS = (
    "seq, n, t_min, t_max, recv_min, recv_max, series_count, sha256, prev_hash, crc32, body"
)
_INSERT_BATCH = f"INSERT INTO batch({_BATCH_COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?,?)"
SELECT_BATCH = f"SELECT {_BATCH_COLUMNS} FROM batch WHERE seq BETWEEN ? AND ?"  # noqa: S608 a literal of this module


_BATCH_TYPES = (*(int,) * 7, bytes, bytes, int, bytes)
_HEADER_TYPES = (str, str, str, int, int, bytes)
_SUMMARY_TYPES = (*(int,) * 8, bytes, int)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """Whose segment it is and where it stands in its lane."""

    site: str
    edge_id: str
    install_uuid: str
    lane: int
    first_seq: int
    prev_hash: bytes  # what its first batch must carry as prev_hash

    @property
    def name(self) -> SegmentName:
        """The file's name."""
        return SegmentName(self.lane, self.first_seq, self.install_uuid[:8])


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSummary:
    """What a segment holds; ``last_seq`` is first_seq - 1 and the times are 0 when nothing."""

    last_seq: int
    total: Tally
    t_min_ms: int
    t_max_ms: int
    recv_min_ms: int
    recv_max_ms: int
    head: bytes  # what the next batch must carry as prev_hash

    def including(self, rows: Sequence[BatchRow], head: bytes) -> "SegmentSummary":
        """Return the summary with ``rows`` (at least one) added; ``head`` is the last link."""
        empty = self.total.batches == 0
        t_min_ms = min(row.t_min_ms for row in rows)
        t_max_ms = max(row.t_max_ms for row in rows)
        recv_min_ms = min(row.recv_min_ms for row in rows)
        recv_max_ms = max(row.recv_max_ms for row in rows)
        return SegmentSummary(
            last_seq=rows[-1].seq,
            total=self.total + Tally.of_rows(rows),
            t_min_ms=t_min_ms if empty else min(self.t_min_ms, t_min_ms),
            t_max_ms=t_max_ms if empty else max(self.t_max_ms, t_max_ms),
            recv_min_ms=recv_min_ms if empty else min(self.recv_min_ms, recv_min_ms),
            recv_max_ms=recv_max_ms if empty else max(self.recv_max_ms, recv_max_ms),
            head=head,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Catalogue entries that are not yet in a segment."""

    series: Sequence[SeriesRow] = ()
    sources: Sequence[SourceRow] = ()


def empty_summary(header: SegmentHeader) -> SegmentSummary:
    """Return the summary of a segment without batches."""
    return SegmentSummary(
        last_seq=header.first_seq - 1,
        total=Tally(),
        t_min_ms=0,
        t_max_ms=0,
        recv_min_ms=0,
        recv_max_ms=0,
        head=header.prev_hash,
    )


def create_segment(
    layout: Layout, header: SegmentHeader, entries: Entries, tail: Iterable[tuple[int, bytes]]
) -> Path:
    """Make a segment with the whole catalogue and tail; it has its name once it is complete.

    Raises:
        LogFullError: no space. LogError: anything else; nothing is left behind either way.
    """
    unfinished = layout.segments_dir / f"{UNFINISHED_PREFIX}{header.name}"
    remove_database(unfinished)
    try:
        write_segment(unfinished, header, entries, tail)
    except BaseException:
        remove_database(unfinished)
        raise
    file = layout.segment_file(header.name)
    rename_durably(unfinished, file)
    return file


def write_segment(
    file: Path, header: SegmentHeader, entries: Entries, tail: Iterable[tuple[int, bytes]]
) -> None:
    """Write a new segment file under any name; errors as `Database`."""
    # Without a journal on disk: a file that is not finished is thrown away, never rolled back.
    with open_writer(file, journal_mode="memory") as database:
        create_tables(database, SEGMENT_FORMAT)
        with database.transaction():
            database.execute(
                "INSERT INTO header VALUES(?, ?, ?, ?, ?, ?)",
                header.site,
                header.edge_id,
                header.install_uuid,
                header.lane,
                header.first_seq,
                header.prev_hash,
            )
            insert_entries(database, entries)
            database.execute_many("INSERT INTO recent(n, body) VALUES(?, ?)", tail)


def insert_entries(database: Database, entries: Entries) -> None:
    """Add catalogue entries inside a transaction of the caller."""
    if entries.series:
        insert_series(database, entries.series)
    if entries.sources:
        database.execute_many("INSERT INTO source VALUES(?, ?)", entries.sources)


def insert_batches(database: Database, rows: Iterable[BatchRow]) -> None:
    """Add batches inside a transaction of the caller."""
    for row in rows:
        database.execute(
            _INSERT_BATCH,
            row.seq,
            row.n,
            row.t_min_ms,
            row.t_max_ms,
            row.recv_min_ms,
            row.recv_max_ms,
            row.series_count,
            row.sha256,
            row.prev_hash,
            row.crc32,
            row.body,
        )


def read_header(database: Database) -> SegmentHeader:
    """Return the header.

    Raises:
        LogDamagedError: if it is no segment or has no header. LogVersionError: if it is newer.
    """
    check_format(database, SEGMENT_FORMAT)
    row = database.row("SELECT site, edge_id, install_uuid, lane, first_seq, prev_hash FROM header")
    if row is None:
        raise LogDamagedError(f"{database.file}: damaged: the segment has no header")
    site, edge_id, install_uuid, lane, first_seq, prev_hash = typed_row(
        database.file, row, _HEADER_TYPES
    )
    return SegmentHeader(
        site=site,
        edge_id=edge_id,
        install_uuid=install_uuid,
        lane=lane,
        first_seq=first_seq,
        prev_hash=prev_hash,
    )


def read_summary(database: Database) -> SegmentSummary | None:
    """Return what was noted when the segment was sealed, or None when it was not.

    Raises:
        LogDamagedError: if it is not what was noted.
    """
    row = database.row(
        "SELECT last_seq, batches, samples, body_bytes, t_min, t_max, recv_min, recv_max, head,"
        " crc32 FROM summary"
    )
    if row is None:
        return None
    typed_row(database.file, row, _SUMMARY_TYPES)
    last_seq, batches, samples, body_bytes, t_min, t_max, recv_min, recv_max, head, crc32 = row
    summary = SegmentSummary(
        last_seq=last_seq,
        total=Tally(batches, samples, body_bytes),
        t_min_ms=t_min,
        t_max_ms=t_max,
        recv_min_ms=recv_min,
        recv_max_ms=recv_max,
        head=head,
    )
    if _summary_crc32(summary) != crc32:
        raise LogDamagedError(f"{database.file}: damaged: the summary's checksum is wrong")
    return summary


def insert_summary(database: Database, summary: SegmentSummary) -> None:
    """Mark the segment as sealed."""
    database.execute(
        "INSERT INTO summary VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *_summary_columns(summary),
        _summary_crc32(summary),
    )


def _summary_columns(summary: SegmentSummary) -> tuple[int | bytes, ...]:
    return (
        summary.last_seq,
        summary.total.batches,
        summary.total.samples,
        summary.total.body_bytes,
        summary.t_min_ms,
        summary.t_max_ms,
        summary.recv_min_ms,
        summary.recv_max_ms,
        summary.head,
    )


def _summary_crc32(summary: SegmentSummary) -> int:
    return zlib.crc32(repr(_summary_columns(summary)).encode())


def tally_between(database: Database, first_seq: int, last_seq: int) -> Tally:
    """Return how much the batches of this range are; bodies are not read for it."""
    row = database.row(
        "SELECT count(*), coalesce(sum(n), 0), coalesce(sum(length(body)), 0)"
        " FROM batch WHERE seq BETWEEN ? AND ?",
        first_seq,
        last_seq,
    )
    return Tally(*row) if row else Tally()


def stream_batches(
    database: Database, first_seq: int, last_seq: int, *, newest_first: bool = False
) -> Generator[BatchRow]:
    """Yield the batches of a range in order, as they are stored; close the generator soon."""
    order = " ORDER BY seq DESC" if newest_first else " ORDER BY seq"
    with contextlib.closing(database.stream(SELECT_BATCH + order, first_seq, last_seq)) as rows:
        for row in rows:
            yield batch_row(database.file, row)


def batch_row(file: Path, row: Row) -> BatchRow:
    """Return one row of the batch table, in the order of its columns.

    Raises:
        LogDamagedError: if it cannot be one.
    """
    seq, n, t_min, t_max, recv_min, recv_max, series_count, sha256, prev_hash, crc32, body = (
        typed_row(file, row, _BATCH_TYPES)
    )
    if len(sha256) != HASH_BYTES or len(prev_hash) != HASH_BYTES or min(n, series_count) < 0:
        raise LogDamagedError(f"{file}: damaged: batch {seq}")
    return BatchRow(
        seq=seq,
        n=n,
        t_min_ms=t_min,
        t_max_ms=t_max,
        recv_min_ms=recv_min,
        recv_max_ms=recv_max,
        series_count=series_count,
        sha256=sha256,
        prev_hash=prev_hash,
        crc32=crc32,
        body=body,
    )


class OpenSegment:
    """The segment of a lane that is being written; used by the writer thread only."""

    def __init__(self, database: Database, header: SegmentHeader, summary: SegmentSummary) -> None:
        self.header = header
        self.summary = summary
        self.series_count = _count(database, "series")
        self.source_count = _count(database, "source")
        self.database = database
        self.tail = TailTable(database)
        self._file_bytes = 0  # as last known

    def append(
        self,
        rows: Sequence[BatchRow],
        head: bytes,
        entries: Entries,
        tail: tuple[int, bytes] | None,
    ) -> None:
        """Make all of it durable in one transaction, or nothing of it.

        ``head`` is the link of the last row. Errors as `Database`.
        """
        with self.database.transaction():
            insert_entries(self.database, entries)
            insert_batches(self.database, rows)
            if tail is not None:
                self.tail.insert(*tail)
        if tail is not None:
            self.tail.note_inserted(tail[0])
        self.series_count += len(entries.series)
        self.source_count += len(entries.sources)
        if rows:
            self.summary = self.summary.including(rows, head)

    def size_bytes(self) -> int:
        """Return how large it is with its write-ahead log; as last known when the disk fails."""
        with contextlib.suppress(LogError):  # a number for people and limits: no reason to stop
            self._file_bytes = self.database.size_bytes()
        return self._file_bytes + self.database.wal_bytes

    def seal(self) -> None:
        """Note the summary, write everything into the file itself and close it for ever.

        No reader of this process may be in the file meanwhile. Errors as `Database`; it may then
        be tried again.
        """
        if read_summary(self.database) is None:
            insert_summary(self.database, self.summary)
        close_for_ever(self.database)


def close_for_ever(database: Database) -> None:
    """Close a sealed segment as a plain file: opening it will never again make a file beside it."""
    database.checkpoint(Checkpoint.TRUNCATE)
    database.execute("PRAGMA journal_mode = delete")
    database.close()


def _count(database: Database, table: str) -> int:
    return int(database.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 a literal of this module
