"""The broker's own refusals reach the edge's metrics."""

from pathlib import Path

import pytest

from edge.ingest.broker_refusals import REASONS_MAX, SIZE_MAX_BYTES, read_refusals


def test_counts_are_read_by_reason(tmp_path: Path) -> None:
    file = tmp_path / "refusals.json"
    file.write_text('{"bad_topic": 2, "payload_too_large": 1}')
    assert read_refusals(file) == {"bad_topic": 2, "payload_too_large": 1}


def test_nobody_counting_means_nothing_is_known(tmp_path: Path) -> None:
    assert read_refusals(None) == {}
    assert read_refusals(tmp_path / "absent.json") == {}


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": "b", "c": true, "d": 1.5}'])
def test_a_damaged_file_is_no_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    assert read_refusals(tmp_path / "x") == {}


def test_a_foreign_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "long").write_text('{"a": 1' + " " * SIZE_MAX_BYTES + "}")
    (tmp_path / "many").write_text("{" + ",".join(f'"r{n}": 1' for n in range(1000)) + "}")
    assert read_refusals(tmp_path / "long") == {}
    assert len(read_refusals(tmp_path / "many")) == REASONS_MAX
