"""A whole site in the foreground: prepared, started, kept alive, stopped. The wiring of `up`."""

import asyncio
import os
import signal
from collections.abc import Callable

from deploy.errors import SiteError
from deploy.site.announcements import Announcer
from deploy.site.child import Surroundings
from deploy.site.leftovers import find_leftovers, stop_leftovers
from deploy.site.options import SiteOptions, bracketed, check_options
from deploy.site.ports import PortClaim, check_free
from deploy.site.preparation import prepare_site
from deploy.site.site_table import (
    START_STAGES,
    STOP_STAGES,
    SiteParts,
    child_table,
    present_stages,
)
from deploy.site.state_dir import StateDir, open_state_dir, owned, unusable
from deploy.site.supervisor import Supervisor
from shared.clock import Clock


async def run_site(options: SiteOptions, announcer: Announcer, clock: Clock) -> None:
    """Run the site until SIGTERM, SIGINT or SIGHUP; a second signal forces the end.

    Raises:
        SiteUsageError: if options, ports or the state directory do not allow a start.
        SiteError: if the site cannot be started. In both cases nothing is left running.
    """
    check_options(options)
    stop = _StopSignals()
    state = open_state_dir(options.state)
    with owned(state):
        await _clear_leftovers(state, announcer, clock)
        check_free(port_claims(options))
        try:
            parts = await prepare_site(options, state, clock)
        except OSError as error:
            raise unusable(state.root, error) from error
        await _supervise(parts, stop, Surroundings(state, announcer, clock))


def port_claims(options: SiteOptions) -> list[PortClaim]:
    """Return the ports that the site will listen on, with the options that choose them."""
    claims = [
        PortClaim("--central-port", options.host, options.central_port),
        PortClaim("--edge-port", options.host, options.edge_port),
    ]
    if options.broker is None:
        claims.append(PortClaim("--mqtt-port", options.mqtt_host, options.mqtt_port))
    if options.listener_port is not None:
        claims.append(PortClaim("--listener-port", options.listener_host, options.listener_port))
    if options.sync_port is not None:
        claims.append(PortClaim("--sync-port", options.host, options.sync_port))
    return claims


def ready_facts(parts: SiteParts) -> dict[str, object]:
    """Return what the READY line tells."""
    options = parts.options
    host, port = parts.broker_address
    central = options.web_address("http", options.central_port)
    facts: dict[str, object] = {
        "central": central,
        "edge": options.web_address("http", options.edge_port),
        "mqtt": f"{bracketed(host)}:{port}",
        "dashboard": f"{central}/",
        "credentials": str(parts.state.credentials),
        "pid": os.getpid(),
    }
    if options.listener_port is not None:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.listener_host)  # noqa: S104
        facts["listener"] = f"{bracketed(host or options.listener_host)}:{options.listener_port}"
    return facts


class _StopSignals:
    """Counts the requests to stop; from the second on, ``hurry`` is called."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurry: Callable[[], None] = _ignore
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        if self.asked.is_set():
            self.hurry()
        self.asked.set()


def _ignore() -> None:
    return


async def _clear_leftovers(state: StateDir, announcer: Announcer, clock: Clock) -> None:
    leftovers = find_leftovers(state)
    if leftovers:
        names = ", ".join(f"{leftover.name} ({leftover.pid})" for leftover in leftovers)
        announcer.progress(f"stopping what an earlier run left behind: {names}")
        await stop_leftovers(leftovers, clock)
    for record in state.run.glob("child-*.json"):
        record.unlink(missing_ok=True)


async def _supervise(parts: SiteParts, stop: _StopSignals, around: Surroundings) -> None:
    rows = child_table(parts)
    supervisor = Supervisor(
        rows,
        start_stages=present_stages(START_STAGES, rows),
        stop_stages=present_stages(STOP_STAGES, rows),
        around=around,
    )
    stop.hurry = supervisor.hurry
    failure: SiteError | None = None
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run(), name="supervisor")
        try:
            failure = await _until_asked(supervisor, stop.asked, parts, around.announcer)
            around.announcer.progress("stopping")
        finally:
            await supervisor.stop_all()
    if failure is not None:
        raise failure
    around.announcer.progress("stopped")


async def _until_asked(
    supervisor: Supervisor, asked: asyncio.Event, parts: SiteParts, announcer: Announcer
) -> SiteError | None:
    """Return when the end is asked for, or with the reason why the start failed."""

    async def start() -> SiteError | None:
        try:
            await supervisor.start_all()
        except SiteError as error:
            return error
        except OSError as error:
            return unusable(parts.state.root, error)
        announcer.ready(ready_facts(parts))
        return None

    async with asyncio.TaskGroup() as group:
        starting = group.create_task(start(), name="start")
        waiting = group.create_task(asked.wait(), name="asked")
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return None
        if starting.result() is None:
            await waiting
        waiting.cancel()
        return starting.result()
