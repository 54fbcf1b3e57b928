"""`headframe bench query`: `analytics/telemetry` over one long series, measured over HTTP.

100,000 samples one second apart are published as history, pass the whole path, and are asked for
as 1,000 means of 100 s. A measurement is the whole request on an open connection: until the last
byte of the answer has been read.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.accounting import COUNTER_METRIC
from bench.background import in_background
from bench.errors import BenchError
from bench.load import LoadPlan, source_names
from bench.machine import describe_machine
from bench.measure import distribution
from bench.processes import ProcessWatch
from bench.publishing import publish
from bench.report import Figure, Report
from bench.site import Site, SiteOptions, running_site
from bench.site_api import access_token
from shared.clock import Clock

_PREFIX = "bench-query"
_ROLE = "analyst"
_BATCH = 1_000  # samples a message
_MESSAGES_PER_S = 20.0
_SPACING_MS = 1_000
_STORED_TIMEOUT_S = 120.0
_LOOK_EVERY_S = 0.2
_WARMUP_REQUESTS = 10


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How much is stored and asked for."""

    site: SiteOptions
    samples: int = 100_000
    points: int = 1_000
    requests: int = 300

    @property
    def step_s(self) -> int:
        """Seconds of one point."""
        return max(1, self.samples * _SPACING_MS // 1000 // self.points)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the measured requests gave."""

    durations_ms: list[float]
    points: int  # of the last answer
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
        plan = _plan(options, site)
        sent = await publish(plan, options.site.folder, processes)
        began_s = clock.monotonic_s()
        with in_background(processes.watch, processes.stop):
            end_ms = sent.began_ms + _SPACING_MS
            answers = await _ask(options, site, plan, clock, end_ms)
        watched_s = clock.monotonic_s() - began_s
    figures: dict[str, Figure] = {
        "telemetry_ms": distribution(answers.durations_ms),
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
        passed=answers.samples_found == options.samples,
    )


def _plan(options: QueryOptions, site: Site) -> LoadPlan:
    messages = -(-options.samples // _BATCH)
    return LoadPlan(
        broker=site.broker,
        site=site.name,
        prefix=_PREFIX,
        sources=1,
        rate=_MESSAGES_PER_S,
        seconds=messages / _MESSAGES_PER_S,
        batch=_BATCH,
        metrics=2,
        spacing_ms=_SPACING_MS,
    )


async def _ask(
    options: QueryOptions, site: Site, plan: LoadPlan, clock: Clock, end_ms: int
) -> Answers:
    series = f"{site.name}/sensor/{source_names(plan)[0]}/{COUNTER_METRIC}"
    whole = {
        "series": series,
        "start": str(end_ms - options.samples * _SPACING_MS),
        "end": str(end_ms),
    }
    async with aiohttp.ClientSession(site.central_url) as session:
        token = await access_token(session, site.account(_ROLE))
        session.headers["Authorization"] = f"Bearer {token}"
        found = await _wait_until_stored(session, options, whole, clock)
        means = {**whole, "step": str(options.step_s), "agg": "mean"}
        durations_ms: list[float] = []
        points: list[Any] = []
        size_bytes = 0
        for _ in range(_WARMUP_REQUESTS + options.requests):
            began_s = clock.monotonic_s()
            status, answer = await _telemetry(session, means)
            durations_ms.append(1000.0 * (clock.monotonic_s() - began_s))
            points = _points(status, answer)
            size_bytes = len(answer)
    return Answers(durations_ms[_WARMUP_REQUESTS:], len(points), size_bytes, found)


async def _wait_until_stored(
    session: aiohttp.ClientSession, options: QueryOptions, whole: dict[str, str], clock: Clock
) -> int:
    """Return how many samples the server counts, once they are all there."""
    count = {**whole, "step": str(10 * options.step_s), "agg": "count"}
    until_s = clock.monotonic_s() + _STORED_TIMEOUT_S
    found = 0
    while clock.monotonic_s() < until_s:
        status, answer = await _telemetry(session, count)
        if status == 200:
            found = sum(int(count) for _, count in _points(status, answer))
            if found >= options.samples:
                return found
        await asyncio.sleep(_LOOK_EVERY_S)
    raise BenchError(
        f"{found} of {options.samples} samples visible after {_STORED_TIMEOUT_S:.0f} s"
    )


async def _telemetry(session: aiohttp.ClientSession, asked: dict[str, str]) -> tuple[int, bytes]:
    """Return status and body of one request, once the last byte has been read."""
    async with session.get("/api/v1/analytics/telemetry", params=asked) as response:
        return response.status, await response.read()


def _points(status: int, answer: bytes) -> list[Any]:
    if status != 200:
        raise BenchError(f"analytics/telemetry answered {status}: {answer[:500]!r}")
    return json.loads(answer)["data"]["points"]
