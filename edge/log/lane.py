"""One lane of the log: its segments in order, the newest being written. Writer thread only.

Owns the numbering, the hash chain and the change from one segment to the next.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from edge.errors import LogDamagedError, LogError
from edge.log.catalogue import Catalogue
from edge.log.certain import Certain
from edge.log.chain import CHAIN_START, BatchRow, chained_row, link
from edge.log.database import Checkpoint, Database, open_writer
from edge.log.facts import SegmentFacts, View
from edge.log.grouping import EncodedBatch
from edge.log.layout import Layout, remove_database, size_of
from edge.log.meta import Meta
from edge.log.reader import SegmentReaders
from edge.log.recent import MESSAGES_MAX, Columns, encode_tail
from edge.log.records import Committed, Identity, LaneState
from edge.log.segments import (
    OpenSegment,
    create_segment,
    empty_summary,
    tally_between,
)
from edge.log.settlement import Settlement
from edge.log.tally import Tally
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.ranges import Ranges

CHECKPOINT_BYTES = 8_388_608  # copying so much takes some 20 ms, in which nothing is committed
# A reader that always has a transaction open could keep the write-ahead log growing: from here on
# the writer keeps readers out for one checkpoint.
WAL_SIZE_MAX_BYTES = 67_108_864
# How far ahead numbers are reserved in meta.db: one more commit there for so many batches here, and
# at most so many numbers skipped when the end of a segment cannot be read.
SEQ_RESERVE = 4_096
SEQ_JUMP_MAX = 2**40  # a larger one is a mistake of whoever asks for it

T = TypeVar("T")

_log = get_log("log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What all lanes share."""

    layout: Layout
    identity: Identity
    meta: Meta
    catalogue: Catalogue
    readers: SegmentReaders
    clock: Clock


class LaneLog:
    """One lane, open for writing.

    Errors as `Database`. After one of a commit that is not LogFullError the lane must be opened
    anew, because nobody knows what the disk now holds.
    """

    def __init__(self, shop: Workshop, sealed: Sequence[SegmentFacts], newest: OpenSegment) -> None:
        self.lane = newest.header.lane
        self._shop = shop
        self._newest = newest
        self._retired = list(sealed)
        self._unsealed: list[OpenSegment] = []  # of these, what could not be sealed yet
        self._retired_bytes = sum(one.size_bytes for one in sealed)
        self._copied_bytes = 0  # of the write-ahead log, by the last checkpoint
        self._reserved = shop.meta.reserved(self.lane).seq
        self.last_seq = newest.summary.last_seq
        self.suspects: set[int] = set()  # first numbers of sealed segments found to be damaged
        self.settlement = Settlement(self.lane, shop.meta)
        self.settlement.set_acked(self.settlement.acked, self.view(), self._count)
        self.settlement.keep_only(one.first_seq for one in self.view())
        self._held = sum((one.summary.total for one in self.view()), Tally())
        self._oldest_owed_ms = self._find_oldest_owed_ms()

    def commit(
        self,
        batches: Sequence[EncodedBatch],
        seen: Columns,
        *,
        series_count: int,
        source_count: int,
    ) -> Committed:
        """Make all of it durable in one transaction, with the catalogue up to these counts."""
        first_seq = self.last_seq + 1
        last_seq = self.last_seq + len(batches)
        self._reserve(last_seq)
        rows, head = self._chained(batches, series_count)
        entries = self._shop.catalogue.entries(
            series_after=self._newest.series_count,
            series_count=series_count,
            sources_after=self._newest.source_count,
            source_count=source_count,
        )
        newest_seen = seen[:, -MESSAGES_MAX:]
        tail = (newest_seen.shape[1], encode_tail(newest_seen)) if newest_seen.size else None
        self._newest.append(rows, head, entries, tail)
        if rows:
            self.last_seq = last_seq
            self._held += Tally.of_rows(rows)
            if self._oldest_owed_ms is None:
                self._oldest_owed_ms = rows[0].recv_min_ms
        return Committed(self.lane, first_seq, last_seq)

    def maintain(self, segment_size_bytes: int) -> bool:
        """Do what need not be done before a commit is answered: tail, checkpoint, next segment.

        Tells whether the segments changed.
        """
        self._newest.tail.maintain()
        database = self._newest.database
        self._copied_bytes = min(self._copied_bytes, database.wal_bytes)  # it began anew
        if database.wal_bytes > WAL_SIZE_MAX_BYTES:
            with self._shop.readers.exclude(database.file):
                database.checkpoint(Checkpoint.TRUNCATE)
        elif database.wal_bytes - self._copied_bytes > CHECKPOINT_BYTES:
            database.checkpoint(Checkpoint.PASSIVE)
            self._copied_bytes = database.wal_bytes
        if self._unsealed:
            self._seal_retired()
        if not self._newest.summary.total.batches or database.size_bytes() < segment_size_bytes:
            return False
        self._begin_segment(self.last_seq + 1)
        return True

    def set_acked(self, acked: Ranges) -> None:
        """Make ``acked`` what central holds, in memory; numbers in it are never given out again.

        Raises:
            LogError: if it names numbers absurdly far ahead; or as `Database`.
        """
        self._leap_over(acked)
        self.settlement.set_acked(acked, self.view(), self._count)
        self._oldest_owed_ms = self._find_oldest_owed_ms()

    def remove_segment(self, first_seq: int) -> None:
        """Unlink a sealed segment, which retention has chosen."""
        facts = next(one for one in self._retired if one.first_seq == first_seq)
        with self._shop.readers.exclude(facts.file):
            remove_database(facts.file)
        self._retired.remove(facts)
        self._retired_bytes -= facts.size_bytes
        self._held -= facts.summary.total
        self.settlement.keep_only(one.first_seq for one in self.view())
        _log.info("segment removed", file=facts.file.name, size_bytes=facts.size_bytes)

    def view(self) -> View:
        """Return the segments, ascending; the last is being written."""
        return (*self._retired, _facts(self._newest))

    def state(self) -> LaneState:
        """Return the lane as it is now."""
        backlog = self._held - self.settlement.acked_total
        first = self._retired[0] if self._retired else None
        return LaneState(
            lane=self.lane,
            first_retained=first.first_seq if first else self._newest.header.first_seq,
            last_seq=self.last_seq,
            acked=self.settlement.acked,
            lost=self.settlement.lost,
            backlog_batches=backlog.batches,
            backlog_samples=backlog.samples,
            backlog_bytes=backlog.body_bytes,
            oldest_unacked_ms=self._oldest_owed_ms,
            segments=len(self._retired) + 1,
            size_bytes=self._retired_bytes + self._newest.size_bytes(),
        )

    def certain(self) -> Certain:
        """Return the end of the segment being written, as of the last commit that succeeded."""
        return Certain(
            first_seq=self._newest.header.first_seq,
            last_seq=self._newest.summary.last_seq,
            next_tail_ix=self._newest.tail.next_ix,
        )

    def close(self) -> None:
        """Write everything into the files themselves and close them."""
        for one in self._unsealed:  # the next start seals it
            one.database.close()
        with self._shop.readers.exclude(self._newest.database.file):
            self._newest.database.checkpoint(Checkpoint.TRUNCATE)
            self._newest.database.close()

    def abandon(self) -> None:
        """Close after an error, leaving the files as they are."""
        for one in (*self._unsealed, self._newest):
            with self._shop.readers.exclude(one.database.file), contextlib.suppress(LogError):
                one.database.keep_wal_on_close()
                one.database.close()

    def _chained(
        self, batches: Sequence[EncodedBatch], series_count: int
    ) -> tuple[list[BatchRow], bytes]:
        head = self._newest.summary.head
        rows: list[BatchRow] = []
        for seq, batch in enumerate(batches, start=self.last_seq + 1):
            row = chained_row(batch, seq=seq, series_count=series_count, prev_hash=head)
            head = link(self._shop.identity.install_uuid, self.lane, row)
            rows.append(row)
        return rows, head

    def _reserve(self, last_seq: int) -> None:
        if last_seq > self._reserved:
            self._shop.meta.reserve(
                self.lane, last_seq + SEQ_RESERVE, self._newest.header.first_seq
            )
            self._reserved = last_seq + SEQ_RESERVE

    def _begin_segment(self, first_seq: int) -> None:
        """Make a new segment the newest; the one before is sealed, or removed when empty."""
        old = self._newest
        header = replace(
            old.header,
            first_seq=first_seq,
            prev_hash=old.summary.head if first_seq == self.last_seq + 1 else CHAIN_START,
        )
        catalogue = self._shop.catalogue
        file = create_segment(
            self._shop.layout, header, catalogue.all_entries(), old.tail.encoded()
        )
        reserved = max(self._reserved, first_seq - 1)
        with contextlib.ExitStack() as undo:
            # Left there while the one before is still written, it would be the end of the lane
            # for the next start, and its numbers would be given out twice.
            undo.callback(remove_database, file)
            newest = OpenSegment(open_writer(file), header, empty_summary(header))
            undo.callback(newest.database.close)
            self._shop.meta.reserve(self.lane, reserved, first_seq)
            undo.pop_all()
        self._reserved = reserved
        self._newest = newest
        self.last_seq = first_seq - 1
        self._retire(old)

    def _retire(self, old: OpenSegment) -> None:
        file = old.database.file
        with self._shop.readers.exclude(file):
            if not old.summary.total.batches:
                old.database.close()
                remove_database(file)
                return
        facts = _facts(old)
        self._retired.append(facts)
        self._retired_bytes += facts.size_bytes
        self._unsealed.append(old)
        try:
            self._seal_retired()
        except LogError as error:  # its batches are safe; `maintain` tries again
            _log.warning("segment not sealed", file=file.name, error=str(error))

    def _seal_retired(self) -> None:
        for old in list(self._unsealed):
            with self._shop.readers.exclude(old.database.file):
                old.seal()
            self._unsealed.remove(old)
            place = next(n for n, one in enumerate(self._retired) if one.file == old.database.file)
            facts = self._retired[place]
            size_bytes = size_of(facts.file)
            self._retired_bytes += size_bytes - facts.size_bytes
            self._retired[place] = replace(facts, size_bytes=size_bytes, sealed=True)

    def _leap_over(self, acked: Ranges) -> None:
        """Skip numbers that central holds and this log never gave out: its end must be missing."""
        last = acked.last or 0
        if last <= self.last_seq:
            return
        if last > self.last_seq + SEQ_JUMP_MAX:
            raise LogError(f"lane {self.lane}: central claims to hold batch {last}")
        gap = Ranges.of((self.last_seq + 1, last)).difference(acked)
        _log.error(
            "central holds batches this log does not: an old copy was restored or its end is lost",
            lane=self.lane,
            last_seq=self.last_seq,
            central_last_seq=last,
        )
        self.settlement.record_lost(gap, "end_of_log_missing", self._shop.clock.utc_ms())
        self._begin_segment(last + 1)

    def _count(self, facts: SegmentFacts, first_seq: int, last_seq: int) -> Tally:
        return self._ask(facts, lambda found: tally_between(found, first_seq, last_seq), Tally())

    def _find_oldest_owed_ms(self) -> int | None:
        view = self.view()
        owed = self.settlement.settled.missing(view[0].first_seq, self.last_seq).first
        if owed is None:
            return None
        facts = next(one for one in reversed(view) if one.first_seq <= owed)
        return self._ask(facts, lambda found: _recv_min_ms(found, owed), facts.summary.recv_min_ms)

    def _ask(self, facts: SegmentFacts, ask: Callable[[Database], T], unknown: T) -> T:
        """Ask a segment; of one found damaged ``unknown`` holds until it is repaired."""
        if facts.file == self._newest.database.file:
            return ask(self._newest.database)
        try:
            with self._shop.readers.use(facts) as database:
                return ask(database)
        except LogDamagedError:
            self.suspects.add(facts.first_seq)
            return unknown


def _facts(one: OpenSegment) -> SegmentFacts:
    return SegmentFacts(
        file=one.database.file,
        header=one.header,
        summary=one.summary,
        size_bytes=one.size_bytes(),
        sealed=False,
    )


def _recv_min_ms(database: Database, seq: int) -> int | None:
    row = database.row("SELECT recv_min FROM batch WHERE seq >= ? ORDER BY seq LIMIT 1", seq)
    return int(row[0]) if row else None
