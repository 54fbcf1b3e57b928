"""What kind of file a database is and which version wrote it. Owns the check, not the tables."""

from dataclasses import dataclass
from pathlib import Path

from edge.errors import LogDamagedError, LogVersionError
from edge.log.database import Database, open_writer
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class FileFormat:
    """One kind of file: its mark, its newest version and the tables of that version."""

    what: str
    application_id: int
    version: int
    schema: str


def create_tables(database: Database, form: FileFormat) -> None:
    """Make the tables of ``form`` in an empty file, all or nothing."""
    with database.transaction():
        for statement in form.schema.split(";"):
            if statement.strip():
                database.execute(statement)
        database.execute(f"PRAGMA application_id = {form.application_id}")
        database.execute(f"PRAGMA user_version = {form.version}")


def is_empty(database: Database) -> bool:
    """Tell whether nothing was ever committed to the file."""
    return not database.rows("SELECT 1 FROM sqlite_schema LIMIT 1")


def check_format(database: Database, form: FileFormat) -> None:
    """Make sure that the file is of this kind.

    Raises:
        LogDamagedError: if it is something else. LogVersionError: if a newer version wrote it.
    """
    if database.rows("PRAGMA application_id")[0][0] != form.application_id:
        raise LogDamagedError(f"{database.file}: damaged: not a {form.what} of this program")
    version = database.rows("PRAGMA user_version")[0][0]
    if version > form.version:
        raise LogVersionError(
            f"{database.file}: format {version} was written by a newer version; "
            f"this one reads up to {form.version}"
        )


def open_or_create(file: Path, form: FileFormat, clock: Clock) -> Database:
    """Return the file open for writing: made if missing or empty, checked whole if not.

    Raises:
        LogDamagedError: if it cannot be read; move it away and call again.
        LogVersionError: if a newer version wrote it.
    """
    database = open_writer(file)
    try:
        if is_empty(database):
            create_tables(database, form)
        else:
            check_format(database, form)
            database.quick_check(clock)
    except BaseException:
        database.keep_wal_on_close()
        database.close()
        raise
    return database
