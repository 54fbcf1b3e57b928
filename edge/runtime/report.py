"""The state of an edge for people: made by the running edge, read back by ``status``.

Owns what is in it and how it is told. A running edge is asked over its metrics; of one that does
not run, the report it left in its state directory is shown with its age.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families,  # pyright: ignore[reportUnknownVariableType] library is untyped
)

from shared.clock import iso_utc

REPORT_FILE_NAME: Final = "status.json"
_PREFIX: Final = "headframe_edge_"
_MS: Final = 1000
_HELD_UP: Final = {  # a rate that is kept is no news
    "daily_cap": "the day's bytes are used up",
    "pause_window": "pause window",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeReport:
    """What an operator asks first; times are epoch ms, 0 for never."""

    running: bool
    at_ms: int
    broker: str  # state of the connection to the broker
    uplink: str  # state of the session with central
    log_refusing: bool
    in_flight_messages: int
    last_commit_ms: int
    backlog_batches: int
    backlog_samples: int
    backlog_bytes: int
    backlog_oldest_age_s: float
    log_bytes: int
    disk_free_bytes: int
    series: int
    congestion: str = "none"  # control of the newest connection to central
    connections: Mapping[str, int] = field(default_factory=dict[str, int])  # 1: it is up
    sent_today_bytes: Mapping[str, int] = field(default_factory=dict[str, int])
    held_up: str = "none"  # why lanes that are not urgent wait
    clock_behind_s: float = 0.0  # 0: no doubt about this node's clock
    quarantined: Mapping[str, int] = field(default_factory=dict[str, int])  # ever, by reason
    broker_refused: Mapping[str, int] = field(default_factory=dict[str, int])  # by reason
    declared_missing: Mapping[str, int] = field(default_factory=dict[str, int])  # by reason


def report_from_metrics(text: str, at_ms: int) -> EdgeReport:
    """Return the report in the metrics of a running edge.

    Raises:
        ValueError: if ``text`` is not OpenMetrics of an edge.
    """
    values = dict(_values(text))
    if not values:
        raise ValueError("these are not the metrics of an edge")

    def total(name: str) -> float:
        return sum(value for (found, _), value in values.items() if found == name)

    def state(name: str) -> str:
        chosen = [label for (found, label), value in values.items() if found == name and value]
        return chosen[0] if chosen else "none"

    def by_reason(name: str) -> dict[str, int]:
        return {label: round(value) for (found, label), value in values.items() if found == name}

    return EdgeReport(
        running=True,
        at_ms=at_ms,
        broker=state("broker_link"),
        uplink=state("uplink_link"),
        log_refusing=total("log_refusing") > 0,
        in_flight_messages=round(total("in_flight_messages")),
        last_commit_ms=round(total("last_commit_timestamp_seconds") * _MS),
        backlog_batches=round(total("backlog_batches")),
        backlog_samples=round(total("backlog_samples")),
        backlog_bytes=round(total("backlog_bytes")),
        backlog_oldest_age_s=max(
            (value for (name, _), value in values.items() if name == "backlog_oldest_age_seconds"),
            default=0.0,
        ),
        log_bytes=round(total("log_bytes")),
        disk_free_bytes=round(total("disk_free_bytes")),
        series=round(total("series")),
        congestion=state("uplink_congestion"),
        connections=by_reason("uplink_connected"),
        sent_today_bytes=by_reason("uplink_sent_today_bytes"),
        held_up=state("uplink_held_up"),
        clock_behind_s=total("clock_behind_seconds"),
        quarantined=by_reason("quarantined"),
        broker_refused=by_reason("broker_refused"),
        declared_missing=by_reason("declared_missing"),
    )


def write_report(state_dir: Path, report: EdgeReport) -> None:
    """Replace the report in ``state_dir``; a reader sees the old one or the new one.

    Raises:
        OSError: if it cannot be written.
    """
    fresh = state_dir / f".{REPORT_FILE_NAME}.new"
    fresh.write_text(json.dumps(asdict(report)), encoding="utf-8")
    fresh.replace(state_dir / REPORT_FILE_NAME)


def read_report(state_dir: Path) -> EdgeReport | None:
    """Return the report that the last edge left, ``None`` if there is none that can be read."""
    try:
        document: dict[str, Any] = json.loads((state_dir / REPORT_FILE_NAME).read_bytes())
        document["running"] = False
        return EdgeReport(**document)
    except (OSError, ValueError, TypeError):
        return None


def recorded_ms(state_dir: Path) -> int:
    """Return the newest time on record when the last report was left, 0 if there is none."""
    report = read_report(state_dir)
    try:
        return 0 if report is None else round(report.at_ms + report.clock_behind_s * _MS)
    except (TypeError, ValueError, OverflowError):
        return 0


def report_lines(report: EdgeReport, now_ms: int) -> Iterator[str]:
    """Yield the report as lines for people."""
    age_s = (now_ms - report.at_ms) / _MS
    yield (
        "edge        running" if report.running else f"edge        NOT RUNNING, seen {_age(age_s)}"
    )
    if report.clock_behind_s:
        behind = _duration(report.clock_behind_s)
        yield f"clock       IN DOUBT, {behind} behind what was recorded here: set this node's clock"
    yield f"broker      {report.broker}"
    yield f"central     {report.uplink}{_connections(report)}{_congestion(report)}"
    yield f"sent today  {_sent(report)}"
    oldest = f", oldest {_age(report.backlog_oldest_age_s)}" if report.backlog_batches else ""
    yield (
        f"backlog     {report.backlog_samples} samples in {report.backlog_batches} batches, "
        f"{_size(report.backlog_bytes)}{oldest}"
    )
    refusing = " — REFUSES, nothing is acknowledged" if report.log_refusing else ""
    free = _size(report.disk_free_bytes)
    yield f"log         {_size(report.log_bytes)}, {free} free on disk{refusing}"
    last = iso_utc(report.last_commit_ms) if report.last_commit_ms else "none since the start"
    yield f"last commit {last}, {report.in_flight_messages} messages in flight"
    yield f"series      {report.series}"
    yield f"quarantine  {_reasons(report.quarantined) or 'nothing was ever refused'}"
    if report.broker_refused:
        yield f"refused by the broker  {_reasons(report.broker_refused)}"
    if report.declared_missing:
        yield f"DECLARED LOST before the edge  {_reasons(report.declared_missing)}"


def _connections(report: EdgeReport) -> str:
    """Return which connections are up and which are down, where they differ."""
    if len(set(report.connections.values())) < 2:
        return ""
    words = [f"{role} {'up' if is_up else 'DOWN'}" for role, is_up in report.connections.items()]
    return f" ({', '.join(sorted(words, reverse=True))})"


def _sent(report: EdgeReport) -> str:
    """Return the account of the day, and what waits."""
    entries = sorted(report.sent_today_bytes.items())
    parts = ", ".join(f"{of.replace('_', ' ')} {_size(size)}" for of, size in entries)
    total = _size(sum(report.sent_today_bytes.values()))
    reason = _HELD_UP.get(report.held_up)
    waiting = f"; all but alerts and control WAITS: {reason}" if reason else ""
    return f"{total}{f' ({parts})' if parts else ''}{waiting}"


def _congestion(report: EdgeReport) -> str:
    return "" if report.congestion == "none" else f", congestion control {report.congestion}"


def _values(text: str) -> Iterator[tuple[tuple[str, str], float]]:
    """Yield ((name, label value), value) of the gauges; no gauge here has two labels."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(_PREFIX):
                label = next(iter(sample.labels.values()), "")
                yield (sample.name.removeprefix(_PREFIX), label), float(sample.value)


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))


def _age(seconds: float) -> str:
    return f"{_duration(seconds)} ago"


def _duration(seconds: float) -> str:
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def _size(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1_000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1_000
    return f"{size_bytes:.1f} GB"
