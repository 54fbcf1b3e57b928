"""Whose session is found again, for how long, and whose last will still waits."""

import pytest

from edge.ingest.listener import session_book, wills
from edge.ingest.listener.session_book import NEVER_MS, SessionBook
from edge.ingest.listener.wills import PendingWills
from edge.ingest.stream import Publish

KEY = ("gas-1", "client")
FOR_EVER_S = 0xFFFF_FFFF


def test_a_session_is_there_from_the_second_time_on() -> None:
    book = SessionBook()
    assert not book.open(KEY, clean=False, expiry_s=FOR_EVER_S, now_ms=0)
    assert book.open(KEY, clean=False, expiry_s=FOR_EVER_S, now_ms=10**12)


def test_a_clean_start_forgets_it() -> None:
    book = SessionBook([(*KEY, NEVER_MS)])
    assert not book.open(KEY, clean=True, expiry_s=0, now_ms=0)
    assert book.kept(0) == []
    assert book.has_changed


def test_it_ends_some_time_after_the_connection() -> None:
    book = SessionBook()
    book.open(KEY, clean=False, expiry_s=60, now_ms=0)
    book.close(KEY, expiry_s=60, now_ms=1_000)
    assert book.kept(60_999) == [(*KEY, 61_000)]
    assert book.kept(61_000) == []
    assert not book.open(KEY, clean=False, expiry_s=60, now_ms=61_000)


def test_it_outlives_an_edge_that_died_while_it_was_open() -> None:
    book = SessionBook()
    book.open(KEY, clean=False, expiry_s=60, now_ms=0)
    assert SessionBook(book.kept(0)).open(KEY, clean=False, expiry_s=60, now_ms=10**9)


def test_one_without_expiry_ends_with_its_connection() -> None:
    book = SessionBook([(*KEY, NEVER_MS)])
    assert book.open(KEY, clean=False, expiry_s=0, now_ms=0)
    assert book.kept(0) == []


def test_a_goodbye_may_end_it() -> None:
    book = SessionBook()
    book.open(KEY, clean=False, expiry_s=60, now_ms=0)
    book.close(KEY, expiry_s=0, now_ms=1_000)
    assert book.kept(2_000) == []


def test_the_longest_unused_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_book, "SESSIONS_MAX", 2)
    book = SessionBook()
    for name in ("a", "b", "a", "c"):
        book.open((name, ""), clean=False, expiry_s=60, now_ms=0)
    assert [account for account, _, _ in book.kept(0)] == ["a", "c"]


def will(name: str) -> Publish:
    return Publish(name, b"", 0, retain=False, dup=False, size_bytes=0)


def test_a_will_is_published_once_when_it_is_due() -> None:
    pending = PendingWills()
    assert pending.add(KEY, will("a"), 10.0) == []
    assert pending.due(9.9) == []
    assert [one.topic for one in pending.due(10.0)] == ["a"]
    assert pending.due(11.0) == []


def test_a_will_is_withdrawn() -> None:
    pending = PendingWills()
    pending.add(KEY, will("a"), 10.0)
    pending.withdraw(KEY)
    assert pending.due(11.0) == []


def test_too_many_wills_are_published_early_and_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wills, "WILLS_MAX", 1)
    pending = PendingWills()
    pending.add(("a", ""), will("a"), 10.0)
    assert [one.topic for one in pending.add(("b", ""), will("b"), 5.0)] == ["b"]
