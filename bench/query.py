"""`headframe bench query`: `analytics/telemetry` over one long series, measured over HTTP.

The samples are put into central's inbox as an edge brings them, unpacked and rolled up by the
site's own worker, and asked for as 1,000 means. Beside it the same over the samples themselves: a
step a second longer is made of no whole minutes. A measurement is the whole request on an open
connection: until the last byte of the answer has been read.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.background import in_background
from bench.central_database import hours_to_roll_up
from bench.chart import Bar, bar_chart
from bench.errors import BenchError
from bench.inbox_filling import History, fill_inbox
from bench.machine import describe_machine
from bench.measure import distribution
from bench.processes import ProcessWatch
from bench.report import Figure, Report
from bench.site import Site, SiteOptions, running_site
from bench.site_api import access_token
from central.config import CentralConfig
from central.store.database import Database
from shared.clock import Clock
from shared.configuration import load_configuration

_PREFIX = "bench-query"
_ROLE = "analyst"
_BATCH = 10_000  # samples
_SPACING_MS = 1_080  # 10 million in 1,000 steps of whole hours
_HOUR_MS = 3_600_000
_STORED_TIMEOUT_S = 600.0
_LOOK_EVERY_S = 0.5
_WARMUP_REQUESTS = 10
_RAW_REQUESTS_MAX = 20  # over 10 million samples each takes seconds
_GOAL_MS = 150.0


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How much is stored and asked for."""

    site: SiteOptions
    samples: int = 100_000
    points: int = 1_000
    requests: int = 300
    chart_file: Path | None = None

    @property
    def step_s(self) -> int:
        """Seconds of one point: whole hours or minutes where it is as long."""
        least_s = max(1, self.samples * _SPACING_MS // 1000 // self.points)
        unit_s = next((unit for unit in (3_600, 60) if least_s >= unit), 1)
        return -(-least_s // unit_s) * unit_s


@dataclass(frozen=True, slots=True)
class Answers:
    """What the measured requests gave."""

    rolled_ms: list[float]
    raw_ms: list[float]
    points: int  # of the last answer from rollups
    answer_bytes: int
    samples_found: int  # by the server's own count


async def bench_query(options: QueryOptions, clock: Clock) -> Report:
    """Store the history, ask for it again and again, and report.

    Raises:
        BenchError: if the site cannot run, or the samples do not become visible.
    """
    machine = describe_machine(options.site.folder)
    async with running_site(options.site) as site:
        processes = ProcessWatch(list(site.pids))
        history = _history(options, site, clock.utc_ms())
        began_s = clock.monotonic_s()
        await _fill(site, clock, history)
        filled_s = clock.monotonic_s() - began_s
        with in_background(processes.watch, processes.stop):
            answers = await _ask(options, site, history, clock)
        watched_s = clock.monotonic_s() - began_s - filled_s
    rolled, raw = distribution(answers.rolled_ms), distribution(answers.raw_ms)
    if options.chart_file is not None and rolled is not None and raw is not None:
        bars = [
            Bar("rollups, p95", rolled.p95, goal=_GOAL_MS),
            Bar("samples, p95", raw.p95, is_baseline=True),
        ]
        options.chart_file.write_bytes(bar_chart("telemetry query", "ms", bars))
    figures: dict[str, Figure] = {
        "telemetry_ms": rolled,
        "telemetry_from_samples_ms": raw,
        "points": answers.points,
        "answer_bytes": answers.answer_bytes,
        "samples_aggregated": answers.samples_found,
    }
    return Report(
        bench="query",
        machine=machine,
        options={"samples": options.samples, "points": options.points, "step_s": options.step_s},
        figures=figures,
        usage=processes.usage(),
        watched_s=watched_s,
        passed=answers.samples_found == history.samples,
    )


def _history(options: QueryOptions, site: Site, now_ms: int) -> History:
    batches = -(-options.samples // _BATCH)
    span_ms = batches * _BATCH * _SPACING_MS
    return History(
        site=site.name,
        prefix=_PREFIX,
        edges=1,
        batches=batches,
        series=1,
        samples_per_series=_BATCH,
        spacing_ms=_SPACING_MS,
        # All of its hours are over, so that all of it is rolled up.
        start_ms=(now_ms - span_ms) // _HOUR_MS * _HOUR_MS - 2 * _HOUR_MS,
    )


async def _fill(site: Site, clock: Clock, history: History) -> None:
    config = load_configuration(
        CentralConfig, file=site.central_config_file, environment={}, flags={}
    )
    database = Database(config.database, application="bench-inbox")
    try:
        await fill_inbox(database, clock, history)
    finally:
        await database.close()


async def _ask(options: QueryOptions, site: Site, history: History, clock: Clock) -> Answers:
    end_ms = history.start_ms + history.samples * _SPACING_MS
    whole = {
        "series": f"{site.name}/{history.series_name(0, 0)}",
        "start": str(history.start_ms),
        "end": str(end_ms),
    }
    async with aiohttp.ClientSession(site.central_url) as session:
        token = await access_token(session, site.account(_ROLE))
        session.headers["Authorization"] = f"Bearer {token}"
        await _wait_until_rolled_up(site, clock)
        rolled = {**whole, "step": str(options.step_s), "agg": "mean"}
        raw = {**whole, "step": str(options.step_s + 1), "agg": "mean"}
        count = {**whole, "step": str(options.step_s), "agg": "count"}
        counted = _points(*await _telemetry(session, count))
        rolled_ms, answer = await _measured(session, rolled, options.requests, clock)
        raw_ms, _ = await _measured(
            session, raw, min(_RAW_REQUESTS_MAX, options.requests), clock, warmup=1
        )
    return Answers(
        rolled_ms,
        raw_ms,
        points=len(_points(200, answer)),
        answer_bytes=len(answer),
        samples_found=sum(int(number) for _, number in counted),
    )


async def _measured(
    session: aiohttp.ClientSession,
    asked: dict[str, str],
    requests: int,
    clock: Clock,
    *,
    warmup: int = _WARMUP_REQUESTS,
) -> tuple[list[float], bytes]:
    """Return how long each request took, in ms, and the last answer."""
    durations_ms: list[float] = []
    answer = b""
    for _ in range(warmup + requests):
        began_s = clock.monotonic_s()
        status, answer = await _telemetry(session, asked)
        durations_ms.append(1000.0 * (clock.monotonic_s() - began_s))
        _points(status, answer)
    return durations_ms[warmup:], answer


async def _wait_until_rolled_up(site: Site, clock: Clock) -> None:
    """Return once all samples are unpacked and their hours rolled up."""
    until_s = clock.monotonic_s() + _STORED_TIMEOUT_S
    waiting = 1
    while waiting and clock.monotonic_s() < until_s:
        await asyncio.sleep(_LOOK_EVERY_S)
        waiting = await asyncio.to_thread(hours_to_roll_up, site.central_config_file)
    if waiting:
        raise BenchError(f"{waiting} hours or batches still wait after {_STORED_TIMEOUT_S:.0f} s")


async def _telemetry(session: aiohttp.ClientSession, asked: dict[str, str]) -> tuple[int, bytes]:
    """Return status and body of one request, once the last byte has been read."""
    async with session.get("/api/v1/analytics/telemetry", params=asked) as response:
        return response.status, await response.read()


def _points(status: int, answer: bytes) -> list[Any]:
    if status != 200:
        raise BenchError(f"analytics/telemetry answered {status}: {answer[:500]!r}")
    return json.loads(answer)["data"]["points"]
