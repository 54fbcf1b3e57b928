"""The broker's own refusals reach those who look at the edge, and its file can do no harm."""

import json
from pathlib import Path

import pytest

from edge.ingest.broker_refusals import (
    COUNT_MAX,
    QUEUE_FULL,
    SIZE_MAX_BYTES,
    read_refusals,
    refused_by_broker,
)
from edge.metrics import IngestCounts
from shared.sync.frames import REPORTED_REASONS_MAX


def test_counts_are_read_by_reason(tmp_path: Path) -> None:
    file = tmp_path / "refusals.json"
    file.write_text('{"bad_topic": 2, "payload_too_large": 1}')
    assert read_refusals(file) == {"bad_topic": 2, "payload_too_large": 1}


def test_nobody_counting_means_nothing_is_known(tmp_path: Path) -> None:
    assert read_refusals(None) == {}
    assert read_refusals(tmp_path / "absent.json") == {}


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"a": "b", "c": true, "d": 1.5}', "[" * 50_000, "9" * 5_000]
)
def test_a_damaged_file_is_no_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    assert read_refusals(tmp_path / "x") == {}


def test_a_foreign_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "long").write_text('{"a": 1' + " " * SIZE_MAX_BYTES + "}")
    (tmp_path / "many").write_text("{" + ",".join(f'"r{n}": 1' for n in range(1000)) + "}")
    assert read_refusals(tmp_path / "long") == {}
    assert len(read_refusals(tmp_path / "many")) == REPORTED_REASONS_MAX


def test_what_central_would_not_take_is_left_out(tmp_path: Path) -> None:
    """One reason or count beyond the protocol would end every session."""
    counts = {"Bad": 1, "bad login": 1, "": 1, "a\n": 1, "x" * 65: 1, "less": -1, "none": 0}
    counts |= {"more": COUNT_MAX + 1, "most": COUNT_MAX}
    (tmp_path / "foreign").write_text(json.dumps(counts))
    assert read_refusals(tmp_path / "foreign") == {"most": COUNT_MAX}


def test_what_the_broker_dropped_for_full_queues_is_one_more_reason(tmp_path: Path) -> None:
    file = tmp_path / "refusals.json"
    file.write_text('{"bad_login": 2}')
    assert refused_by_broker(file, IngestCounts()) == {"bad_login": 2}
    assert refused_by_broker(file, IngestCounts(broker_dropped=5)) == {
        "bad_login": 2,
        "queue_full": 5,
    }


def test_the_brokers_own_count_is_kept_before_a_foreign_one(tmp_path: Path) -> None:
    file = tmp_path / "many"
    file.write_text(json.dumps({f"r{n}": 1 for n in range(REPORTED_REASONS_MAX)} | {QUEUE_FULL: 1}))
    found = refused_by_broker(file, IngestCounts(broker_dropped=5))
    assert (len(found), found[QUEUE_FULL]) == (REPORTED_REASONS_MAX, 5)
