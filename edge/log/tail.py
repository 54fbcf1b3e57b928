"""The table of recently seen device messages inside a segment: adding, merging, pruning, reading.

Owns the rows; `edge.log.recent` owns their bytes. Small rows are merged now and then, and rows
beyond what must be remembered are deleted, so that reading it at start stays short.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from edge.errors import LogDamagedError
from edge.log.database import Database
from edge.log.recent import (
    MESSAGES_MAX,
    MESSAGES_MIN,
    Columns,
    decode_tail,
    encode_tail,
    merge_tails,
)
from edge.log.records import INT64_MAX

# Reading so many rows takes about 10 ms. A row of as many messages or more is left alone: there can
# be only few of them.
ROWS_PER_MERGE = 512


@dataclass(frozen=True, slots=True)
class _TailRow:
    ix: int
    n: int


class TailTable:
    """The tail of one open segment; errors as `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = [
            _TailRow(*row) for row in database.rows("SELECT ix, n FROM recent ORDER BY ix")
        ]
        self._messages = sum(row.n for row in self._rows)
        self._next_ix = self._rows[-1].ix + 1 if self._rows else 1

    def insert(self, n: int, body: bytes) -> None:
        """Add ``n`` encoded messages inside a transaction of the caller."""
        self._database.execute("INSERT INTO recent VALUES(?, ?, ?)", self._next_ix, n, body)

    def note_inserted(self, n: int) -> None:
        """Count what `insert` added, once its transaction is committed."""
        self._rows.append(_TailRow(self._next_ix, n))
        self._messages += n
        self._next_ix += 1

    def maintain(self) -> None:
        """Merge and prune where it is due; otherwise it costs nothing."""
        run = self._small_run()
        if len(run) >= ROWS_PER_MERGE:
            self._merge(run)
        if self._messages > MESSAGES_MAX:
            self._prune()

    @property
    def next_ix(self) -> int:
        """The number of the row that is added next."""
        return self._next_ix

    def encoded(self) -> Iterator[tuple[int, bytes]]:
        """Yield the rows as (number of messages, bytes), oldest first."""
        yield from self._database.stream("SELECT n, body FROM recent ORDER BY ix")  # pyright: ignore[reportReturnType] STRICT tables guarantee the types

    def _small_run(self) -> list[_TailRow]:
        """Return the small rows at the end, newest first."""
        run: list[_TailRow] = []
        for row in reversed(self._rows[-ROWS_PER_MERGE:]):
            if row.n >= ROWS_PER_MERGE:
                break
            run.append(row)
        return run

    def _merge(self, run: list[_TailRow]) -> None:
        first_ix, last_ix = run[-1].ix, run[0].ix
        merged = read_tail(self._database, first_ix)
        messages = merged.shape[1]
        with self._database.transaction():
            self._database.execute("DELETE FROM recent WHERE ix >= ?", first_ix)
            self._database.execute(
                "INSERT INTO recent VALUES(?, ?, ?)", last_ix, messages, encode_tail(merged)
            )
        self._messages += messages - sum(row.n for row in run)
        self._rows[-len(run) :] = [_TailRow(last_ix, messages)]

    def _prune(self) -> None:
        kept, index = self._messages, 0
        while kept - self._rows[index].n >= MESSAGES_MIN:
            kept -= self._rows[index].n
            index += 1
        if index:
            self._database.execute("DELETE FROM recent WHERE ix < ?", self._rows[index].ix)
            del self._rows[:index]
            self._messages = kept


def read_tail(database: Database, first_ix: int = 0, end_ix: int = INT64_MAX) -> Columns:
    """Return the messages of these rows, oldest first; what cannot be read is left out.

    Losing part of the tail can at worst let a redelivered message be stored twice, and only when
    the file was damaged as well: no reason to stop.
    """
    parts: list[Columns] = []
    for (body,) in database.rows(
        "SELECT body FROM recent WHERE ix >= ? AND ix < ? ORDER BY ix", first_ix, end_ix
    ):
        with contextlib.suppress(LogDamagedError):
            parts.append(decode_tail(bytes(body or b"")))
    return merge_tails(parts)
