"""Files and folders: names, durable writes, and the system's errors in the log's words."""

import errno
from pathlib import Path

import pytest

from edge.errors import LogError, LogFullError
from edge.log.ballast import BALLAST_SIZE_BYTES, Ballast
from edge.log.layout import (
    Layout,
    SegmentName,
    disk_errors,
    hold_lock,
    make_folders,
    move_to_damaged,
    write_durably,
)


def test_a_segments_name_says_lane_number_and_installation() -> None:
    name = SegmentName(2, 17, "0123abcd")
    assert str(name) == "L2-0123abcd-0000000000000017.db"
    assert SegmentName.parse(str(name)) == name


@pytest.mark.parametrize("name", ["L2-0123abcd-17.db", "L2-0123abcd-0000000000000017.db-wal", "x"])
def test_other_files_are_no_segments(name: str) -> None:
    assert SegmentName.parse(name) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, LogFullError), (errno.EDQUOT, LogFullError), (errno.EROFS, LogError)],
)
def test_the_systems_errors_are_told_with_the_file(code: int, kind: type[LogError]) -> None:
    with pytest.raises(LogError, match="some/file") as told, disk_errors(Path("some/file")):
        raise OSError(code, "no luck")
    assert type(told.value) is kind


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    for content in (b"a long first form", b"short"):
        write_durably(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_damaged_files_never_replace_each_other(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    make_folders(layout)
    for content in (b"first", b"second"):
        layout.meta_file.write_bytes(content)
        layout.meta_file.with_name("meta.db-wal").write_bytes(b"wal of " + content)
        move_to_damaged(layout.meta_file, layout)
    moved = {path.name: path.read_bytes() for path in layout.damaged_dir.iterdir()}
    assert moved == {
        "meta.db.0": b"first",
        "meta.db.0-wal": b"wal of first",
        "meta.db.1": b"second",
        "meta.db.1-wal": b"wal of second",
    }


def test_the_lock_is_free_again_after_use(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    make_folders(layout)
    for _ in range(2):
        with hold_lock(layout), pytest.raises(LogError, match="another process"), hold_lock(layout):
            pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file in the way")
    with pytest.raises(LogError, match="log"):
        make_folders(Layout(tmp_path))


def test_ballast_is_given_up_once_and_taken_when_there_is_room(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast.bin")
    assert not ballast.release()
    ballast.restore(BALLAST_SIZE_BYTES - 1)
    assert not ballast.held
    ballast.restore(BALLAST_SIZE_BYTES)
    assert (tmp_path / "ballast.bin").stat().st_blocks * 512 >= BALLAST_SIZE_BYTES
    assert Ballast(tmp_path / "ballast.bin").release()
    assert list(tmp_path.iterdir()) == []
