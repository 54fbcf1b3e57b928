"""A state directory that cannot be used is refused in one line."""

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.errors import SiteUsageError
from deploy.site.state_dir import STATE_FORMAT, open_state_dir, owned, read_table, unusable


class Usage(NamedTuple):
    """What shutil tells of a disk."""

    total: int
    used: int
    free: int


def test_a_new_folder_is_made_with_its_marker(tmp_path: Path) -> None:
    state = open_state_dir(tmp_path / "a" / "b")
    assert read_table(state.marker) == {"format": STATE_FORMAT}
    assert state.logs.stat().st_mode & 0o777 == 0o700


def test_the_second_start_finds_what_the_first_made(tmp_path: Path) -> None:
    open_state_dir(tmp_path).credentials.write_text("{}")
    assert open_state_dir(tmp_path).credentials.exists()


def test_a_folder_above_is_never_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    open_state_dir(tmp_path / "state")
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_folder_with_other_files_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(SiteUsageError, match=r"holds other files \(thesis\.odt\)"):
        open_state_dir(tmp_path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "headframe.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(SiteUsageError, match=r"another version of Headframe \(format 99"):
        open_state_dir(tmp_path)


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SiteUsageError, match="is a file, expected a folder"):
        open_state_dir(tmp_path / "file")


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SiteUsageError, match="cannot be used"):
        open_state_dir(tmp_path / "file" / "state")


@pytest.fixture
def unwritable_folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder that this process may not write to, although root may write anywhere."""
    tmp_path.chmod(0o500)
    account = os.geteuid()
    if account == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    yield tmp_path
    os.seteuid(account)


def test_an_unwritable_folder_is_refused(unwritable_folder: Path) -> None:
    with pytest.raises(SiteUsageError, match="Permission denied"):
        open_state_dir(unwritable_folder / "state")


def test_a_disk_without_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nearly_full(_: Path) -> Usage:
        return Usage(2**40, 2**40 - 2**20, 2**20)

    monkeypatch.setattr("deploy.site.state_dir.shutil.disk_usage", nearly_full)
    with pytest.raises(SiteUsageError, match="no space left on the disk: 1 MB free, at least"):
        open_state_dir(tmp_path)


def test_a_disk_that_fills_up_later_is_told_in_the_same_words(tmp_path: Path) -> None:
    error = OSError(28, "No space left on device", "x")
    assert str(unusable(tmp_path, error)) == f"--state {tmp_path}: no space left on the disk"


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    state = open_state_dir(tmp_path)
    with (
        owned(state),
        pytest.raises(SiteUsageError, match=rf"already running here \(process {os.getpid()}\)"),
        owned(state),
    ):
        pass
    with owned(state):
        pass


def test_a_damaged_table_reads_as_empty(tmp_path: Path) -> None:
    for text in ("", "{", "[1]"):
        (tmp_path / "t").write_text(text)
        assert read_table(tmp_path / "t") == {}
