"""`headframe bench ingest`: from publishing until a sample is on disk, and is it all there.

Latency of a sample: its own time (the publisher's wall clock when it handed the message to the
MQTT client) until the batch that holds it is visible to another connection of the log, polled
every 5 ms on the same machine's clock. It includes publisher, broker, edge and the commit.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.accounting import LossAccount, account
from bench.background import in_background
from bench.edge_alone import edge_alone
from bench.edge_log import CommitWatch, counter_sources, counters_of, read_batches
from bench.load import LoadPlan, LoadResult
from bench.machine import describe_machine
from bench.measure import distribution
from bench.processes import ProcessWatch
from bench.publishing import publish
from bench.report import Figure, Report
from bench.site import Site, SiteOptions, running_site
from edge.log.layout import Layout
from shared.clock import Clock

SETTLE_TIMEOUT_S = 60.0  # how long the edge may take for what the broker still holds
SETTLE_QUIET_S = 2.0  # no new batch for so long: all that will come has come
_LOOK_EVERY_S = 0.1
_PREFIX = "bench-ingest"


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """The load; ``warmup_s`` at its beginning counts for losses, not for latency."""

    site: SiteOptions
    rate: float = 5_000.0  # messages per second, one sample each
    seconds: float = 300.0
    sources: int = 500
    metrics: int = 3
    warmup_s: float = 5.0
    with_central: bool = True  # False: broker and edge only, to see the edge undisturbed


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log holds of the load."""

    numbers: dict[str, NDArray[np.float64]]  # sample numbers by source
    latency_ms: NDArray[np.float64]  # of samples after the warm-up
    values: int
    body_bytes: int
    batches: int


async def bench_ingest(options: IngestOptions, clock: Clock) -> Report:
    """Start a site, publish, wait until the log is quiet, compare and report.

    Raises:
        BenchError: if the site or the publisher cannot run.
    """
    machine = describe_machine(options.site.folder)
    start = running_site if options.with_central else edge_alone
    async with start(options.site) as site:
        commits = CommitWatch(site.edge_log, clock)
        processes = ProcessWatch(list(site.pids))
        began_s = clock.monotonic_s()
        with (
            in_background(commits.watch, commits.stop),
            in_background(processes.watch, processes.stop),
        ):
            sent = await publish(_plan(options, site), options.site.folder, processes)
            await wait_until_quiet(commits, clock)
        watched_s = clock.monotonic_s() - began_s
        layout = site.edge_log
    logged = await asyncio.to_thread(
        read_logged, layout, commits, sent.began_ms + round(1000 * options.warmup_s)
    )
    losses = account(sent.sent, logged.numbers)
    return Report(
        bench="ingest",
        machine=machine,
        options={
            "rate_per_s": options.rate,
            "seconds": options.seconds,
            "sources": options.sources,
            "metrics": options.metrics,
            "central": "yes" if options.with_central else "no",
            "broker": options.site.mqtt or "embedded nats-server",
        },
        figures=_figures(sent, logged, losses),
        usage=processes.usage(),
        watched_s=watched_s,
        passed=losses.is_whole and not sent.outstanding,
        notes=publisher_notes(sent),
    )


async def wait_until_quiet(commits: CommitWatch, clock: Clock) -> None:
    """Return when no batch has appeared for SETTLE_QUIET_S, or after SETTLE_TIMEOUT_S."""
    began_s = quiet_since_s = clock.monotonic_s()
    last_seq = commits.last_seq
    while clock.monotonic_s() - quiet_since_s < SETTLE_QUIET_S:
        await asyncio.sleep(_LOOK_EVERY_S)
        if commits.last_seq != last_seq:
            last_seq, quiet_since_s = commits.last_seq, clock.monotonic_s()
        if clock.monotonic_s() - began_s > SETTLE_TIMEOUT_S:
            return


def read_logged(layout: Layout, commits: CommitWatch, from_ms: int) -> Logged:
    """Return what the log holds; latencies of samples whose time is at or after ``from_ms``."""
    sources = counter_sources(layout)
    numbers: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    latencies = [np.empty(0)]
    values = body_bytes = batches = 0
    for batch in read_batches(layout):
        seen_ms = commits.seen_ms.get(batch.seq)
        body_bytes += batch.size_bytes
        values += len(batch.columns.ts_ms)
        batches += 1
        for source, found, ts_ms in counters_of(batch.columns, sources):
            numbers[source].append(found)
            if seen_ms is not None:
                latencies.append((seen_ms - ts_ms[ts_ms >= from_ms]).astype(np.float64))
    return Logged(
        numbers={source: np.concatenate(parts) for source, parts in numbers.items()},
        latency_ms=np.concatenate(latencies),
        values=values,
        body_bytes=body_bytes,
        batches=batches,
    )


def _plan(options: IngestOptions, site: Site) -> LoadPlan:
    return LoadPlan(
        broker=site.broker,
        site=site.name,
        prefix=_PREFIX,
        sources=options.sources,
        rate=options.rate,
        seconds=options.seconds,
        metrics=options.metrics,
    )


def _figures(sent: LoadResult, logged: Logged, losses: LossAccount) -> dict[str, Figure]:
    published_s = max(0.001, (sent.ended_ms - sent.began_ms) / 1000.0)
    return {
        "publish_to_commit_ms": distribution(logged.latency_ms),
        "messages_published_per_s": sent.messages / published_s,
        **sent.figures,
        **losses.figures,
        "values_in_log": logged.values,
        "batches_in_log": logged.batches,
        "body_bytes_per_value": logged.body_bytes / max(1, logged.values),
    }


def publisher_notes(sent: LoadResult) -> tuple[str, ...]:
    """Return what is to be said of a publisher that could not keep to its schedule."""
    if sent.lag_max_s < 1.0:
        return ()
    note = (
        f"The publisher fell {sent.lag_max_s:.1f} s behind its schedule: the machine could not "
        "carry this rate, and latencies are of a lower one."
    )
    return (note,)
