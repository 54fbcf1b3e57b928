"""What of the children's logs is counted and shown."""

from pathlib import Path

import pytest

from deploy.site import child_log
from deploy.site.broker_refusals import refusal_reason
from deploy.site.child_log import ChildLog
from deploy.site.log_lines import LINES_PER_WINDOW_MAX, WINDOW_S, Shown, admit, weighty

HEAD = '[7] 2026/11/23 18:25:31.961462 [ERR] 127.0.0.1:45988 - mid:35 - "wxi" - '


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('Publish Violation - Subject "foo.bar"', "not_permitted"),
        ("maximum payload exceeded: 9500025 vs 9437184", "payload_too_large"),
        ("character not supported for MQTT topics", "bad_topic"),
        ('invalid character in client ID "topic.7"', "bad_client_id"),
        ('authentication error - User "nobody"', "bad_login"),
        ("JetStream failed a pipelined QoS1/2 operation (pi=1): no JetStream ack", "store_full"),
        ("something new in the next version", "other"),
    ],
)
def test_every_refusal_of_the_broker_has_a_reason(text: str, reason: str) -> None:
    assert refusal_reason(HEAD + text) == reason


def test_the_name_of_a_client_is_no_reason() -> None:
    head = HEAD.replace("wxi", "topic-7")
    assert refusal_reason(head + 'authentication error - User "nobody"') == "bad_login"


def test_a_refused_login_is_counted_once_though_told_twice() -> None:
    assert refusal_reason(HEAD + "unable to connect: authentication error") is None


def test_the_broker_talking_is_no_refusal() -> None:
    assert refusal_reason("[7] 2026/11/23 18:25:29.124 [INF] Listening for MQTT clients") is None


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23T18:00:00Z [\x1b[31m\x1b[1merror    \x1b[0m] disk full   part=log",
        "2026-11-23T18:00:00Z [warning  ] broker lost part=ingest",
        "[7] 2026/11/23 18:25:31.96 [ERR] something",
        "2026-11-23 18:48:11.996 UTC [17876] PANIC:  could not write",
        "Traceback (most recent call last):",
    ],
)
def test_a_weighty_line_is_shown_without_its_colours(line: str) -> None:
    shown = weighty(line)
    assert shown is not None
    assert "\x1b" not in shown


def test_a_usual_line_is_left_to_the_log() -> None:
    assert weighty("2026-11-23T18:00:00Z [info     ] started part=edge") is None
    assert weighty("FATAL:  the database system is starting up") is None


def test_a_chatty_child_is_cut_short_until_the_window_is_over() -> None:
    shown, allowed = Shown(), 0
    for _ in range(20):
        shown, may = admit(shown, 100.0)
        allowed += may
    assert allowed == LINES_PER_WINDOW_MAX
    assert admit(shown, 100.0 + WINDOW_S)[1]


def test_only_new_and_whole_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text("of an earlier run\n")
    log = ChildLog(file)
    with log.open_for_child() as out:
        out.write(b"one\ntw")
        assert log.new_lines() == ["one"]
        out.write(b"o\n")
        assert log.new_lines() == ["two"]
    assert log.tail(2) == ["one", "two"]


def test_a_log_that_grew_too_long_is_put_aside_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_log, "LOG_SIZE_MAX_BYTES", 100)
    log = ChildLog(tmp_path / "x.log")
    with log.open_for_child() as out:
        out.write(b"a" * 99 + b"\n")
        assert len(log.new_lines()) == 1
        out.write(b"next\n")
        assert log.new_lines() == ["next"]
    assert (tmp_path / "x.log").read_text() == "next\n"
    assert (tmp_path / "x.log.1").stat().st_size == 100
