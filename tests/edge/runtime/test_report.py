"""The report of an edge: from its metrics, to a file and back, and as lines for people."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.metrics import EdgeMetrics
from edge.runtime.report import (
    REPORT_FILE_NAME,
    EdgeReport,
    read_report,
    recorded_ms,
    report_from_metrics,
    report_lines,
    write_report,
)

NOW_MS = 1_700_000_000_000
REPORT = EdgeReport(
    running=True,
    at_ms=NOW_MS,
    broker="connected",
    uplink="waiting",
    log_refusing=False,
    in_flight_messages=3,
    last_commit_ms=NOW_MS - 500,
    backlog_batches=12,
    backlog_samples=3_456,
    backlog_bytes=78_900,
    backlog_oldest_age_s=7_300.0,
    log_bytes=2_500_000,
    disk_free_bytes=80_000_000_000,
    series=42,
    quarantined={"bad_json": 2, "bad_topic": 1},
    clock_behind_s=1_209_600.0,
    broker_refused={"bad_login": 7, "queue_full": 3},
    congestion="cubic",
    connections={"urgent": 1, "bulk": 0},
    sent_today_bytes={"lane_0": 1_200, "lane_2": 12_000_000},
    held_up="daily_cap",
)


def metrics_of(report: EdgeReport) -> str:
    metrics = EdgeMetrics()
    metrics.family("broker_link", "x", ("state",), lambda: {(report.broker,): 1, ("stopped",): 0})
    metrics.family("uplink_link", "x", ("state",), lambda: {(report.uplink,): 1, ("off",): 0})
    metrics.gauge("log_refusing", "x", lambda: report.log_refusing)
    metrics.gauge("in_flight_messages", "x", lambda: report.in_flight_messages)
    metrics.gauge("last_commit_timestamp_seconds", "x", lambda: report.last_commit_ms / 1000)
    half = {"backlog_batches": 6, "backlog_samples": 1_728, "backlog_bytes": 39_450}
    for name, value in half.items():  # two lanes share the backlog
        metrics.family(name, "x", ("lane",), lambda value=value: {("0",): value, ("2",): value})
    ages_s = {("0",): 5.0, ("2",): report.backlog_oldest_age_s}
    metrics.family("backlog_oldest_age_seconds", "x", ("lane",), lambda: ages_s)
    metrics.gauge("log_bytes", "x", lambda: report.log_bytes)
    metrics.gauge("disk_free_bytes", "x", lambda: report.disk_free_bytes)
    metrics.gauge("series", "x", lambda: report.series)
    metrics.gauge("clock_behind_seconds", "x", lambda: report.clock_behind_s)
    for name in ("quarantined", "broker_refused"):
        by_reason = {(reason,): float(n) for reason, n in getattr(report, name).items()}
        metrics.family(name, "x", ("reason",), lambda by_reason=by_reason: by_reason)
    metrics.family("uplink_congestion", "x", ("control",), lambda: {(report.congestion,): 1})
    sent = {(of,): float(size) for of, size in report.sent_today_bytes.items()}
    metrics.family("uplink_sent_today_bytes", "x", ("of",), lambda: sent)
    metrics.family("uplink_held_up", "x", ("reason",), lambda: {(report.held_up,): 1})
    up = {(role,): float(is_up) for role, is_up in report.connections.items()}
    metrics.family("uplink_connected", "x", ("serves",), lambda: up)
    return metrics.render().decode()


def test_is_read_from_the_metrics_of_a_running_edge() -> None:
    assert report_from_metrics(metrics_of(REPORT), NOW_MS) == REPORT


@pytest.mark.parametrize(
    "text", ["", "# EOF\n", "<html>not found</html>", "other_metric 1\n# EOF\n"]
)
def test_other_text_is_no_report(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        report_from_metrics(text, NOW_MS)


def test_survives_its_file_but_does_not_claim_to_run(tmp_path: Path) -> None:
    write_report(tmp_path, REPORT)
    assert read_report(tmp_path) == replace(REPORT, running=False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"running": true}', '{"other": 1}'])
def test_a_file_that_cannot_be_read_is_no_report(tmp_path: Path, text: str) -> None:
    assert read_report(tmp_path) is None
    (tmp_path / REPORT_FILE_NAME).write_text(text)
    assert read_report(tmp_path) is None


def test_tells_people_what_they_ask_first() -> None:
    text = "\n".join(report_lines(REPORT, NOW_MS))
    for words in (
        "edge        running",
        "broker      connected",
        "clock       IN DOUBT, 14 d behind what was recorded here",
        "central     waiting (urgent up, bulk DOWN), congestion control cubic",
        "sent today  12 MB (lane 0 1 kB, lane 2 12 MB); all but alerts and control WAITS: the day",
        "3456 samples in 12 batches, 79 kB, oldest 2 h ago",
        "2 MB, 80.0 GB free on disk",
        "2023-11-14T22:13:19.500Z, 3 messages in flight",
        "quarantine  bad_json 2, bad_topic 1",
        "refused by the broker  bad_login 7, queue_full 3",
    ):
        assert words in text


def test_says_nothing_of_a_broker_that_refused_nothing() -> None:
    silent = replace(REPORT, broker_refused={})
    assert "refused by the broker" not in "\n".join(report_lines(silent, NOW_MS))


def test_says_nothing_of_a_clock_that_is_not_in_doubt() -> None:
    assert "clock" not in "\n".join(report_lines(replace(REPORT, clock_behind_s=0.0), NOW_MS))


def test_tells_the_newest_time_on_record(tmp_path: Path) -> None:
    assert recorded_ms(tmp_path) == 0
    write_report(tmp_path, REPORT)
    assert recorded_ms(tmp_path) == NOW_MS + 1_209_600_000
    (tmp_path / REPORT_FILE_NAME).write_text(
        (tmp_path / REPORT_FILE_NAME).read_text().replace(str(NOW_MS), '"x"', 1)
    )
    assert recorded_ms(tmp_path) == 0


def test_a_report_left_by_an_older_edge_is_read(tmp_path: Path) -> None:
    write_report(tmp_path, REPORT)
    left = json.loads((tmp_path / REPORT_FILE_NAME).read_text())
    del left["broker_refused"]
    (tmp_path / REPORT_FILE_NAME).write_text(json.dumps(left))
    assert read_report(tmp_path) == replace(REPORT, running=False, broker_refused={})


def test_says_loudly_what_is_wrong() -> None:
    stopped = replace(REPORT, running=False, log_refusing=True)
    text = "\n".join(report_lines(stopped, NOW_MS + 200_000))
    assert "NOT RUNNING, seen 3 min ago" in text
    assert "REFUSES, nothing is acknowledged" in text


def test_says_nothing_of_connections_that_stand_alike() -> None:
    same = replace(REPORT, uplink="streaming", connections={"urgent": 1, "bulk": 1})
    assert "central     streaming, congestion" in "\n".join(report_lines(same, NOW_MS))
