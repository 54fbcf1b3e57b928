"""meta.db: what central has acknowledged, what is lost, the session. A cache beside the segments.

Everything here can be missing: acknowledgements then start from nothing (central knows what it
holds), and the segments give the rest. Owns the file; decides nothing.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edge.log.database import Checkpoint, Database
from edge.log.formats import FileFormat, open_or_create
from edge.log.records import LostRange
from edge.log.series_rows import SERIES_TABLE, SeriesRow, insert_series, read_series
from edge.log.tally import Tally
from shared.clock import Clock
from shared.sync.ranges import Ranges

_FORMAT = FileFormat(
    what="meta file",
    application_id=0x48464D44,  # "HFMD"
    version=1,
    schema="""
CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE acked(lane INTEGER, first INTEGER, last INTEGER NOT NULL, crc32 INTEGER NOT NULL,
    PRIMARY KEY(lane, first)) STRICT, WITHOUT ROWID;
CREATE TABLE settled(lane INTEGER, first_seq INTEGER, batches INTEGER NOT NULL,
    samples INTEGER NOT NULL, body_bytes INTEGER NOT NULL, PRIMARY KEY(lane, first_seq))
    STRICT, WITHOUT ROWID;
CREATE TABLE lost(lane INTEGER, first INTEGER, last INTEGER NOT NULL, reason TEXT NOT NULL,
    detected_ms INTEGER NOT NULL, PRIMARY KEY(lane, first, last)) STRICT, WITHOUT ROWID;
CREATE TABLE reserved(lane INTEGER PRIMARY KEY, seq INTEGER NOT NULL, newest INTEGER NOT NULL)
    STRICT;
"""
    + SERIES_TABLE,
)


class Reserved(NamedTuple):
    """Numbers that may be in use: up to ``seq``, in segments up to the one at this number."""

    seq: int
    newest_first_seq: int


class Meta:
    """The open file; writes are on disk when a method returns. Errors as `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settings(self) -> dict[str, str]:
        """Return everything set by `set_settings`."""
        rows = self._database.rows("SELECT name, value FROM setting")
        return {str(name): str(value) for name, value in rows}

    def set_settings(self, settings: Mapping[str, str]) -> None:
        """Set these names, leaving the others."""
        with self._database.transaction():
            self._database.execute_many(
                "INSERT OR REPLACE INTO setting(name, value) VALUES(?, ?)", settings.items()
            )
        self._database.checkpoint_if_large()

    def acked(self, lane: int) -> Ranges:
        """Return what central holds of ``lane``."""
        rows = self._database.rows("SELECT first, last, crc32 FROM acked WHERE lane = ?", lane)
        # A changed bit must not let a batch go that central does not hold.
        return Ranges.of(
            *(
                (first, last)
                for first, last, crc32 in rows
                if crc32 == _span_crc32(lane, first, last) and first <= last
            )
        )

    def settled(self, lane: int) -> dict[int, Tally]:
        """Return by first sequence number how much of each segment is settled."""
        rows = self._database.rows(
            "SELECT first_seq, batches, samples, body_bytes FROM settled WHERE lane = ?", lane
        )
        return {int(first_seq): Tally(*counts) for first_seq, *counts in rows}

    def set_acked(self, lane: int, old: Ranges, new: Ranges, settled: Mapping[int, Tally]) -> None:
        """Replace ``old``, which must be what is stored, by ``new``; and set these tallies."""
        gone = set(old.spans) - set(new.spans)
        fresh = set(new.spans) - set(old.spans)
        with self._database.transaction():
            self._database.execute_many(
                "DELETE FROM acked WHERE lane = ? AND first = ?",
                [(lane, first) for first, _ in gone],
            )
            self._database.execute_many(
                "INSERT OR REPLACE INTO acked VALUES(?, ?, ?, ?)",
                [(lane, first, last, _span_crc32(lane, first, last)) for first, last in fresh],
            )
            self._database.execute_many(
                "INSERT OR REPLACE INTO settled VALUES(?, ?, ?, ?, ?)",
                [
                    (lane, first_seq, tally.batches, tally.samples, tally.body_bytes)
                    for first_seq, tally in settled.items()
                ],
            )
        self._database.checkpoint_if_large()

    def forget_segments(self, lane: int, first_seqs: Iterable[int]) -> None:
        """Drop the tallies of segments that are gone."""
        with self._database.transaction():
            self._database.execute_many(
                "DELETE FROM settled WHERE lane = ? AND first_seq = ?",
                [(lane, first_seq) for first_seq in first_seqs],
            )

    def lost(self) -> tuple[LostRange, ...]:
        """Return every loss ever recorded, oldest first."""
        rows = self._database.rows(
            "SELECT lane, first, last, reason, detected_ms FROM lost ORDER BY detected_ms, first"
        )
        return tuple(LostRange(*row) for row in rows)

    def record_lost(self, losses: Sequence[LostRange]) -> None:
        """Keep these losses for ever."""
        if not losses:
            return
        with self._database.transaction():
            self._database.execute_many(
                "INSERT OR IGNORE INTO lost VALUES(?, ?, ?, ?, ?)",
                [
                    (one.lane, one.first_seq, one.last_seq, one.reason, one.detected_ms)
                    for one in losses
                ],
            )

    def reserved(self, lane: int) -> Reserved:
        """Return how far numbers of ``lane`` may have been used; zeros when nothing is known."""
        row = self._database.row("SELECT seq, newest FROM reserved WHERE lane = ?", lane)
        return Reserved(*row) if row else Reserved(0, 0)

    def reserve(self, lane: int, seq: int, newest_first_seq: int) -> None:
        """Remember that numbers up to ``seq`` may be in use from now on, and the newest segment."""
        self._database.execute(
            "INSERT OR REPLACE INTO reserved VALUES(?, ?, ?)", lane, seq, newest_first_seq
        )

    def series(self) -> list[SeriesRow]:
        """Return the second copy of the catalogue, in order."""
        return read_series(self._database)

    def add_series(self, rows: Iterable[SeriesRow]) -> None:
        """Add to the second copy of the catalogue; what is there already stays."""
        with self._database.transaction():
            insert_series(self._database, rows)

    def close(self) -> None:
        """Write everything into the file itself and close it."""
        self._database.checkpoint(Checkpoint.TRUNCATE)
        self._database.close()

    def abandon(self) -> None:
        """Close without writing, after an error."""
        self._database.close()


def open_meta(file: Path, clock: Clock) -> Meta:
    """Return the file, created if missing, checked if not.

    Raises:
        LogDamagedError: if it cannot be read; move it away and open a new one.
        LogVersionError: if a newer version wrote it.
    """
    return Meta(open_or_create(file, _FORMAT, clock))


def _span_crc32(lane: int, first: int, last: int) -> int:
    return zlib.crc32(f"{lane} {first} {last}".encode())
