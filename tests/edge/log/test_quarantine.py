"""Messages that were not accepted: bounded, counted for ever, readable from outside."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.errors import LogDamagedError, LogError, LogFullError
from edge.log import database as database_module
from edge.log import quarantine as quarantine_module
from edge.log.database import Database
from edge.log.layout import Layout, make_folders
from edge.log.quarantine import (
    LIST_PAYLOAD_MAX_BYTES,
    Quarantine,
    QuarantineLimits,
    open_quarantine,
    open_quarantine_reader,
)
from edge.log.records import QuarantineEntry
from tests.support.clocks import HandClock
from tests.support.failing_disk import NO_SPACE, failing_disk

LIMITS = QuarantineLimits(entries_max=5, size_max_bytes=100_000, payload_max_bytes=1_000)


def entry(reason: str = "bad_json", payload: bytes = b"x", topic: str = "t") -> QuarantineEntry:
    return QuarantineEntry(
        at_ms=7, topic=topic, reason=reason, field="f", detail="d", payload=payload
    )


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    make_folders(layout)
    return layout


@pytest.fixture
def quarantine(layout: Layout) -> Iterator[Quarantine]:
    opened = open_quarantine(layout.quarantine_file, LIMITS, HandClock())
    yield opened
    opened.close()


def listed(layout: Layout, reason: str | None = None) -> list[QuarantineEntry]:
    with closing(open_quarantine_reader(layout.state_dir)) as reader:
        return reader.list_entries(100, reason)


def shown(layout: Layout, entry_id: int) -> QuarantineEntry | None:
    with closing(open_quarantine_reader(layout.state_dir)) as reader:
        return reader.show_entry(entry_id)


def test_newest_first_and_by_reason(layout: Layout, quarantine: Quarantine) -> None:
    quarantine.add([entry("a"), entry("b")])
    quarantine.add([entry("a", b"last")])
    assert [one.reason for one in listed(layout)] == ["a", "b", "a"]
    assert [one.payload for one in listed(layout, "a")] == [b"last", b"x"]
    assert listed(layout, "c") == []


def test_a_long_payload_is_cut_and_its_size_and_hash_kept(
    layout: Layout, quarantine: Quarantine
) -> None:
    payload = bytes(range(256)) * 20
    quarantine.add([entry(payload=payload)])
    (brief,) = listed(layout)
    assert brief.payload == payload[:LIST_PAYLOAD_MAX_BYTES]
    whole = shown(layout, brief.id)
    assert whole is not None
    assert whole.payload == payload[:1_000]
    assert (whole.size_bytes, whole.sha256) == (5_120, hashlib.sha256(payload).digest())
    assert shown(layout, 99) is None


def test_the_oldest_make_room_and_stay_counted(layout: Layout, quarantine: Quarantine) -> None:
    quarantine.add([entry("old")] * 3)
    quarantine.add([entry("new")] * 4)
    assert [one.reason for one in listed(layout)] == ["new"] * 4 + ["old"]
    assert quarantine.counts.entered == {"old": 3, "new": 4}
    assert quarantine.counts.evicted == {"old": 2}
    assert quarantine.counts.entries == 5


def test_counts_survive_a_restart(layout: Layout) -> None:
    with closing(open_quarantine(layout.quarantine_file, LIMITS, HandClock())) as before:
        before.add([entry("a")] * 7)
    with closing(open_quarantine(layout.quarantine_file, LIMITS, HandClock())) as again:
        assert again.counts == before.counts
        again.add([entry("b")])
        assert again.counts.evicted == {"a": 3}
        assert listed(layout)[0].id == 8  # ids are not given again


def test_bytes_are_bounded_too(layout: Layout) -> None:
    limits = QuarantineLimits(entries_max=1_000, size_max_bytes=5_000, payload_max_bytes=1_000)
    with closing(open_quarantine(layout.quarantine_file, limits, HandClock())) as quarantine:
        for _ in range(20):
            quarantine.add([entry(payload=bytes(1_000))])
            assert quarantine.counts.size_bytes <= 5_000
        assert quarantine.counts.entries == 4  # 1,000 bytes and what is around them


def test_more_at_once_than_there_is_room_for_keeps_the_newest(
    layout: Layout, quarantine: Quarantine
) -> None:
    quarantine.add([entry(payload=bytes([n])) for n in range(20)])
    assert [one.payload for one in listed(layout)] == [bytes([n]) for n in (19, 18, 17, 16, 15)]
    assert quarantine.counts.evicted == {"bad_json": 15}


def test_the_file_stays_as_small_as_what_it_holds(layout: Layout) -> None:
    dice = random.Random(3)
    with closing(open_quarantine(layout.quarantine_file, LIMITS, HandClock())) as quarantine:
        for _ in range(300):
            quarantine.add([entry(payload=dice.randbytes(1_000))])
    assert layout.quarantine_file.stat().st_size < 200_000


@pytest.mark.parametrize("text", ["\ud800half", "nul\0inside", "\U0001f6a7", "x" * 5_000])
def test_any_text_can_be_kept(layout: Layout, quarantine: Quarantine, text: str) -> None:
    quarantine.add([entry(topic=text)])
    (kept,) = listed(layout)
    assert kept.topic == text[:1_024].encode("utf-8", "backslashreplace").decode()


def test_a_failed_write_keeps_nothing_of_it_and_goes_on(layout: Layout) -> None:
    with (
        failing_disk() as disk,
        closing(open_quarantine(layout.quarantine_file, LIMITS, HandClock())) as quarantine,
    ):
        disk.write_error, disk.good_writes = NO_SPACE, 1
        with pytest.raises(LogFullError):
            quarantine.add([entry("refused", bytes(900))] * 4)
        disk.heal()
        quarantine.add([entry("kept")])
        assert quarantine.counts.entered == {"kept": 1}
        assert [one.reason for one in listed(layout)] == ["kept"]


def test_where_there_is_none_it_says_so(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(LogError, match="no quarantine here"):
        open_quarantine_reader(tmp_path / "elsewhere")
    layout.quarantine_file.write_bytes(b"something else, but long enough to be read " * 30)
    with pytest.raises(LogDamagedError, match=r"quarantine\.db"):
        open_quarantine_reader(layout.state_dir)


def test_what_fails_after_the_commit_does_not_make_the_caller_give_it_again(
    layout: Layout, quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise LogFullError("no space left on the disk")

    monkeypatch.setattr(database_module, "BOOKKEEPING_WAL_MAX_BYTES", 0)
    monkeypatch.setattr(quarantine_module, "_read_counts", full)
    with monkeypatch.context() as failing:
        failing.setattr(Database, "checkpoint", full)
        quarantine.add([entry("a"), entry("b"), entry("a")])
    assert len(listed(layout)) == 3
    assert quarantine.counts.entered == {"a": 2, "b": 1}
    assert quarantine.counts.entries == 3
