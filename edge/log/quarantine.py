"""quarantine.db: the messages that were not accepted, bounded, readable by another process.

The writer thread adds; anyone may read. The oldest entries make room for new ones, and what was
removed stays counted by reason for ever.
"""

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.errors import LogError
from edge.log.database import Checkpoint, Database, open_reader
from edge.log.formats import FileFormat, check_format, open_or_create
from edge.log.layout import Layout, exists
from edge.log.records import INT64_MAX, INT64_MIN, QuarantineEntry
from shared.clock import Clock

LIST_LIMIT_MAX = 1_000
LIST_PAYLOAD_MAX_BYTES = 512  # a list shows how a message begins; `show_entry` gives all of it
_TEXT_LENGTH_MAX = 1_024  # of topic, field and detail: enough to recognise any of them
_ENTRY_OVERHEAD_BYTES = 160  # fixed fields and what SQLite needs around them
_COLUMNS = "id, at_ms, topic, reason, field, detail, payload, size_bytes, sha256"


_FORMAT = FileFormat(
    what="quarantine",
    application_id=0x48465155,  # "HFQU"
    version=1,
    schema="""
CREATE TABLE entry(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL,
    topic TEXT NOT NULL, reason TEXT NOT NULL, field TEXT NOT NULL, detail TEXT NOT NULL,
    payload BLOB NOT NULL, size_bytes INTEGER NOT NULL, sha256 BLOB NOT NULL) STRICT;
CREATE TABLE counted(reason TEXT PRIMARY KEY, entries INTEGER NOT NULL,
    evicted INTEGER NOT NULL) STRICT;
""",
)


@dataclass(frozen=True, slots=True)
class QuarantineLimits:
    """How much the quarantine may hold."""

    entries_max: int
    size_max_bytes: int
    payload_max_bytes: int


@dataclass(frozen=True, slots=True)
class QuarantineCounts:
    """Entries ever and entries removed to make room, by reason; and what is held now."""

    entered: Mapping[str, int]
    evicted: Mapping[str, int]
    entries: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Held:
    id: int
    reason: str
    size_bytes: int


class Quarantine:
    """The file open for writing; used by the writer thread. Errors as `Database`."""

    def __init__(self, database: Database, limits: QuarantineLimits) -> None:
        self._database = database
        self._limits = limits
        self._held = deque(
            _Held(*row)
            for row in database.rows(
                "SELECT id, reason, length(payload) + length(topic) + length(detail) + ?"
                " FROM entry ORDER BY id",
                _ENTRY_OVERHEAD_BYTES,
            )
        )
        self._size_bytes = sum(one.size_bytes for one in self._held)
        self.counts = _read_counts(database, len(self._held), self._size_bytes)

    def add(self, entries: Sequence[QuarantineEntry]) -> None:
        """Store the entries, the oldest held making room; durable when it returns.

        On any error nothing of it is stored; ValueError if an entry cannot be.
        """
        try:
            kept = [_trimmed(entry, self._limits.payload_max_bytes) for entry in entries]
        except (TypeError, AttributeError) as error:
            raise ValueError(f"quarantine entry: {error}") from error
        fresh: list[_Held] = []
        with self._database.transaction():
            for entry in kept:
                entry_id = self._insert(entry)
                fresh.append(_Held(entry_id, entry.reason, _size_bytes(entry)))
            evicted = self._over_limit(fresh)
            if evicted:
                self._database.execute("DELETE FROM entry WHERE id <= ?", evicted[-1].id)
            self._count(fresh, evicted)
        self._held.extend(fresh)
        for _ in evicted:
            self._held.popleft()
        self._size_bytes += sum(one.size_bytes for one in fresh)
        self._size_bytes -= sum(one.size_bytes for one in evicted)
        # It is stored: whatever fails from here on must not make the caller give it again.
        self.counts = QuarantineCounts(
            entered=_more(self.counts.entered, fresh),
            evicted=_more(self.counts.evicted, evicted),
            entries=len(self._held),
            size_bytes=self._size_bytes,
        )
        self._database.checkpoint_if_large()

    def close(self) -> None:
        """Write everything into the file itself and close it."""
        self._database.checkpoint(Checkpoint.TRUNCATE)
        self._database.close()

    def _insert(self, entry: QuarantineEntry) -> int:
        row = self._database.row(
            "INSERT INTO entry(at_ms, topic, reason, field, detail, payload, size_bytes, sha256)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            entry.at_ms,
            entry.topic,
            entry.reason,
            entry.field,
            entry.detail,
            entry.payload,
            entry.size_bytes,
            entry.sha256,
        )
        if row is None:
            raise LogError(f"{self._database.file}: an entry was not stored")
        return int(row[0])

    def _over_limit(self, fresh: Sequence[_Held]) -> list[_Held]:
        """Return what must go for ``fresh`` to be held, oldest first; maybe some of it, too."""
        count = len(self._held) + len(fresh)
        size_bytes = self._size_bytes + sum(one.size_bytes for one in fresh)
        gone: list[_Held] = []
        for one in (*self._held, *fresh):
            if count <= self._limits.entries_max and size_bytes <= self._limits.size_max_bytes:
                break
            gone.append(one)
            count -= 1
            size_bytes -= one.size_bytes
        return gone

    def _count(self, fresh: Sequence[_Held], evicted: Sequence[_Held]) -> None:
        for held, entries, gone in ((fresh, 1, 0), (evicted, 0, 1)):
            for one in held:
                self._database.execute(
                    "INSERT INTO counted VALUES(?, ?, ?) ON CONFLICT(reason) DO UPDATE SET"
                    " entries = entries + excluded.entries, evicted = evicted + excluded.evicted",
                    one.reason,
                    entries,
                    gone,
                )


class QuarantineReader:
    """Reads the quarantine, also while another process writes it; errors as `Database`."""

    def __init__(self, database: Database) -> None:
        """Use `open_quarantine_reader`."""
        self._database = database

    def list_entries(self, limit: int, reason: str | None = None) -> list[QuarantineEntry]:
        """Return up to ``limit`` (at most LIST_LIMIT_MAX) entries, newest first.

        Payloads are cut to LIST_PAYLOAD_MAX_BYTES.
        """
        rows = self._database.rows(
            "SELECT id, at_ms, topic, reason, field, detail, coalesce(substr(payload, 1, ?), x''),"
            " size_bytes, sha256 FROM entry WHERE ? IS NULL OR reason = ? ORDER BY id DESC LIMIT ?",
            LIST_PAYLOAD_MAX_BYTES,
            reason,
            reason,
            max(0, min(limit, LIST_LIMIT_MAX)),
        )
        return [_entry(row) for row in rows]

    def show_entry(self, entry_id: int) -> QuarantineEntry | None:
        """Return one entry with all of its payload that was kept, or None."""
        row = self._database.row(f"SELECT {_COLUMNS} FROM entry WHERE id = ?", entry_id)  # noqa: S608 a literal of this module
        return _entry(row) if row else None

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def open_quarantine(file: Path, limits: QuarantineLimits, clock: Clock) -> Quarantine:
    """Return the file open for writing; errors as `open_or_create`."""
    return Quarantine(open_or_create(file, _FORMAT, clock), limits)


def open_quarantine_reader(state_dir: Path) -> QuarantineReader:
    """Return a reader of the quarantine under ``state_dir``; the edge may be running or not.

    Raises:
        LogError: if there is none, or it cannot be read.
    """
    file = Layout(state_dir).quarantine_file
    if not exists(file):
        raise LogError(f"{file}: no quarantine here; is this the edge's state_dir?")
    database = open_reader(file)
    try:
        check_format(database, _FORMAT)
    except BaseException:
        database.close()
        raise
    return QuarantineReader(database)


def _read_counts(database: Database, entries: int, size_bytes: int) -> QuarantineCounts:
    rows = database.rows("SELECT reason, entries, evicted FROM counted ORDER BY reason")
    return QuarantineCounts(
        entered={reason: count for reason, count, _ in rows},
        evicted={reason: gone for reason, _, gone in rows if gone},
        entries=entries,
        size_bytes=size_bytes,
    )


def _more(counted: Mapping[str, int], held: Sequence[_Held]) -> dict[str, int]:
    more = dict(counted)
    for one in held:
        more[one.reason] = more.get(one.reason, 0) + 1
    return more


def _trimmed(entry: QuarantineEntry, payload_max_bytes: int) -> QuarantineEntry:
    if not INT64_MIN <= entry.at_ms <= INT64_MAX or not 0 <= entry.size_bytes <= INT64_MAX:
        raise ValueError("quarantine entry: at_ms and size_bytes must fit 64 bits")
    known = bool(entry.sha256)
    return replace(
        entry,
        topic=_storable(entry.topic),
        reason=_storable(entry.reason),
        field=_storable(entry.field),
        detail=_storable(entry.detail),
        payload=bytes(entry.payload[:payload_max_bytes]),
        size_bytes=entry.size_bytes if known else len(entry.payload),
        sha256=entry.sha256 if known else hashlib.sha256(entry.payload).digest(),
    )


def _storable(text: str) -> str:
    """Return ``text`` cut, and with surrogates, which UTF-8 cannot hold, written as escapes."""
    cut = text[:_TEXT_LENGTH_MAX]
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")


def _size_bytes(entry: QuarantineEntry) -> int:
    return len(entry.payload) + len(entry.topic) + len(entry.detail) + _ENTRY_OVERHEAD_BYTES


def _entry(row: Sequence[Any]) -> QuarantineEntry:
    entry_id, at_ms, topic, reason, field, detail, payload, size_bytes, sha256 = row
    return QuarantineEntry(
        id=entry_id,
        at_ms=at_ms,
        topic=topic,
        reason=reason,
        field=field,
        detail=detail,
        payload=payload,
        size_bytes=size_bytes,
        sha256=sha256,
    )
