"""The file of declared gaps: durable, idempotent, bounded, and readable from outside."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import LogError
from edge.log import gap_file
from edge.log.declared import DeclaredGap, GapReason, Recovered
from edge.log.gap_file import GapFile, open_gap_file, read_gaps
from shared.clock import SystemClock

GAP = DeclaredGap(
    reason=GapReason.SEQUENCE_GAP,
    topic="mine/v1/kaduna/sensor/gas-1/telemetry",
    first_seq=10,
    last_seq=14,
    missing=5,
    from_ms=100,
    until_ms=200,
    declared_ms=201,
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[GapFile]:
    opened = open_gap_file(tmp_path, SystemClock())
    yield opened
    opened.close()


def test_a_gap_is_declared_once_however_often_it_is_found(file: GapFile, tmp_path: Path) -> None:
    assert file.declare([GAP], ()) == [GAP]
    assert file.declare([GAP], ()) == []
    assert read_gaps(tmp_path, 10) == [GAP]
    assert file.missing == {"sequence_gap": 5}


def test_what_arrives_after_all_is_taken_back_once(file: GapFile, tmp_path: Path) -> None:
    file.declare([GAP], ())
    for _ in range(2):
        file.declare((), [Recovered(GAP.topic, 12, 300), Recovered("other", 13, 300)])
    assert file.missing == {"sequence_gap": 4}
    assert {(gap.first_seq, gap.last_seq) for gap in read_gaps(tmp_path, 10)} == {
        (10, 11),
        (13, 14),
    }


def test_central_is_owed_each_declaration_once_and_what_was_taken_back(file: GapFile) -> None:
    for _ in range(2):
        file.declare([GAP], ())
        file.declare((), [Recovered(GAP.topic, 12, 300), Recovered("other", 13, 300)])
    file.note_dropped(7, 1_000)
    told = [(one.reason, one.topic, one.missing, one.at_ms) for one in file.owed().records]
    assert told == [
        ("sequence_gap", GAP.topic, 5, 201),
        ("recovered", GAP.topic, 1, 300),
        ("broker_dropped", "", 7, 1_000),
    ]
    assert len({one.gap_id for one in file.owed().records}) == 3


def test_what_is_on_its_way_is_owed_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_file, "OWED_READ_MAX", 2)
    first = open_gap_file(tmp_path, SystemClock())
    first.declare([replace(GAP, first_seq=n, last_seq=n) for n in range(3)], ())
    first.forget_owed(first.owed().until_id)
    first.close()
    second = open_gap_file(tmp_path, SystemClock())
    assert len(second.owed().records) == 1
    second.forget_owed(second.owed().until_id)
    assert second.owed().records == ()
    second.close()


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    first = open_gap_file(tmp_path, SystemClock())
    first.declare([GAP], ())
    first.note_dropped(7, 1_000)
    first.close()
    second = open_gap_file(tmp_path, SystemClock())
    assert second.missing == {"sequence_gap": 5, "broker_dropped": 7}
    second.close()


def test_what_the_broker_dropped_is_declared_by_how_much_its_count_grew(file: GapFile) -> None:
    (first,) = file.note_dropped(7, 1_000)
    assert (first.missing, first.from_ms, first.until_ms) == (7, 0, 1_000)
    assert file.note_dropped(7, 2_000) == []
    (second,) = file.note_dropped(10, 3_000)
    assert (second.missing, second.from_ms, second.until_ms) == (3, 2_000, 3_000)
    (third,) = file.note_dropped(2, 4_000)  # it was started anew
    assert third.missing == 2


def test_old_gaps_are_merged_and_none_is_forgotten(
    file: GapFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_file, "GAPS_MAX", 10)
    for n in range(50):
        file.declare([replace(GAP, topic=f"t{n % 20}", from_ms=n)], ())
    assert file.missing == {"sequence_gap": 250}
    assert len(read_gaps(tmp_path, 1_000)) <= 10


def test_a_damaged_file_is_moved_aside_and_begun_anew(tmp_path: Path) -> None:
    open_gap_file(tmp_path, SystemClock()).close()
    (tmp_path / "log" / "gaps.db").write_bytes(b"rubbish" * 5_000)
    file = open_gap_file(tmp_path, SystemClock())
    assert file.declare([GAP], ()) == [GAP]
    file.close()
    assert list((tmp_path / "log" / "damaged").iterdir())


def test_where_there_is_none_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no list of gaps"):
        read_gaps(tmp_path, 10)
