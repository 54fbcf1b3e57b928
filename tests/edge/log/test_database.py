"""SQLite as the log uses it."""

from pathlib import Path

import pytest

from edge.errors import LogDamagedError, LogError, LogFullError, LogVersionError
from edge.log.database import Checkpoint, Database, check_sqlite_version, open_reader, open_writer
from edge.log.formats import FileFormat, check_format, open_or_create
from tests.support.clocks import HandClock

FORM = FileFormat("test file", 0x48465454, 2, "CREATE TABLE t(a INTEGER) STRICT")


def insert_numbers(database: Database, count: int) -> None:
    with database.transaction():
        database.execute_many("INSERT INTO t VALUES(?)", [(n,) for n in range(count)])


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.0"])
def test_a_sqlite_that_can_lose_commits_is_refused(version: str) -> None:
    with pytest.raises(LogVersionError, match=r"WAL-reset bug.*3\.51\.3"):
        check_sqlite_version(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.54.1", "4.0.0"])
def test_a_safe_sqlite_is_accepted(version: str) -> None:
    check_sqlite_version(version)


def test_every_commit_is_on_disk(tmp_path: Path) -> None:
    with open_writer(tmp_path / "t.db") as database:
        settings = {
            name: database.rows(f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "synchronous", "page_size", "wal_autocheckpoint")
        }
    assert settings == {
        "journal_mode": "wal", "synchronous": 2, "page_size": 8192, "wal_autocheckpoint": 0
    }  # fmt: skip


def test_what_fails_is_rolled_back_whole(tmp_path: Path) -> None:
    with open_writer(tmp_path / "t.db") as database:
        database.execute("CREATE TABLE t(a INTEGER) STRICT")
        with pytest.raises(LogError, match="ConstraintError"), database.transaction():
            database.execute_many("INSERT INTO t VALUES(?)", [(1,), ("x",)])
        assert database.rows("SELECT * FROM t") == []


def test_no_space_is_its_own_error_and_passes(tmp_path: Path) -> None:
    with open_writer(tmp_path / "t.db") as database:
        database.execute("CREATE TABLE t(a BLOB) STRICT")
        database.execute("PRAGMA max_page_count = 8")
        with pytest.raises(LogFullError):
            database.execute("INSERT INTO t VALUES(zeroblob(100000))")
        database.execute("PRAGMA max_page_count = 1000")
        database.execute("INSERT INTO t VALUES(zeroblob(100000))")


def test_a_reader_cannot_write_and_sees_what_is_committed(tmp_path: Path) -> None:
    file = tmp_path / "t.db"
    with open_writer(file) as database:
        database.execute("CREATE TABLE t(a INTEGER) STRICT")
        with open_reader(file) as reader:
            database.execute("INSERT INTO t VALUES(1)")
            assert reader.row("SELECT a FROM t") == (1,)
            with pytest.raises(LogError, match="ReadOnlyError"):
                reader.execute("DELETE FROM t")


def test_a_reader_with_a_transaction_open_holds_up_no_commit(tmp_path: Path) -> None:
    file = tmp_path / "t.db"
    with open_writer(file) as database:
        database.execute("CREATE TABLE t(a INTEGER) STRICT")
        insert_numbers(database, 10)
        with open_reader(file) as reader:
            rows = reader.stream("SELECT a FROM t")
            assert next(rows) == (0,)
            database.execute("INSERT INTO t VALUES(10)")
            assert not database.checkpoint(Checkpoint.PASSIVE)
            assert len(list(rows)) == 9  # as of the beginning of the read
        assert database.checkpoint(Checkpoint.TRUNCATE)


@pytest.mark.parametrize("place", [0, 100, 8_192])
def test_damage_is_found_and_named(tmp_path: Path, place: int) -> None:
    file = tmp_path / "t.db"
    with open_or_create(file, FORM, HandClock()) as database:
        insert_numbers(database, 3_000)
    content = bytearray(file.read_bytes())
    content[place : place + 16] = b"\xa5" * 16
    file.write_bytes(content)
    with pytest.raises(LogDamagedError, match=r"t\.db"):
        open_or_create(file, FORM, HandClock())


def test_another_kind_of_file_and_a_newer_version_are_told_apart(tmp_path: Path) -> None:
    newer = FileFormat("test file", FORM.application_id, 3, FORM.schema)
    open_or_create(tmp_path / "newer.db", newer, HandClock()).close()
    with pytest.raises(LogVersionError, match="format 3"):
        open_or_create(tmp_path / "newer.db", FORM, HandClock())
    other = FileFormat("other", 0x1234, 1, FORM.schema)
    open_or_create(tmp_path / "other.db", other, HandClock()).close()
    with (
        open_reader(tmp_path / "other.db") as database,
        pytest.raises(LogDamagedError, match="not a test file"),
    ):
        check_format(database, FORM)


def test_an_empty_file_left_by_an_interruption_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "t.db").touch()
    with open_or_create(tmp_path / "t.db", FORM, HandClock()) as database:
        assert database.rows("SELECT * FROM t") == []


def test_a_check_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    class RunningClock(HandClock):
        def monotonic_s(self) -> float:
            self.advance_s(100.0)
            return super().monotonic_s()

    with open_writer(tmp_path / "t.db") as database:
        database.execute("CREATE TABLE t(a INTEGER) STRICT")
        insert_numbers(database, 100_000)
        assert not database.quick_check(RunningClock())
        assert database.quick_check(HandClock())


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"nothing\.db"):
        open_reader(tmp_path / "nothing.db")
