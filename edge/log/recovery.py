"""Opening the segments of a lane at start: checking, sealing, salvaging, and declaring losses.

Nothing found here is a reason not to start, except files of another installation or of a newer
version. The segments are the authority; meta.db only tells what must have been there too.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

from edge.errors import LogDamagedError, LogError, LogForeignError
from edge.log.certain import Certain, remove_uncertain
from edge.log.chain import CHAIN_START, BatchRow
from edge.log.database import Database, open_reader, open_writer
from edge.log.facts import SegmentFacts
from edge.log.layout import (
    Layout,
    SegmentName,
    is_whole,
    remove_database,
    size_of,
)
from edge.log.meta import Meta
from edge.log.recent import Columns, encode_tail, merge_tails
from edge.log.records import Identity
from edge.log.salvage import (
    check_chain,
    read_sources,
    salvage_segment,
    summarise,
)
from edge.log.segment_files import segment_names
from edge.log.segments import (
    Entries,
    OpenSegment,
    SegmentHeader,
    SegmentSummary,
    SourceRow,
    close_for_ever,
    create_segment,
    empty_summary,
    insert_summary,
    read_header,
    read_summary,
    stream_batches,
)
from edge.log.series_rows import SeriesRow, read_series
from edge.log.settlement import Settlement
from edge.log.tail import read_tail
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.ranges import SEQ_MAX, Ranges

CHAIN_CHECK_BATCHES_MAX = 1_000  # what the last minute before a power cut can have written
CHAIN_CHECK_SIZE_MAX_BYTES = 67_108_864  # and no more of it than is read in a second or two
# The catalogue is in every segment; the second newest is asked too where the newest was damaged.
CATALOGUE_SEGMENTS = 2

_log = get_log("log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What recovery works on."""

    layout: Layout
    identity: Identity
    meta: Meta
    clock: Clock

    def header(self, lane: int, first_seq: int, prev_hash: bytes = CHAIN_START) -> SegmentHeader:
        """Return the header of a segment of this installation."""
        return SegmentHeader(
            site=self.identity.site,
            edge_id=self.identity.edge_id,
            install_uuid=self.identity.install_uuid,
            lane=lane,
            first_seq=first_seq,
            prev_hash=prev_hash,
        )


@dataclass(slots=True)
class Finding:
    """What recovery has found of one lane. ``newest`` is None until there is one to write."""

    lane: int
    certain: Certain | None = None  # of a lane that this process has been writing
    sealed: list[SegmentFacts] = field(default_factory=list[SegmentFacts])
    newest: OpenSegment | None = None
    next_seq: int = 1
    damaged: Ranges = field(default_factory=Ranges)  # numbers a damaged segment did not give back
    end_known: bool = True  # nothing can have come after the last batch that was found
    last_possible_seq: int = 0
    series: list[SeriesRow] = field(default_factory=list[SeriesRow])
    sources: list[SourceRow] = field(default_factory=list[SourceRow])
    series_count: int = 0  # so many numbers of series are known to be in use
    tail: Columns = field(default_factory=lambda: merge_tails([]))

    def certain_of(self, name: SegmentName) -> Certain | None:
        """Return what is certain of this segment, where this process was writing it."""
        certain = self.certain
        return certain if certain is not None and certain.first_seq == name.first_seq else None

    def close(self) -> None:
        """Close what is open, leaving the files as they are; for a start that failed."""
        if self.newest is not None:
            self.newest.database.keep_wal_on_close()
            self.newest.database.close()


def recover_lane(
    site: Site,
    lane: int,
    suspects: frozenset[int] = frozenset(),
    certain: Certain | None = None,
) -> Finding:
    """Return the lane's segments, the newest open for writing; losses are recorded in meta.db.

    ``suspects`` are the first numbers of segments that are known to be damaged. What is beyond
    ``certain`` is removed.

    Raises:
        LogVersionError: a newer version wrote a segment. LogForeignError: one belongs to another
            installation. LogFullError, LogError: the disk cannot be written.
    """
    finding = Finding(lane, certain)
    names = segment_names(site.layout, lane)
    for index, name in enumerate(names):
        following = names[index + 1].first_seq if index + 1 < len(names) else None
        _take(site, finding, name, following=following, suspect=name.first_seq in suspects)
    _settle_end(site, finding, names[-1].first_seq if names else 0)
    _read_catalogue(finding)
    return finding


def begin_newest(site: Site, finding: Finding, entries: Entries) -> OpenSegment:
    """Return the segment to write, made with the whole catalogue when recovery found none."""
    if finding.newest is not None:
        return finding.newest
    last = finding.sealed[-1].summary if finding.sealed else None
    follows = last is not None and last.last_seq + 1 == finding.next_seq
    header = site.header(
        finding.lane, finding.next_seq, last.head if last and follows else CHAIN_START
    )
    tail = [(finding.tail.shape[1], encode_tail(finding.tail))] if finding.tail.size else []
    file = create_segment(site.layout, header, entries, tail)
    reserved = max(site.meta.reserved(finding.lane).seq, finding.next_seq - 1)
    site.meta.reserve(finding.lane, reserved, header.first_seq)
    finding.newest = OpenSegment(open_writer(file), header, empty_summary(header))
    return finding.newest


def _take(
    site: Site, finding: Finding, name: SegmentName, *, following: int | None, suspect: bool
) -> None:
    """Add one segment to the finding, salvaged if need be; ``following`` is None for the last."""
    file = site.layout.segment_file(name)
    if suspect:
        _salvage(site, finding, name, following, LogDamagedError(f"{file}: found while reading"))
        return
    try:
        if following is None:
            finding.newest = _open_newest(site, file, name, finding.certain_of(name))
        if finding.newest is None:
            finding.sealed.extend(_sealed_facts(site, file, name, finding.certain_of(name)))
    except LogDamagedError as error:
        _salvage(site, finding, name, following, error)


def _open_newest(
    site: Site, file: Path, name: SegmentName, certain: Certain | None
) -> OpenSegment | None:
    """Return the segment open for writing after a full check, None when it was sealed.

    The check only reads: a damaged file opened for writing might be changed or "repaired".
    """
    with open_reader(file) as database:
        header = _own_header(site, database, name)
        if read_summary(database) is not None:
            return None
        summary = _checked(site, database, header)
    database = open_writer(file)
    try:
        summary = _without_uncertain(database, header, summary, certain)
        return OpenSegment(database, header, summary)
    except BaseException:
        database.keep_wal_on_close()
        database.close()
        raise


def _without_uncertain(
    database: Database, header: SegmentHeader, summary: SegmentSummary, certain: Certain | None
) -> SegmentSummary:
    """Remove what is beyond ``certain``; return what the segment then holds."""
    if certain is None or not remove_uncertain(database, certain):
        return summary
    _log.warning("a commit that failed had reached the file: removed", file=database.file.name)
    return summarise(database, header) or empty_summary(header)


def _sealed_facts(
    site: Site, file: Path, name: SegmentName, certain: Certain | None
) -> list[SegmentFacts]:
    """Return what a sealed segment says of itself; none for one that is empty and was removed."""
    whole = is_whole(file)
    with open_reader(file, immutable=whole) as database:
        header = _own_header(site, database, name)
        summary = read_summary(database)
    if summary is None or not whole:
        summary = _finish_sealing(site, file, name, certain)
    if not summary.total.batches:
        remove_database(file)
        return []
    return [_facts(file, header, summary)]


def _finish_sealing(
    site: Site, file: Path, name: SegmentName, certain: Certain | None
) -> SegmentSummary:
    """Check and seal a segment that an interruption left open."""
    with open_reader(file) as database:
        header = _own_header(site, database, name)
        noted = read_summary(database)
        summary = _checked(site, database, header)
    with open_writer(file) as database:
        if noted is None:
            summary = _without_uncertain(database, header, summary, certain)
            insert_summary(database, summary)
        close_for_ever(database)
    return summary


def _checked(site: Site, database: Database, header: SegmentHeader) -> SegmentSummary:
    """Check structure, newest bodies and chain; return what the segment holds."""
    if not database.quick_check(site.clock):
        _log.warning("check of the segment ended early", file=database.file.name)
    with contextlib.closing(stream_batches(database, 0, SEQ_MAX, newest_first=True)) as rows:
        check_chain(_newest_rows(rows), header, database.file)
    return summarise(database, header) or empty_summary(header)


def _newest_rows(rows: Iterable[BatchRow]) -> Iterator[BatchRow]:
    size_bytes = 0
    for row in islice(rows, CHAIN_CHECK_BATCHES_MAX):
        yield row
        size_bytes += len(row.body)
        if size_bytes > CHAIN_CHECK_SIZE_MAX_BYTES:
            return


def _own_header(site: Site, database: Database, name: SegmentName) -> SegmentHeader:
    header = read_header(database)
    ours = site.identity.install_uuid
    if header.name != name or (header.install_uuid != ours and ours.startswith(name.tag)):
        raise LogDamagedError(f"{database.file}: damaged: its header says {header.name}")
    if header.install_uuid != ours:
        raise LogForeignError(
            f"{database.file} belongs to installation {header.install_uuid} of site "
            f"{header.site!r}, edge {header.edge_id!r}; {site.layout.identity_file} says "
            f"{ours}: restore that file or use another state_dir"
        )
    return header


def _salvage(
    site: Site, finding: Finding, name: SegmentName, following: int | None, error: LogError
) -> None:
    file = site.layout.segment_file(name)
    salvaged = salvage_segment(
        site.layout, file, site.header(name.lane, name.first_seq), finding.certain_of(name)
    )
    last_seq = salvaged.present.last or name.first_seq - 1
    if following is None:
        finding.end_known = salvaged.end_known
        finding.last_possible_seq = salvaged.last_possible_seq
        finding.next_seq = last_seq + 1
    else:
        last_seq = following - 1
    site.meta.forget_segments(name.lane, [name.first_seq])  # what was counted in it is no more
    missing = salvaged.present.missing(name.first_seq, last_seq)
    finding.damaged = finding.damaged.union(missing)
    finding.series.extend(salvaged.series)
    finding.sources.extend(salvaged.sources)
    if salvaged.summary is not None:
        finding.sealed.append(_facts(file, salvaged.header, salvaged.summary))
    _log.error(
        "segment damaged: moved away, readable batches salvaged",
        error=str(error),
        moved_to=str(salvaged.moved_to),
        salvaged_batches=salvaged.present.count,
        missing=str(missing),
        end_known=salvaged.end_known,
    )


def _facts(file: Path, header: SegmentHeader, summary: SegmentSummary) -> SegmentFacts:
    return SegmentFacts(
        file=file,
        header=header,
        summary=summary,
        size_bytes=size_of(file),
        sealed=True,
    )


def _settle_end(site: Site, finding: Finding, newest_first_seq: int) -> None:
    """Declare what is missing, and choose a next number that was certainly never used."""
    settlement = Settlement(finding.lane, site.meta)
    known = settlement.settled
    now_ms = site.clock.utc_ms()
    settlement.record_lost(finding.damaged.difference(known), "damaged", now_ms)
    gaps = _gaps(finding).difference(settlement.settled)
    settlement.record_lost(gaps, "missing", now_ms)
    last_seq = _last_seq(finding)
    reserved = site.meta.reserved(finding.lane)
    ceiling = max(last_seq, settlement.settled.last or 0)
    if not finding.end_known or reserved.newest_first_seq > newest_first_seq:
        ceiling = max(ceiling, reserved.seq or finding.last_possible_seq)
    finding.next_seq = ceiling + 1
    if ceiling == last_seq:
        return
    beyond = settlement.settled.missing(last_seq + 1, ceiling)
    settlement.record_lost(beyond, "end_of_log_missing", now_ms)
    _log.error("the end of the log is missing", lane=finding.lane, lost_at_most=str(beyond))
    if finding.newest is not None:
        _close_newest(finding)


def _close_newest(finding: Finding) -> None:
    newest = finding.newest
    assert newest is not None, "only called where there is one"
    finding.newest = None
    if newest.summary.total.batches:
        newest.seal()
        finding.sealed.append(_facts(newest.database.file, newest.header, newest.summary))
    else:
        newest.database.close()
        remove_database(newest.database.file)


def _last_seq(finding: Finding) -> int:
    if finding.newest is not None:
        return finding.newest.summary.last_seq
    return max(finding.sealed[-1].last_seq if finding.sealed else 0, finding.next_seq - 1)


def _gaps(finding: Finding) -> Ranges:
    """Return the numbers between segments that follow each other; nothing before the first."""
    extents = [(one.first_seq, one.last_seq) for one in finding.sealed]
    if finding.newest is not None:
        extents.append((finding.newest.header.first_seq, finding.newest.summary.last_seq))
    gaps = ((before[1] + 1, after[0] - 1) for before, after in pairwise(extents))
    return Ranges.of(*((first, last) for first, last in gaps if first <= last))


def _read_catalogue(finding: Finding) -> None:
    """Read catalogue, sources and tail from the newest segments that give them."""
    if finding.newest is not None:
        _read_entries(finding, finding.newest.database)
        return
    for facts in reversed(finding.sealed[-CATALOGUE_SEGMENTS:]):
        with (
            contextlib.suppress(LogDamagedError),
            open_reader(facts.file, immutable=True) as database,
        ):
            _read_entries(finding, database)


def _read_entries(finding: Finding, database: Database) -> None:
    finding.series.extend(read_series(database))
    finding.sources.extend(read_sources(database))
    row = database.row("SELECT series_count FROM batch ORDER BY seq DESC LIMIT 1")
    finding.series_count = max(finding.series_count, row[0] if row else 0)
    if not finding.tail.size:
        finding.tail = read_tail(database)
