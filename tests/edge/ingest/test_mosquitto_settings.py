"""A mosquitto.conf, judged: what costs readings, what is a matter of taste, and what to write."""

import pytest

from edge.ingest.findings import Grade
from edge.ingest.mosquitto_settings import included_folders, judge_settings, read_settings

GOOD = """
# as the runbook has it
persistence true
autosave_interval 30
max_queued_messages 0
max_queued_bytes 1073741824
max_inflight_messages 0
message_size_limit 8388608
"""
PAYLOAD_MAX_BYTES = 524_288


def judged(text: str) -> list[tuple[Grade, str]]:
    findings = judge_settings(read_settings(text), PAYLOAD_MAX_BYTES)
    return [(finding.grade, finding.remedy) for finding in findings]


def test_what_the_runbook_says_is_well() -> None:
    assert judged(GOOD) == [(Grade.OK, "")]


def test_the_defaults_cost_readings_in_two_ways() -> None:
    failed = [remedy for grade, remedy in judged("") if grade is Grade.FAILED]
    assert [remedy.split()[0] for remedy in failed] == ["persistence", "max_queued_messages"]


@pytest.mark.parametrize(
    ("line", "grade", "remedy"),
    [
        ("persistence false", Grade.FAILED, "persistence true"),
        ("autosave_interval 1800", Grade.WARNING, "autosave_interval 30"),
        ("autosave_interval 0", Grade.WARNING, "autosave_interval 30"),
        ("max_queued_messages 100", Grade.FAILED, "max_queued_messages 0"),
        ("max_queued_bytes 1000000", Grade.WARNING, "max_queued_bytes 1073741824"),
        ("max_queued_bytes 0", Grade.WARNING, "max_queued_bytes 1073741824"),
        ("max_inflight_messages 20", Grade.WARNING, "max_inflight_messages 0"),
        ("message_size_limit 65536", Grade.FAILED, "message_size_limit 524288"),
        ("max_packet_size 65536", Grade.FAILED, "message_size_limit 524288"),
        ("memory_limit 1000000", Grade.WARNING, "remove memory_limit"),
        ("persistent_client_expiration 2w", Grade.FAILED, "remove persistent_client_expiration"),
        ("sys_interval 0", Grade.WARNING, "sys_interval 10"),
        ("max_queued_bytes many", Grade.WARNING, "max_queued_bytes 1073741824"),
    ],
)
def test_each_limit_that_costs_readings_is_found(line: str, grade: Grade, remedy: str) -> None:
    found = judged(f"{GOOD}\n{line}")
    assert found[0][0] is grade
    assert found[0][1].startswith(remedy)


@pytest.mark.parametrize(
    "line", ["persistent_client_expiration 1y", "autosave_on_changes true\nautosave_interval 1000"]
)
def test_what_keeps_the_promise_is_let_be(line: str) -> None:
    assert judged(f"{GOOD}\n{line}") == [(Grade.OK, "")]


def test_folders_of_more_files_are_named() -> None:
    assert included_folders("include_dir /etc/mosquitto/conf.d\nport 1883\n") == [
        "/etc/mosquitto/conf.d"
    ]
