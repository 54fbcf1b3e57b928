"""SQLite files opened the way the log needs them; its errors in the log's own words.

The only module that imports `apsw`. The log brings its own SQLite by it, because the system's
(3.40.1 on Debian 12) can lose committed transactions when two connections write or checkpoint in
one instant (the WAL-reset bug, fixed in 3.51.3).
"""

import contextlib
from collections.abc import Generator, Iterable
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import apsw

from edge.errors import LogDamagedError, LogError, LogFullError, LogVersionError
from shared.clock import Clock
from shared.logs import get_log

SQLITE_VERSION_MIN = (3, 51, 3)
PAGE_SIZE_BYTES = 8192  # a batch of some hundred samples fits one page
BUSY_TIMEOUT_MS = 5_000  # only a reader of another process can ever hold a lock we wait for
JOURNAL_SIZE_LIMIT_BYTES = 67_108_864  # what a write-ahead log keeps of the disk after a reset
BOOKKEEPING_WAL_MAX_BYTES = 4_194_304  # of meta.db and the quarantine, whose commits are small
QUICK_CHECK_TIMEOUT_S = 20.0  # 128 MB take 0.3 s warm; a slow disk must not hold up the start
_PROGRESS_STEPS = 10_000
# The device gives no data, or too little, for a place that was written before.
_UNREADABLE = frozenset(
    {apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS}
)
_FRAME_SIZE_BYTES = PAGE_SIZE_BYTES + 24  # a page and its header in the write-ahead log

_log = get_log("log")

Row = tuple[Any, ...]
Value = int | float | str | bytes | None


class Checkpoint(IntEnum):
    """How far a checkpoint goes."""

    PASSIVE = apsw.SQLITE_CHECKPOINT_PASSIVE  # what is possible without waiting for readers
    TRUNCATE = apsw.SQLITE_CHECKPOINT_TRUNCATE  # all of it, and empty the write-ahead log


def check_sqlite_version(version: str | None = None) -> None:
    """Refuse a SQLite library that can lose committed transactions.

    ``version`` is for tests; by default the library in use is asked.

    Raises:
        LogVersionError: if it is older than SQLITE_VERSION_MIN.
    """
    found = version or apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")[:3]) < SQLITE_VERSION_MIN:
        wanted = ".".join(str(part) for part in SQLITE_VERSION_MIN)
        raise LogVersionError(
            f"SQLite {found} can lose committed data (WAL-reset bug); {wanted} or later is needed"
        )


class Database:
    """One connection to one file; used by one thread at a time.

    Every method raises LogFullError when there is no space, LogDamagedError when the file's
    content is not what it must be, and LogError for anything else SQLite says.
    """

    def __init__(self, file: Path, connection: apsw.Connection) -> None:
        """Use `open_writer` or `open_reader`; a connection made elsewhere lacks its settings."""
        self.file = file
        self.wal_bytes = 0  # of frames in the write-ahead log, as of the last commit
        self._connection = connection
        connection.set_wal_hook(self._note_wal)

    def execute(self, sql: str, *values: Value) -> None:
        """Run one statement whose result is of no interest."""
        with self._errors():
            self._connection.execute(sql, values)  # pyright: ignore[reportUnknownMemberType] stub needs 3.12's Buffer

    def execute_many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> None:
        """Run one statement for every row; within `transaction`, or each is a commit."""
        with self._errors():
            self._connection.executemany(sql, rows)  # pyright: ignore[reportUnknownMemberType] stub needs 3.12's Buffer

    def rows(self, sql: str, *values: Value) -> list[Row]:
        """Return the whole result."""
        with self._errors():
            return list(self._connection.execute(sql, values))  # pyright: ignore[reportUnknownMemberType] stub needs 3.12's Buffer

    def stream(self, sql: str, *values: Value) -> Generator[Row]:
        """Yield the result row by row; the read transaction ends when the generator is closed."""
        with self._errors():
            cursor = self._connection.execute(sql, values)  # pyright: ignore[reportUnknownMemberType] stub needs 3.12's Buffer
            try:
                yield from cursor
            finally:
                cursor.close(force=True)

    def row(self, sql: str, *values: Value) -> Row | None:
        """Return the first row of the result, or None."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """Commit what the block does, durably, or roll all of it back and raise what it raised."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # some errors make SQLite roll back on its own
                self.execute("ROLLBACK")
            raise

    def size_bytes(self) -> int:
        """Return how large the file is once everything is copied from the write-ahead log."""
        return int(self.rows("PRAGMA page_count")[0][0]) * PAGE_SIZE_BYTES

    def checkpoint(self, mode: Checkpoint) -> bool:
        """Copy the write-ahead log into the file; tell whether all of it was copied."""
        with self._errors():
            try:
                frames, copied = self._connection.wal_checkpoint(mode=mode)
            except apsw.BusyError:
                return False
        if mode is Checkpoint.TRUNCATE:
            self.wal_bytes = 0
        return frames == copied

    def checkpoint_if_large(self) -> None:
        """Empty a write-ahead log of bookkeeping that has grown large.

        What fails is logged and tried after the next commit: the last one is stored, and its
        caller must not take it for failed.
        """
        if self.wal_bytes <= BOOKKEEPING_WAL_MAX_BYTES:
            return
        try:
            self.checkpoint(Checkpoint.TRUNCATE)
        except LogError as error:
            _log.warning("write-ahead log not copied", file=self.file.name, error=str(error))

    def quick_check(self, clock: Clock) -> bool:
        """Check the structure of the whole file; False when QUICK_CHECK_TIMEOUT_S ended it.

        Raises:
            LogDamagedError: naming the first thing wrong.
        """
        deadline_s = clock.monotonic_s() + QUICK_CHECK_TIMEOUT_S
        self._connection.set_progress_handler(
            lambda: clock.monotonic_s() > deadline_s, _PROGRESS_STEPS
        )
        try:
            findings = [str(row[0]) for row in self.rows("PRAGMA quick_check(1)")]
        except LogError as error:
            if isinstance(error.__cause__, apsw.InterruptError):
                return False
            raise
        finally:
            self._connection.set_progress_handler(None)
        if findings != ["ok"]:
            raise LogDamagedError(f"{self.file}: damaged: {'; '.join(findings)[:500]}")
        return True

    def keep_wal_on_close(self) -> None:
        """Leave the file exactly as it is when this connection closes, for later examination."""
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def close(self) -> None:
        """Close the connection; closing twice is no mistake."""
        with self._errors():
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.wal_bytes = pages * _FRAME_SIZE_BYTES
        return apsw.SQLITE_OK

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return _LogErrors(self.file)


def open_writer(file: Path, *, journal_mode: str = "wal") -> Database:
    """Return the one connection that writes and checkpoints ``file``, creating it if missing.

    Every commit on it is on disk when it returns (``synchronous=FULL``).

    Raises:
        LogDamagedError: if it is no database. LogFullError, LogError: as `Database`.
    """
    with _LogErrors(file):
        connection = apsw.Connection(str(file))
        try:
            _configure(connection, journal_mode)
        except BaseException:
            connection.close()
            raise
        return Database(file, connection)


def _configure(connection: apsw.Connection, journal_mode: str) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    for name, setting in (
        ("page_size", PAGE_SIZE_BYTES),
        ("journal_mode", journal_mode),
        ("synchronous", "full"),
        ("journal_size_limit", JOURNAL_SIZE_LIMIT_BYTES),
        ("temp_store", "memory"),
        ("mmap_size", 0),  # a stray write through a map damages the file itself
        ("cell_size_check", "on"),
        ("trusted_schema", "off"),
    ):
        connection.pragma(name, setting)  # pyright: ignore[reportUnknownMemberType] stub needs 3.12's Buffer
    connection.wal_autocheckpoint(0)


def open_reader(file: Path, *, immutable: bool = False) -> Database:
    """Return a read-only connection; ``immutable`` for a file that nobody will write any more.

    Raises:
        LogError: if it is missing or cannot be read.
    """
    address = f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    with _LogErrors(file):
        connection = apsw.Connection(
            address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # It could not checkpoint, but closing would ask for the lock, which its descriptor cannot
        # have: an error of the disk, as far as SQLite can tell.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        return Database(file, connection)


def typed_row(file: Path, row: Row, types: tuple[type, ...]) -> Row:
    """Return ``row`` if its columns are of these types: damage can give NULL in any of them.

    Raises:
        LogDamagedError: if they are not.
    """
    if tuple(map(type, row)) != types:
        raise LogDamagedError(f"{file}: damaged: a row has columns of other types")
    return row


class _LogErrors:
    # No generator: one would cost 2 µs at each statement.
    __slots__ = ("_file",)

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case apsw.FullError():
                raise LogFullError(f"{self._file}: no space left on the disk") from error
            # SQLError: a table or column is not there, in a file that says it has it.
            case apsw.CorruptError() | apsw.NotADBError() | apsw.SQLError():
                raise LogDamagedError(f"{self._file}: damaged: {error}") from error
            case apsw.IOError() if getattr(error, "extendedresult", None) in _UNREADABLE:
                raise LogDamagedError(f"{self._file}: damaged: cannot be read: {error}") from error
            case UnicodeDecodeError():  # a text that nobody wrote
                raise LogDamagedError(f"{self._file}: damaged: {error}") from error
            case apsw.Error():
                raise LogError(f"{self._file}: {type(error).__name__}: {error}") from error
            case _:
                return
