"""A report says the same to people and to programs."""

import json

from bench.machine import Machine
from bench.measure import distribution
from bench.processes import Usage
from bench.report import Report

MACHINE = Machine("A CPU", 2, 8 * 2**30, "Linux 6.1", "CPython 3.11.7", "ext4 on vda1", 0.25)


def report(*, passed: bool = True) -> Report:
    return Report(
        bench="ingest",
        machine=MACHINE,
        options={"rate_per_s": 5000.0, "broker": "embedded"},
        figures={
            "publish_to_commit_ms": distribution([10.0, 20.0, 30.0]),
            "samples_lost": 0,
            "nothing_measured_ms": None,
        },
        usage={"edge": Usage(cpu_s=5.0, rss_max_bytes=100 * 2**20)},
        watched_s=10.0,
        passed=passed,
        notes=("A note.",),
    )


def test_text_names_machine_figures_and_processes() -> None:
    lines = report().as_text().splitlines()
    assert lines[0] == "headframe bench ingest: passed"
    assert any("A CPU, 2 cores, 8 GiB" in line for line in lines)
    figure = next(line for line in lines if line.startswith("publish_to_commit_ms"))
    assert figure.split() == ["publish_to_commit_ms", "3", "10", "20", "30", "30", "30"]
    assert "edge 5.0 0.50 100" in [" ".join(line.split()) for line in lines]
    assert lines[-1] == "A note."


def test_text_says_when_something_was_lost() -> None:
    assert report(passed=False).as_text().startswith("headframe bench ingest: FAILED")


def test_json_holds_everything() -> None:
    found = json.loads(report().as_json())
    assert found["machine"]["cpu"] == "A CPU"
    assert found["figures"]["publish_to_commit_ms"]["median"] == 20.0
    assert found["figures"]["nothing_measured_ms"] is None
    assert found["usage"]["edge"] == {"cpu_s": 5.0, "rss_max_bytes": 104857600}
    assert found["passed"] is True
