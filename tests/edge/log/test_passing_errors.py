"""Errors of the disk that pass, outside of any commit: the log goes on by itself."""

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import LogError, LogFullError
from edge.log import ballast as ballast_module
from edge.log import store as store_module
from edge.log.ballast import BALLAST_SIZE_BYTES, Ballast
from edge.log.database import Database
from edge.log.journal import Journal
from edge.log.layout import is_whole
from edge.log.meta import Meta
from tests.support.edge_log import (
    append_values,
    make_batch,
    noise_batch,
    opened,
    read_all,
    segment_files,
    values_of,
)

ROOM_BYTES = 10 * BALLAST_SIZE_BYTES


def failing(_: object) -> int:
    raise LogError("an error of the disk")


async def append_until_taken(journal: Journal, value: float) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await journal.append(make_batch(value))
            except LogError:
                await asyncio.sleep(0.01)
            else:
                return


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
            await append_until_taken(journal, 2.0)
            assert journal.state().lanes[2].last_seq == 2
            await append_until_taken(journal, 3.0)
        assert journal.failure() is None
        await append_until_taken(journal, 4.0)
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
        journal._store._ballast.release()  # pyright: ignore[reportPrivateUsage] as a full disk does
        with monkeypatch.context() as broken:
            broken.setattr(ballast_module, "sync_folder", fails)
            with pytest.raises(LogFullError):
                await journal.append(make_batch(1.0))
            assert not ballast.exists()
        await append_until_taken(journal, 1.0)
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
