"""`headframe bench ingest --listener`: publish to PUBACK at the edge's own endpoint, after fsync.

Latency of a message: from the publisher's write until it has read the PUBACK, on one clock. It
covers the socket both ways, the whole pipeline and the commit with ``synchronous=FULL``.
"""

import asyncio
from dataclasses import dataclass

import numpy as np

from bench.accounting import account
from bench.background import in_background
from bench.edge_alone import edge_alone
from bench.edge_log import CommitWatch
from bench.errors import BenchError
from bench.ingest import read_logged, wait_until_quiet
from bench.listener_load import ListenerPlan, ListenerResult, read_listener_result
from bench.machine import describe_machine
from bench.measure import distribution
from bench.processes import ProcessWatch
from bench.publishing import run_publisher
from bench.report import Report
from bench.site import Site, SiteOptions
from shared.clock import Clock

_PREFIX = "bench-listener"
IN_FLIGHT_MAX = 200  # of one connection: 80,000 at 400, so that the log is what holds it up


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """The load; ``warmup_s`` at its beginning counts for losses, not for latency."""

    site: SiteOptions
    rate: float
    seconds: float
    connections: int
    warmup_s: float


async def bench_listener(options: ListenerOptions, clock: Clock) -> Report:
    """Start an edge, publish to its listener, wait until the log is quiet, compare and report.

    Raises:
        BenchError: if the edge or the publisher cannot run.
    """
    machine = describe_machine(options.site.folder)
    async with edge_alone(options.site) as site:
        commits = CommitWatch(site.edge_log, clock)
        processes = ProcessWatch(list(site.pids))
        began_s = clock.monotonic_s()
        with (
            in_background(commits.watch, commits.stop),
            in_background(processes.watch, processes.stop),
        ):
            plan = _plan(options, site)
            line = await run_publisher("bench.listener_load", plan, options.site.folder, processes)
            sent = read_listener_result(line)
            await wait_until_quiet(commits, clock)
        watched_s = clock.monotonic_s() - began_s
        layout = site.edge_log
    logged = await asyncio.to_thread(read_logged, layout, commits, sent.began_ms)
    losses = account(sent.sent, logged.numbers)
    published_s = max(0.001, (sent.ended_ms - sent.began_ms) / 1000.0)
    return Report(
        bench="ingest --listener",
        machine=machine,
        options={
            "rate_per_s": options.rate,
            "seconds": options.seconds,
            "connections": options.connections,
        },
        figures={
            "publish_to_puback_ms": distribution(_latencies(sent)),
            "messages_published_per_s": sent.messages / published_s,
            "messages_sent": sent.messages,
            "messages_unacknowledged": sent.outstanding,
            "publisher_lag_max_s": sent.lag_max_s,
            **losses.figures,
            "values_in_log": logged.values,
            "batches_in_log": logged.batches,
        },
        usage=processes.usage(),
        watched_s=watched_s,
        passed=losses.is_whole and not sent.outstanding,
        notes=_notes(sent),
    )


def _plan(options: ListenerOptions, site: Site) -> ListenerPlan:
    if site.listener is None:
        raise BenchError("this site has no listener")
    return ListenerPlan(
        listener=site.listener,
        site=site.name,
        prefix=_PREFIX,
        connections=options.connections,
        rate=options.rate,
        seconds=options.seconds,
        warmup_s=options.warmup_s,
        in_flight_max=IN_FLIGHT_MAX,
    )


def _latencies(sent: ListenerResult) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    latency_ms = np.array([one for one, _ in sent.latencies], dtype=np.float64)
    counts = np.array([count for _, count in sent.latencies], dtype=np.int64)
    return np.repeat(latency_ms, counts)


def _notes(sent: ListenerResult) -> tuple[str, ...]:
    if sent.lag_max_s < 1.0:
        return ()
    note = (
        f"A device fell {sent.lag_max_s:.1f} s behind its schedule: the machine could not carry "
        "this rate, and latencies are of a lower one."
    )
    return (note,)
