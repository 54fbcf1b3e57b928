"""Reading what can still be read out of a damaged segment into a new one that replaces it.

The damaged file is moved away whole and never deleted. Each step may be interrupted: a salvage
whose original still stands in its place is thrown away and done again.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, replace
from itertools import pairwise
from pathlib import Path

from edge.errors import LogDamagedError, LogError, LogFullError
from edge.log.carve import carved_batches
from edge.log.certain import Certain
from edge.log.chain import CHAIN_START, BatchRow, is_intact, link
from edge.log.database import Database, open_reader, open_writer
from edge.log.layout import (
    SALVAGE_PREFIX,
    Layout,
    companions,
    exists,
    move_to_damaged,
    remove_database,
    rename_durably,
    size_of,
)
from edge.log.recent import encode_tail
from edge.log.records import INT64_MAX
from edge.log.segments import (
    Entries,
    SegmentHeader,
    SegmentSummary,
    SourceRow,
    insert_batches,
    insert_summary,
    stream_batches,
    write_segment,
)
from edge.log.series_rows import SeriesRow, read_series
from edge.log.tail import read_tail
from edge.log.tally import Tally
from shared.sync.ranges import SEQ_MAX, Ranges

ROW_SIZE_MIN_BYTES = 100  # two hashes and the smallest body: no file holds more rows than this says


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What came out of a damaged segment. ``summary`` is None when nothing did."""

    header: SegmentHeader
    summary: SegmentSummary | None
    present: Ranges
    last_possible_seq: int  # no batch of the damaged file can have had a higher number
    end_known: bool  # the last batch in ``present`` was the last there was
    series: list[SeriesRow]
    sources: list[SourceRow]
    moved_to: Path


def salvage_segment(
    layout: Layout, file: Path, header: SegmentHeader, certain: Certain | None = None
) -> Salvaged:
    """Replace a damaged segment by a sealed one of what can be read; move the original away.

    ``header`` is what the file's own header should say, its ``prev_hash`` excepted. What is
    beyond ``certain`` is left out.

    Where there is no space for the copy, the original is only moved away, and its batches are
    to be declared lost until somebody makes room and puts it back.
    """
    replacement = layout.segments_dir / f"{SALVAGE_PREFIX}{file.name}"
    remove_database(replacement)
    last_possible_seq = header.first_seq + _size_bytes(file) // ROW_SIZE_MIN_BYTES
    try:
        copied = _copy(file, replacement, header, certain)
    except LogFullError:
        copied = _Copied(header, None, Ranges(), end_known=False, series=[], sources=[])
    except BaseException:
        remove_database(replacement)
        raise
    moved_to = move_to_damaged(file, layout)
    if copied.summary is None:
        remove_database(replacement)
    else:
        rename_durably(replacement, file)
    return Salvaged(
        header=copied.header,
        summary=copied.summary,
        present=copied.present,
        last_possible_seq=last_possible_seq,
        end_known=copied.end_known,
        series=copied.series,
        sources=copied.sources,
        moved_to=moved_to,
    )


@dataclass(frozen=True, slots=True)
class _Copied:
    header: SegmentHeader
    summary: SegmentSummary | None
    present: Ranges
    _: KW_ONLY
    end_known: bool
    series: list[SeriesRow]
    sources: list[SourceRow]


def _copy(file: Path, replacement: Path, header: SegmentHeader, certain: Certain | None) -> _Copied:
    series, sources, tail = _read_catalogue(file, certain)
    write_segment(
        replacement,
        replace(header, prev_hash=CHAIN_START),
        Entries(series=series, sources=sources),
        tail,
    )
    with open_writer(replacement, journal_mode="memory") as target, target.transaction():
        present, end_known = _copy_batches(
            file, target, header, certain.last_seq if certain else SEQ_MAX
        )
        summary = summarise(target, header)
        first = _first_prev_hash(target, header)
        target.execute("UPDATE header SET prev_hash = ?", first)
        if summary is not None:
            insert_summary(target, summary)
    return _Copied(
        replace(header, prev_hash=first),
        summary,
        present,
        end_known=end_known,
        series=series,
        sources=sources,
    )


def _read_catalogue(
    file: Path, certain: Certain | None
) -> tuple[list[SeriesRow], list[SourceRow], list[tuple[int, bytes]]]:
    series: list[SeriesRow] = []
    sources: list[SourceRow] = []
    tail: list[tuple[int, bytes]] = []
    with contextlib.suppress(LogError), open_reader(file) as source:
        with contextlib.suppress(LogError):
            series.extend(read_series(source))
        with contextlib.suppress(LogError):
            sources.extend(read_sources(source))
        with contextlib.suppress(LogError):
            seen = read_tail(source, end_ix=certain.next_tail_ix if certain else INT64_MAX)
            if seen.size:
                tail.append((seen.shape[1], encode_tail(seen)))
    return series, sources, tail


def read_sources(database: Database) -> list[SourceRow]:
    """Return the sources of a segment; errors as `Database`."""
    return [
        (ix, topic)
        for ix, topic in database.rows("SELECT ix, topic FROM source")
        if type(ix) is int and type(topic) is str
    ]


def _copy_batches(
    file: Path, target: Database, header: SegmentHeader, last_seq: int
) -> tuple[Ranges, bool]:
    """Copy intact batches up to ``last_seq``: from the front, from the end, then any left.

    Also tells whether the last batch there ever was is certainly among them.
    """
    copied: set[int] = set()
    end_seq = _copy_stream(file, target, copied, last_seq, newest_first=False)
    if end_seq is None:
        end_seq = _copy_stream(file, target, copied, last_seq, newest_first=True)
    # Also where all went well: a damaged index makes SQLite pass over rows without an error.
    _copy_carved(file, target, copied, header, last_seq)
    return Ranges.of_numbers(copied), end_seq is not None and end_seq == max(copied)


def _copy_carved(
    file: Path, target: Database, copied: set[int], header: SegmentHeader, last_seq: int
) -> None:
    """Copy what is found in the raw pages and was not copied yet."""
    with contextlib.suppress(OSError):  # a bad sector ends the search
        for row in carved_batches(file):
            if row.seq <= last_seq and row.seq not in copied and _fits(row, target, header):
                insert_batches(target, [row])
                copied.add(row.seq)


def _fits(row: BatchRow, target: Database, header: SegmentHeader) -> bool:
    """Tell whether the neighbours that were copied vouch for ``row``, or there are none.

    A page may be left of a transaction that failed, whose number was then used again.
    """
    with contextlib.closing(stream_batches(target, row.seq - 1, row.seq + 1)) as neighbours:
        return row.seq >= header.first_seq and all(
            row.prev_hash == link(header.install_uuid, header.lane, other)
            if other.seq < row.seq
            else other.prev_hash == link(header.install_uuid, header.lane, row)
            for other in neighbours
        )


def _copy_stream(
    file: Path, target: Database, copied: set[int], last_seq: int, *, newest_first: bool
) -> int | None:
    """Copy until the end, an error or a number that is there.

    Returns the number of the last batch up to ``last_seq``, or None if it was not reached or is
    not intact.
    """
    end_seq: int | None = None
    try:
        with (
            open_reader(file) as source,
            contextlib.closing(
                stream_batches(source, 0, last_seq, newest_first=newest_first)
            ) as rows,
        ):
            for place, row in enumerate(rows):
                if row.seq in copied:
                    break
                intact = is_intact(row)
                if intact:
                    insert_batches(target, [row])
                    copied.add(row.seq)
                if not newest_first or place == 0:
                    end_seq = row.seq if intact else None
    except LogFullError:
        raise
    except LogError:
        return end_seq if newest_first else None
    return end_seq


def summarise(database: Database, header: SegmentHeader) -> SegmentSummary | None:
    """Return the summary of what is in the batch table by reading it; None when it is empty."""
    row = database.row(
        "SELECT count(*), sum(n), sum(length(body)), min(t_min), max(t_max), min(recv_min),"
        " max(recv_max), max(seq) FROM batch"
    )
    if row is None or not row[0]:
        return None
    batches, samples, body_bytes, t_min, t_max, recv_min, recv_max, last_seq = row
    with contextlib.closing(stream_batches(database, last_seq, last_seq)) as rows:
        last = next(rows)
    return SegmentSummary(
        last_seq=last_seq,
        total=Tally(batches, samples, body_bytes),
        t_min_ms=t_min,
        t_max_ms=t_max,
        recv_min_ms=recv_min,
        recv_max_ms=recv_max,
        head=link(header.install_uuid, header.lane, last),
    )


def _first_prev_hash(database: Database, header: SegmentHeader) -> bytes:
    row = database.row("SELECT prev_hash FROM batch WHERE seq = ?", header.first_seq)
    return bytes(row[0]) if row else CHAIN_START


def _size_bytes(file: Path) -> int:
    return sum(size_of(path) for path in (file, *companions(file)) if exists(path))


def check_chain(rows: Iterable[BatchRow], header: SegmentHeader, file: Path) -> None:
    """Check bodies and links of ``rows``, newest first, as far as they are neighbours.

    Raises:
        LogDamagedError: naming the first batch that is not what was written.
    """
    listed = list(rows)
    for row in listed:
        if not is_intact(row):
            raise LogDamagedError(f"{file}: damaged: batch {row.seq}")
        if row.seq == header.first_seq and row.prev_hash != header.prev_hash:
            raise LogDamagedError(f"{file}: damaged: batch {row.seq} does not follow on")
    for later, earlier in pairwise(listed):
        linked = link(header.install_uuid, header.lane, earlier)
        if later.seq == earlier.seq + 1 and later.prev_hash != linked:
            raise LogDamagedError(f"{file}: damaged: batch {later.seq} does not follow on")
