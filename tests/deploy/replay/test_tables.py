"""Files of every declared form give the same named cells."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from deploy.errors import SiteUsageError
from deploy.replay.mapping import FileMapping
from deploy.replay.recordings import open_recording, read_lines
from deploy.replay.tables import read_table, side_by_side

CSV = "t,v\n1,0.5\n2,0.6\n"


def cells(text: str, **form: object) -> list[dict[str, str]]:
    mapping = FileMapping.model_validate(form)
    return [dict(row.cells) for row in read_table(text.splitlines(), "f", "f", mapping)]


EXPECTED = [{"t": "1", "v": "0.5"}, {"t": "2", "v": "0.6"}]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (CSV, {}),
        ("\ufefft,v\n1,0.5\n\n2,0.6", {}),
        ("t\tv\n1\t0.5\n2\t0.6", {"delimiter": "\t"}),
        ("# a\njunk\nt;v\n1;0.5\n# b\n2;0.6", {"delimiter": ";", "comment": "#", "skip_lines": 2}),
        ("  1   0.5 \n 2\t0.6", {"format": "whitespace", "header": False, "columns": ["t", "v"]}),
        ('"t","v"\n"1","0.5"\n"2","0.6"', {}),
        (
            "% c\n@relation r\n@attribute t numeric\n@ATTRIBUTE 'v' real\n@data\n1,0.5\n2,0.6",
            {"format": "arff"},
        ),
        ("1;0.5\n2;0.6", {"delimiter": ";", "header": False, "columns": ["t", "v"]}),
    ],
)
def test_reads_rows_of(text: str, form: dict[str, object]) -> None:
    assert cells(text, **form) == EXPECTED


def test_quoted_cells_may_hold_the_delimiter() -> None:
    assert cells('t,v\n1,"a,b"') == [{"t": "1", "v": "a,b"}]


def test_a_line_of_a_cycle_file_is_a_run_of_one_column() -> None:
    mapping = FileMapping(layout="cycles", delimiter="\t", header=False)
    rows = read_table(["1\t2", "3\t4"], "CE.txt", "CE", mapping)
    assert [row.cells["CE"] for row in rows] == ["1", "2", "3", "4"]


def test_tables_side_by_side_end_with_the_longest() -> None:
    mapping = FileMapping(layout="cycles", delimiter=" ", header=False)
    one, two = (
        read_table([line], name, name, mapping) for name, line in (("A", "1 2"), ("B", "9"))
    )
    assert [dict(row.cells) for row in side_by_side([one, two])] == [
        {"A": "1", "B": "9"},
        {"A": "2"},
    ]


def test_a_file_without_columns_says_what_to_declare() -> None:
    with pytest.raises(SiteUsageError, match=r"file\.columns"):
        cells("1,2", header=False)
    with pytest.raises(SiteUsageError, match="no @data"):
        cells("1,2", format="arff")


def archive_of(folder: Path, form: str) -> Path:
    members = {"data/10.csv": CSV, "data/9.csv": CSV, "readme.md": "no table"}
    path = folder / f"recording.{form}"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as made:
            for name, text in members.items():
                made.writestr(name, text)
    elif form == "tar.gz":
        with tarfile.open(path, "w:gz") as made:
            for name, text in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(text)
                made.addfile(info, io.BytesIO(text.encode()))
    else:
        for name, text in members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)
    return path


@pytest.mark.parametrize("form", ["zip", "tar.gz", "folder"])
def test_members_of_archives_come_in_natural_order(tmp_path: Path, form: str) -> None:
    with open_recording(archive_of(tmp_path, form), ["data/*.csv"]) as members:
        assert [member.name for member in members] == ["data/9.csv", "data/10.csv"]
        assert list(read_lines(members[0], "utf-8")) == ["t,v", "1,0.5", "2,0.6"]


def test_a_gzip_file_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "CE.txt.gz"
    path.write_bytes(gzip.compress(b"1 2\r\n"))
    with open_recording(path, ["*.csv"]) as members:
        assert members[0].stem == "CE"
        assert list(read_lines(members[0], "utf-8")) == ["1 2"]


def test_an_archive_without_a_match_says_what_was_wanted(tmp_path: Path) -> None:
    with (
        pytest.raises(SiteUsageError, match=r"\*\.dat"),
        open_recording(archive_of(tmp_path, "zip"), ["*.dat"]),
    ):
        pass


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with (
        open_recording(path, []) as members,
        pytest.raises(SiteUsageError, match=r"x\.csv: not utf-8"),
    ):
        list(read_lines(members[0], "utf-8"))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(SiteUsageError, match="nothing"),
        open_recording(tmp_path / "nothing.csv", []) as members,
    ):
        list(read_lines(members[0], "utf-8"))
