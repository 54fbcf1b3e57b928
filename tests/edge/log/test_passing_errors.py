"""Errors of the disk that pass, outside of any commit: the log goes on by itself."""

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge.errors import LogError, LogFullError
from edge.log import ballast as ballast_module
from edge.log import database as database_module
from edge.log import store as store_module
from edge.log.ballast import BALLAST_SIZE_BYTES, Ballast
from edge.log.database import Database
from edge.log.lane import LaneLog
from edge.log.layout import Layout, is_whole
from edge.log.meta import Meta
from edge.log.opening import Opened, open_log
from edge.log.quarantine import open_quarantine_reader
from edge.log.writer import AppendJob
from shared.sync.ranges import Ranges
from tests.support.clocks import HandClock
from tests.support.edge_log import (
    EDGE_ID,
    SITE,
    append_until_taken,
    append_values,
    make_batch,
    noise_batch,
    open_journal,
    opened,
    read_all,
    segment_files,
    small_config,
    values_of,
)
from tests.support.eventually import until

ROOM_BYTES = 10 * BALLAST_SIZE_BYTES


def failing(*_: object, **__: object) -> int:
    raise LogError("an error of the disk")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RETRY_AFTER_S", 0.0)
    monkeypatch.setattr(store_module, "PUBLISH_INTERVAL_S", 0.0)


async def test_a_size_that_cannot_be_read_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
        size_bytes = journal.state().size_bytes
        with monkeypatch.context() as broken:
            broken.setattr(Database, "size_bytes", failing)
            await append_until_taken(journal, make_batch(2.0))
            assert journal.state().lanes[2].last_seq == 2
            await append_until_taken(journal, make_batch(3.0))
        assert journal.failure() is None
        await append_until_taken(journal, make_batch(4.0))
        assert values_of(await read_all(journal)) == [1.0, 2.0, 3.0, 4.0]
        assert journal.state().size_bytes >= size_bytes


@pytest.mark.parametrize("error", [LogError, LogFullError])
async def test_a_flush_that_fails_while_the_ballast_is_taken_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[LogError]
) -> None:
    def fails(_: Path) -> None:
        raise error("an error of the disk")

    async with opened(tmp_path) as journal:
        ballast = tmp_path / "log" / "ballast.bin"
        with monkeypatch.context() as broken:
            broken.setattr(ballast_module, "sync_folder", fails)
            journal._store._ballast.release()  # pyright: ignore[reportPrivateUsage] as a full disk does
            with pytest.raises(LogFullError):
                await journal.append(make_batch(1.0))
            # The writer tries again and again meanwhile, and never leaves half a ballast.
            await until(lambda: not ballast.exists())
        await append_until_taken(journal, make_batch(1.0))
        assert ballast.stat().st_size == BALLAST_SIZE_BYTES
        assert journal.failure() is None


def read_only(*_: object, **__: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def refuse(monkeypatch: pytest.MonkeyPatch, *functions: tuple[object, str]) -> None:
    for owner, name in functions:
        monkeypatch.setattr(owner, name, read_only)


def test_a_disk_that_became_read_only_keeps_the_ballast_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = Ballast(tmp_path / "ballast.bin")
    with monkeypatch.context() as broken:
        refuse(broken, (os, "posix_fallocate"), (Path, "unlink"))
        ballast.restore(ROOM_BYTES)
        assert not ballast.held
    ballast.restore(ROOM_BYTES)
    assert ballast.held
    with monkeypatch.context() as broken:
        refuse(broken, (Path, "unlink"))
        assert not ballast.release()
        assert ballast.held
    assert ballast.release()


def test_what_the_disk_does_not_say_is_an_error_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look: Callable[..., None] = read_only
    monkeypatch.setattr(Path, "exists", look)
    with pytest.raises(LogError, match="Read-only"):
        is_whole(tmp_path / "x.db")


def refuse_to_look_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    look = Path.stat

    def denied(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", denied)


def test_a_quarantine_nobody_may_look_at_is_an_error_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_look_at(monkeypatch, Layout(tmp_path).quarantine_file.name)
    with pytest.raises(LogError, match=r"quarantine\.db: Permission denied"):
        open_quarantine_reader(tmp_path)


async def test_a_meta_file_nobody_may_look_at_is_an_error_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
    refuse_to_look_at(monkeypatch, Layout(tmp_path).meta_file.name)
    with pytest.raises(LogError, match=r"meta\.db: Permission denied"):
        open_journal(tmp_path)


async def test_what_was_stored_and_not_copied_into_meta_can_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that fails after a good commit is no failure of the commit."""
    checkpoint, failed = Database.checkpoint, list[str]()

    def fails(database: Database, mode: database_module.Checkpoint) -> bool:
        if database.file.name != "meta.db":
            return checkpoint(database, mode)
        failed.append(database.file.name)
        raise LogError("an error of the disk")

    monkeypatch.setattr(database_module, "BOOKKEEPING_WAL_MAX_BYTES", 0)
    async with opened(tmp_path) as journal:
        await append_values(journal, *map(float, range(1, 8)))
        with monkeypatch.context() as broken:
            broken.setattr(Database, "checkpoint", fails)
            await journal.acknowledge(2, Ranges.of((5, 6)))
            assert failed
            await journal.reconcile(2, Ranges())
    async with opened(tmp_path) as journal:
        assert journal.state().lanes[2].acked == Ranges()


def test_a_lane_that_cannot_be_opened_again_is_tried_once_and_told_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    attempts: list[float] = []

    def fails(*_: object) -> None:
        attempts.append(clock.now_s)
        raise LogError("an error of the disk")

    monkeypatch.setattr(store_module, "RETRY_AFTER_S", 1.0)
    opened_log = open_log(tmp_path, SITE, EDGE_ID, small_config(), clock)
    started_s = clock.now_s
    with opened_log.lock, monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr(LaneLog, "maintain", failing)  # which makes the store open it again
        broken.setattr(store_module, "recover_lane", fails)
        for _ in range(14):  # 0.25 s apart, which floats hold exactly
            opened_log.store.maintain()
            clock.advance_s(0.25)
        opened_log.store.close()
    assert attempts == [started_s + 1, started_s + 2, started_s + 3]
    assert [line["event"] for line in logs] == [
        "maintaining the log",
        "the lane will be opened again",
        *["maintaining the log"] * 3,
    ]


def commit_one(opened_log: Opened) -> None:
    batch = make_batch(1.0)
    opened_log.catalogue.register(batch.new_series, batch.new_sources)
    answer = asyncio.get_running_loop().create_future()
    (outcome,) = opened_log.store.commit([AppendJob(batch, 1, 1, answer)])
    if outcome.error is not None:
        raise outcome.error


async def test_a_lane_that_a_commit_could_not_open_is_not_maintained_before_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    monkeypatch.setattr(store_module, "RETRY_AFTER_S", 1.0)
    opened_log = open_log(tmp_path, SITE, EDGE_ID, small_config(), clock)
    with opened_log.lock, monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr(LaneLog, "commit", failing)
        broken.setattr(store_module, "recover_lane", failing)
        for _ in range(2):  # the first breaks the lane, the second cannot open it again
            with pytest.raises(LogError, match="an error of the disk"):
                commit_one(opened_log)
        opened_log.store.maintain()
        with pytest.raises(LogError, match="will be opened again"):
            commit_one(opened_log)  # and it has not made it due either
        opened_log.store.close()
    assert [line["event"] for line in logs] == ["the lane will be opened again"]


async def test_a_segment_whose_beginning_failed_does_not_give_numbers_out_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LogFullError("no space left on the disk")

    async with opened(tmp_path) as journal:
        await append_values(journal, 0.0)
        with monkeypatch.context() as broken:
            broken.setattr(store_module, "RETRY_AFTER_S", 3_600.0)  # it is tried once
            broken.setattr(Meta, "reserve", full)
            await journal.append(noise_batch(1, 40_000))  # more than a segment holds
            await append_values(journal, 2.0)
            await append_values(journal, 3.0)
            last_seq = journal.state().lanes[2].last_seq
            image = tmp_path.with_name(f"{tmp_path.name}-image")
            shutil.copytree(tmp_path, image)
        assert len(segment_files(image)) == 1
    async with opened(image) as journal:
        assert (await journal.append(make_batch(4.0))).first_seq == last_seq + 1
