"""`headframe bench live`: from publishing a sample on MQTT until somebody sees it.

Three places are watched at once: a WebSocket of the edge, one of central, and central's page in a
real browser. Latency of a sample: its own time (the publisher's wall clock when it handed the
message to the MQTT client) until it was there first, by the same machine's clock.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from bench.accounting import COUNTER_METRIC
from bench.background import in_background
from bench.browser import Tab, installed_browser, open_tab
from bench.deliveries import Seen, Times, latencies_ms
from bench.errors import BenchError
from bench.ingest import publisher_notes
from bench.live_socket import SocketWatch, watched_socket
from bench.load import LoadPlan, LoadResult, source_names
from bench.machine import describe_machine
from bench.measure import distribution
from bench.page_watch import look_at_values, numbers_shown
from bench.processes import ProcessWatch
from bench.publishing import publish
from bench.report import Figure, Report
from bench.site import Site, SiteOptions, running_site
from shared.clock import Clock

SETTLE_TIMEOUT_S = 30.0  # how long the last values may take after the publisher has finished
_LOOK_EVERY_S = 0.2
_PREFIX = "bench-live"
_ROLE = "analyst"
_ON_PAGE = 10  # sources that fit the page's table without scrolling


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """The load; ``warmup_s`` at its beginning counts for completeness, not for latency."""

    site: SiteOptions
    rate: float = 200.0  # messages per second, one sample each
    seconds: float = 60.0
    sources: int = 100
    metrics: int = 3
    warmup_s: float = 5.0
    with_browser: bool | None = None  # None: where one is installed


@dataclass(frozen=True, slots=True)
class Places:
    """Where values are looked for."""

    edge: SocketWatch
    central: SocketWatch
    tab: Tab | None

    @property
    def taken_ms(self) -> Times:
        """The times of all samples that arrived anywhere."""
        return {**self.edge.taken_ms, **self.central.taken_ms}


async def bench_live(options: LiveOptions, clock: Clock) -> Report:
    """Start a site, look at it in all places, publish, wait for the last values and report.

    Raises:
        BenchError: if the site, the publisher or the browser cannot run.
    """
    machine = describe_machine(options.site.folder)
    program = _browser(options)
    async with running_site(options.site) as site:
        plan = _plan(options, site)
        async with _places(site, plan, program, clock) as places:
            tab = places.tab
            processes = ProcessWatch([*site.pids, *((tab.pid,) if tab else ())])
            browser = await tab.version() if tab else "none"
            began_s = clock.monotonic_s()
            with in_background(processes.watch, processes.stop):
                sent = await publish(plan, options.site.folder, processes)
                seen = await _settled(places, sent.sent, clock)
            watched_s = clock.monotonic_s() - began_s
    from_ms = sent.began_ms + round(1000 * options.warmup_s)
    return Report(
        bench="live",
        machine=machine,
        options={
            "rate_per_s": options.rate,
            "seconds": options.seconds,
            "sources": options.sources,
            "broker": options.site.mqtt or "embedded nats-server",
            "browser": browser,
        },
        figures=_figures(sent, places, seen, from_ms),
        usage=processes.usage(),
        watched_s=watched_s,
        passed=all(each.delivery.is_whole for each in seen.values()) and not sent.outstanding,
        notes=(*publisher_notes(sent), *_browser_notes(options, program)),
    )


def _browser(options: LiveOptions) -> str | None:
    if options.with_browser is False:
        return None
    program = installed_browser()
    if program is None and options.with_browser:
        raise BenchError("no Chromium is installed, and --browser asks for one")
    return program


def _browser_notes(options: LiveOptions, program: str | None) -> tuple[str, ...]:
    if program is not None:
        return ()
    unwanted = options.with_browser is False
    reason = "--no-browser was given" if unwanted else "no Chromium is installed"
    return (f"The page was not measured: {reason}.",)


@contextlib.asynccontextmanager
async def _places(
    site: Site, plan: LoadPlan, program: str | None, clock: Clock
) -> AsyncGenerator[Places]:
    login = site.account(_ROLE)
    async with (
        watched_socket(site.edge_url, login, plan.prefix, clock) as edge,
        watched_socket(site.central_url, login, plan.prefix, clock) as central,
        contextlib.AsyncExitStack() as browsers,
    ):
        tab = None
        if program is not None:
            folder = site.state_dir.parent
            tab = await browsers.enter_async_context(open_tab(program, folder, clock))
            await look_at_values(tab, site.central_url, login, _search(plan))
        yield Places(edge, central, tab)


def _search(plan: LoadPlan) -> str:
    """Return what finds the counters of the first _ON_PAGE sources and nothing else."""
    tens = source_names(plan)[0][:-1]  # bench-live-000 of bench-live-0000
    return f"/{tens} /{COUNTER_METRIC}"


async def _settled(places: Places, sent: Mapping[str, int], clock: Clock) -> dict[str, Seen]:
    """Return what each place has shown once all show the last values, or at the timeout."""
    on_page = dict(list(sent.items())[:_ON_PAGE])
    until_s = clock.monotonic_s() + SETTLE_TIMEOUT_S
    while True:
        seen = {
            "edge_socket": Seen(sent, places.edge.seen_ms),
            "central_socket": Seen(sent, places.central.seen_ms),
        }
        if places.tab is not None:
            seen["page"] = Seen(on_page, await numbers_shown(places.tab))
        is_complete = not any(each.delivery.behind for each in seen.values())
        if is_complete or clock.monotonic_s() > until_s:
            return seen
        await asyncio.sleep(_LOOK_EVERY_S)


def _plan(options: LiveOptions, site: Site) -> LoadPlan:
    return LoadPlan(
        broker=site.broker,
        site=site.name,
        prefix=_PREFIX,
        sources=options.sources,
        rate=options.rate,
        seconds=options.seconds,
        metrics=options.metrics,
    )


def _figures(
    sent: LoadResult, places: Places, seen: Mapping[str, Seen], from_ms: int
) -> dict[str, Figure]:
    taken_ms = places.taken_ms
    figures: dict[str, Figure] = {
        f"publish_to_{place}_ms": distribution(latencies_ms(taken_ms, each.seen_ms, from_ms))
        for place, each in seen.items()
    }
    figures |= sent.figures
    for place, each in seen.items():
        found = each.delivery
        figures |= {
            f"values_conflated_{place}": found.conflated,
            f"sources_behind_{place}": found.behind,
            f"values_of_nobody_{place}": found.strangers,
        }
    if "page" in seen:  # it shows no times: those are from the sockets' frames
        figures["values_untimed_page"] = len(seen["page"].seen_ms.keys() - taken_ms.keys())
    return figures
