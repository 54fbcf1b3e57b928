"""`headframe bench sync`: from the edge's commit to central's, and how fast a backlog is caught up.

Two phases on one whole site, with a relay between edge and central that counts every byte:
*steady*, single samples at a constant rate over an open link; then *outage*, the relay is cut while
batched samples pile up in the edge's log, and is opened again when the publisher has finished.
Both commits are watched from outside on the same machine's clock, every 5 ms, so that each latency
is wrong by at most 5 ms in either direction.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.accounting import account
from bench.background import in_background
from bench.central_database import InboxWatch, numbers_in_samples
from bench.edge_log import CommitWatch, read_batches
from bench.errors import BenchError
from bench.ingest import wait_until_quiet
from bench.link import Relay, open_relay
from bench.load import LoadPlan, LoadResult
from bench.machine import describe_machine
from bench.measure import distribution
from bench.processes import ProcessWatch
from bench.publishing import publish
from bench.report import Figure, Report
from bench.site import Site, SiteOptions, running_site
from edge.log.layout import Layout
from shared.clock import Clock

CATCH_UP_TIMEOUT_S = 900.0
_LOOK_EVERY_S = 0.01
_PREFIX = "bench-sync"


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """The two phases. Rates count messages per second; ``batch`` is for the outage only."""

    site: SiteOptions
    rate: float = 1_000.0
    seconds: float = 60.0
    outage_rate: float = 100.0
    outage_seconds: float = 60.0
    batch: int = 200
    sources: int = 200
    metrics: int = 3


@dataclass(frozen=True, slots=True)
class Watches:
    """What is watched during a run."""

    commits: CommitWatch
    inbox: InboxWatch
    processes: ProcessWatch


@dataclass(frozen=True, slots=True)
class CatchUp:
    """How the backlog went; seconds from the moment the road was open again."""

    backlog_seqs: tuple[int, int]  # first and last batch of the backlog
    link_s: float  # until the edge was connected again
    durable_s: float  # until the last batch was durable
    unpacked_s: float  # until the last batch was in the sample table
    wire_bytes: int


@dataclass(frozen=True, slots=True)
class Phases:
    """What both phases gave."""

    sent: tuple[LoadResult, LoadResult]
    steady_last_seq: int
    steady_wire_bytes: int
    catch_up: CatchUp


async def bench_sync(options: SyncOptions, clock: Clock) -> Report:
    """Run both phases, compare central with what was sent, and report.

    Raises:
        BenchError: if the site or publisher cannot run, or central never catches up.
    """
    machine = describe_machine(options.site.folder)
    async with open_relay(clock) as relay:
        uplink = {"HEADFRAME_UPLINK__URL": f"wss://127.0.0.1:{relay.port}/sync/v1"}
        async with running_site(options.site, uplink) as site:
            relay.target = site.sync_address
            watches = Watches(
                CommitWatch(site.edge_log, clock),
                InboxWatch(site.central_config_file, clock),
                ProcessWatch(list(site.pids)),
            )
            began_s = clock.monotonic_s()
            with (
                in_background(watches.commits.watch, watches.commits.stop),
                in_background(watches.inbox.watch, watches.inbox.stop),
                in_background(watches.processes.watch, watches.processes.stop),
            ):
                phases = await _run_phases(options, site, relay, watches, clock)
            watched_s = clock.monotonic_s() - began_s
            stored = await asyncio.to_thread(numbers_in_samples, site.central_config_file, _PREFIX)
            layout = site.edge_log
    sizes = await asyncio.to_thread(_sizes, layout)
    losses = account(_sent(phases.sent), stored)
    return Report(
        bench="sync",
        machine=machine,
        options=_shown(options),
        figures={
            **_steady_figures(watches, phases, sizes),
            **_catch_up_figures(phases.catch_up, sizes),
            "samples_sent": losses.sent,
            **losses.figures,
        },
        usage=watches.processes.usage(),
        watched_s=watched_s,
        passed=losses.is_whole,
    )


async def _run_phases(
    options: SyncOptions, site: Site, relay: Relay, watches: Watches, clock: Clock
) -> Phases:
    folder, plan = options.site.folder, _plan(options, site)
    before_bytes = relay.passed_bytes
    steady = await publish(plan, folder, watches.processes)
    await wait_until_quiet(watches.commits, clock)
    await _level(watches, clock)
    steady_bytes, steady_last_seq = relay.passed_bytes - before_bytes, watches.commits.last_seq
    relay.cut()
    outage = await publish(_pile(options, plan), folder, watches.processes)
    await wait_until_quiet(watches.commits, clock)
    catch_up = await _catch_up(site, relay, watches, clock)
    return Phases((steady, outage), steady_last_seq, steady_bytes, catch_up)


async def _level(watches: Watches, clock: Clock) -> None:
    """Wait until all that the edge has committed is in central's sample table."""
    until_s = clock.monotonic_s() + CATCH_UP_TIMEOUT_S
    while watches.inbox.unpacked_seq < watches.commits.last_seq:
        if clock.monotonic_s() > until_s:
            raise BenchError(f"central did not catch up within {CATCH_UP_TIMEOUT_S:.0f} s")
        await asyncio.sleep(_LOOK_EVERY_S)


async def _catch_up(site: Site, relay: Relay, watches: Watches, clock: Clock) -> CatchUp:
    first_seq, last_seq = watches.inbox.durable_seq + 1, watches.commits.last_seq
    before_bytes = relay.passed_bytes
    opened_ms = clock.utc_ms()
    relay.target = site.sync_address
    await _level(watches, clock)
    inbox, linked_ms = watches.inbox, relay.linked_ms
    assert linked_ms is not None
    return CatchUp(
        backlog_seqs=(first_seq, last_seq),
        link_s=(linked_ms - opened_ms) / 1000.0,
        durable_s=(inbox.durable_ms[last_seq] - opened_ms) / 1000.0,
        unpacked_s=(inbox.unpacked_ms[last_seq] - opened_ms) / 1000.0,
        wire_bytes=relay.passed_bytes - before_bytes,
    )


def _plan(options: SyncOptions, site: Site) -> LoadPlan:
    return LoadPlan(
        broker=site.broker,
        site=site.name,
        prefix=f"{_PREFIX}-steady",
        sources=options.sources,
        rate=options.rate,
        seconds=options.seconds,
        metrics=options.metrics,
    )


def _pile(options: SyncOptions, steady: LoadPlan) -> LoadPlan:
    return replace(
        steady,
        prefix=f"{_PREFIX}-outage",
        rate=options.outage_rate,
        seconds=options.outage_seconds,
        batch=options.batch,
    )


def _shown(options: SyncOptions) -> dict[str, float | str]:
    return {
        "steady_rate_per_s": options.rate,
        "steady_seconds": options.seconds,
        "outage_rate_per_s": options.outage_rate,
        "outage_seconds": options.outage_seconds,
        "outage_samples_per_message": options.batch,
        "metrics": options.metrics,
    }


def _sent(results: Iterable[LoadResult]) -> dict[str, int]:
    return {source: count for result in results for source, count in result.sent.items()}


Sizes = Mapping[int, tuple[int, int]]  # values and body bytes of each batch, by sequence number


def _sizes(layout: Layout) -> Sizes:
    return {
        batch.seq: (len(batch.columns.ts_ms), batch.size_bytes) for batch in read_batches(layout)
    }


def _between(sizes: Sizes, first_seq: int, last_seq: int) -> tuple[int, int]:
    """Return values and body bytes of the batches from ``first_seq`` to ``last_seq``."""
    chosen = [size for seq, size in sizes.items() if first_seq <= seq <= last_seq]
    return sum(values for values, _ in chosen), sum(size for _, size in chosen)


def _steady_figures(watches: Watches, phases: Phases, sizes: Sizes) -> dict[str, Figure]:
    last_seq = phases.steady_last_seq
    committed, inbox = watches.commits.seen_ms, watches.inbox
    values, body_bytes = _between(sizes, 1, last_seq)
    return {
        "steady_commit_to_central_ms": distribution(_delays(committed, inbox.durable_ms, last_seq)),
        "steady_commit_to_rows_ms": distribution(_delays(committed, inbox.unpacked_ms, last_seq)),
        "steady_batches": last_seq,
        "steady_values": values,
        "steady_body_bytes_per_value": body_bytes / max(1, values),
        "steady_wire_bytes_per_value": phases.steady_wire_bytes / max(1, values),
    }


def _delays(
    earlier: Mapping[int, int], later: Mapping[int, int], last_seq: int
) -> NDArray[np.float64]:
    both = [seq for seq in earlier.keys() & later.keys() if seq <= last_seq]
    return np.array([later[seq] - earlier[seq] for seq in both], dtype=np.float64)


def _catch_up_figures(catch_up: CatchUp, sizes: Sizes) -> dict[str, Figure]:
    values, body_bytes = _between(sizes, *catch_up.backlog_seqs)
    transfer_s = max(0.001, catch_up.durable_s - catch_up.link_s)
    unpack_s = max(0.001, catch_up.unpacked_s - catch_up.link_s)
    return {
        "backlog_batches": catch_up.backlog_seqs[1] - catch_up.backlog_seqs[0] + 1,
        "backlog_values": values,
        "backlog_body_bytes_per_value": body_bytes / max(1, values),
        "backlog_wire_bytes_per_value": catch_up.wire_bytes / max(1, values),
        "link_back_s": catch_up.link_s,
        "durable_after_s": catch_up.durable_s,
        "rows_after_s": catch_up.unpacked_s,
        "durable_values_per_s": values / transfer_s,
        "rows_per_s": values / unpack_s,
    }
