"""How much disk the embedded broker may take."""

from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.site.broker import (
    START_FREE_BYTES,
    STORE_SIZE_MAX_BYTES,
    has_room_to_start,
    store_size_bytes,
)

MB = 1_000_000


class Usage(NamedTuple):
    free: int


def free_disk(monkeypatch: pytest.MonkeyPatch, free_bytes: int) -> None:
    def usage(_: Path) -> Usage:
        return Usage(free_bytes)

    monkeypatch.setattr("deploy.site.broker.shutil.disk_usage", usage)


def store(folder: Path, size_bytes: int) -> None:
    file = folder / "jetstream" / "1.blk"
    file.parent.mkdir()
    with file.open("wb") as sparse:
        sparse.truncate(size_bytes)


@pytest.mark.parametrize(
    ("held_mb", "free_mb", "allowed_mb"),
    [(0, 400, 100), (100, 300, 100), (100, 700, 200), (300, 100, 300)],
)
def test_what_is_stored_already_takes_nothing_from_the_limit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    held_mb: int,
    free_mb: int,
    allowed_mb: int,
) -> None:
    store(tmp_path, held_mb * MB)
    free_disk(monkeypatch, free_mb * MB)
    assert store_size_bytes(tmp_path) == allowed_mb * MB


def test_a_large_disk_is_not_for_the_broker_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_disk(monkeypatch, 100 * STORE_SIZE_MAX_BYTES)
    assert store_size_bytes(tmp_path) == STORE_SIZE_MAX_BYTES


@pytest.mark.parametrize(("missing_bytes", "has_room"), [(0, True), (1, False)])
def test_a_start_needs_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing_bytes: int, has_room: bool
) -> None:
    free_disk(monkeypatch, START_FREE_BYTES - missing_bytes)
    assert has_room_to_start(tmp_path) is has_room


def test_a_folder_that_is_gone_has_no_room(tmp_path: Path) -> None:
    assert not has_room_to_start(tmp_path / "gone")
