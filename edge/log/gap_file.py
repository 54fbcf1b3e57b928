"""gaps.db: the declared gaps, bounded, readable by another process. One thread at a time writes.

What is written is durable when the call returns. Writing the same twice changes nothing: a crash
between a gap and the batch behind it makes the gap known again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from edge.errors import LogDamagedError, LogError
from edge.log.database import Checkpoint, Database, Row, open_reader
from edge.log.declared import (
    GAPS_MAX,
    DeclaredGap,
    GapReason,
    Recovered,
    merge_oldest,
    record_of_gap,
    record_of_recovery,
    without,
)
from edge.log.formats import FileFormat, check_format, open_or_create
from edge.log.layout import Layout, exists, make_folders, move_to_damaged
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.records import MessageGapRecord, decode_records, encode_records

FILE_NAME: Final = "gaps.db"
LIST_LIMIT_MAX: Final = 1_000
OWED_READ_MAX: Final = 500  # records: 0.1 MB
_DROPPED: Final = "broker_dropped"
_COLUMNS: Final = (
    "reason, topic, first_seq, last_seq, missing, from_ms, until_ms, declared_ms, merged"
)
_FORMAT = FileFormat(
    what="list of gaps",
    application_id=0x48464741,  # "HFGA"
    version=1,
    schema="""
CREATE TABLE gap(id INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, topic TEXT NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, missing INTEGER NOT NULL,
    from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, declared_ms INTEGER NOT NULL,
    merged INTEGER NOT NULL) STRICT;
CREATE INDEX gap_of_topic ON gap(topic);
CREATE TABLE owed(id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL) STRICT;
CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;
""",
)
_log = get_log("gaps")


class Owed(NamedTuple):
    """Records that central is to be told; ``until_id`` is the place of the last, 0 for none."""

    until_id: int
    records: tuple[MessageGapRecord, ...]


class GapFile:
    """The file open for writing. Errors as `Database`."""

    def __init__(self, database: Database) -> None:
        """Use `open_gap_file`."""
        self._database = database
        self.missing = _missing(database)  # messages, by reason

    def declare(
        self, gaps: Sequence[DeclaredGap], recovered: Sequence[Recovered]
    ) -> list[DeclaredGap]:
        """Store ``gaps``, take back what has ``recovered``; return the gaps that are new."""
        with self._database.transaction():
            fresh = [gap for gap in gaps if not self._is_known(gap)]
            for gap in fresh:
                self._insert(gap)
                self._owe(record_of_gap(gap))
            for one in recovered:
                if self._take_back(one):
                    self._owe(record_of_recovery(one))
            self._merge()
        self._settle()
        return fresh

    def note_dropped(self, count: int, now_ms: int) -> list[DeclaredGap]:
        """Take the broker's own count of messages it dropped; declare by how much it has grown.

        It grows until the broker is started anew. What it was when it was noted last is kept here,
        so that no drop is declared twice, and none that happened while the edge was off is missed.
        """
        row = self._database.row("SELECT value, at_ms FROM counter WHERE name = ?", _DROPPED)
        before, since_ms = (0, 0) if row is None else (int(row[0]), int(row[1]))
        grown = count - before if count >= before else count
        gap = DeclaredGap(
            reason=GapReason.BROKER_DROPPED,
            topic="",
            first_seq=0,
            last_seq=0,
            missing=grown,
            from_ms=since_ms,
            until_ms=now_ms,
            declared_ms=now_ms,
        )
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO counter VALUES(?, ?, ?) ON CONFLICT(name) DO UPDATE"
                " SET value = excluded.value, at_ms = excluded.at_ms",
                _DROPPED,
                count,
                now_ms,
            )
            if grown:
                self._insert(gap)
                self._owe(record_of_gap(gap))
                self._merge()
        self._settle()
        return [gap] if grown else []

    def close(self) -> None:
        """Write everything into the file itself and close it."""
        self._database.checkpoint(Checkpoint.TRUNCATE)
        self._database.close()

    def _is_known(self, gap: DeclaredGap) -> bool:
        if gap.reason is not GapReason.SEQUENCE_GAP:
            return False
        # By what came before it: of the gap itself a part may have arrived meanwhile.
        found = self._database.row(
            "SELECT 1 FROM gap WHERE topic = ? AND reason = ? AND from_ms = ?"
            " AND first_seq >= ? AND last_seq <= ?",
            gap.topic,
            gap.reason.value,
            gap.from_ms,
            gap.first_seq,
            gap.last_seq,
        )
        return found is not None

    def _insert(self, gap: DeclaredGap) -> None:
        self._database.execute(
            f"INSERT INTO gap({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            gap.reason.value,
            gap.topic,
            gap.first_seq,
            gap.last_seq,
            gap.missing,
            gap.from_ms,
            gap.until_ms,
            gap.declared_ms,
            gap.merged,
        )

    def owed(self) -> Owed:
        """Return what central is still to be told, the oldest first, as much as fits a batch."""
        rows = self._database.rows("SELECT id, body FROM owed ORDER BY id LIMIT ?", OWED_READ_MAX)
        records = [record for _, body in rows for record in decode_records(body)]
        known = tuple(one for one in records if isinstance(one, MessageGapRecord))
        return Owed(int(rows[-1][0]) if rows else 0, known)

    def forget_owed(self, until_id: int) -> None:
        """Note that everything up to ``until_id`` is in the log, on its way to central."""
        self._database.execute("DELETE FROM owed WHERE id <= ?", until_id)
        self._settle()

    def _owe(self, record: MessageGapRecord) -> None:
        self._database.execute("INSERT INTO owed(body) VALUES(?)", encode_records([record]))

    def _take_back(self, one: Recovered) -> bool:
        row = self._database.row(
            f"SELECT id, {_COLUMNS} FROM gap WHERE topic = ? AND first_seq <= ? AND last_seq >= ?"  # noqa: S608 a literal of this module
            " AND reason = ? ORDER BY id DESC LIMIT 1",
            one.topic,
            one.seq,
            one.seq,
            GapReason.SEQUENCE_GAP.value,
        )
        if row is not None:
            self._database.execute("DELETE FROM gap WHERE id = ?", row[0])
            for rest in without(_gap(row[1:]), one.seq):
                self._insert(rest)
        return row is not None

    def _merge(self) -> None:
        if self._database.rows("SELECT count(*) FROM gap")[0][0] <= GAPS_MAX:
            return
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM gap ORDER BY id")  # noqa: S608 a literal of this module
        self._database.execute("DELETE FROM gap")
        for gap in merge_oldest([_gap(row) for row in rows], GAPS_MAX):
            self._insert(gap)

    def _settle(self) -> None:
        self.missing = _missing(self._database)
        self._database.checkpoint_if_large()


def open_gap_file(state_dir: Path, clock: Clock) -> GapFile:
    """Return the file open for writing; one that is damaged is moved aside and begun anew.

    Raises:
        LogError: if it cannot be used at all.
    """
    layout = Layout(state_dir)
    make_folders(layout)
    file = layout.log_dir / FILE_NAME
    try:
        return GapFile(open_or_create(file, _FORMAT, clock))
    except LogDamagedError as error:
        moved = move_to_damaged(file, layout)
        _log.error("the list of gaps is damaged", moved_to=str(moved), error=str(error))
        return GapFile(open_or_create(file, _FORMAT, clock))


def read_gaps(state_dir: Path, limit: int) -> list[DeclaredGap]:
    """Return up to ``limit`` (at most LIST_LIMIT_MAX) gaps, newest first; the edge may be running.

    Raises:
        LogError: if there is no such file, or it cannot be read.
    """
    file = Layout(state_dir).log_dir / FILE_NAME
    if not exists(file):
        raise LogError(f"{file}: no list of gaps here; is this the edge's state_dir?")
    with open_reader(file) as database:
        check_format(database, _FORMAT)
        rows = database.rows(
            f"SELECT {_COLUMNS} FROM gap ORDER BY id DESC LIMIT ?",  # noqa: S608 a literal of this module
            max(0, min(limit, LIST_LIMIT_MAX)),
        )
        return [_gap(row) for row in rows]


def _missing(database: Database) -> Mapping[str, int]:
    return {
        reason: int(count)
        for reason, count in database.rows("SELECT reason, sum(missing) FROM gap GROUP BY reason")
    }


def _gap(row: Row) -> DeclaredGap:
    reason, topic, first_seq, last_seq, missing, from_ms, until_ms, declared_ms, merged = row
    return DeclaredGap(
        reason=GapReason(reason),
        topic=topic,
        first_seq=first_seq,
        last_seq=last_seq,
        missing=missing,
        from_ms=from_ms,
        until_ms=until_ms,
        declared_ms=declared_ms,
        merged=merged,
    )
