"""The table of a site's children: who they are, what they need, in which order they come and go."""

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.site.broker import broker_launch, has_room_to_start
from deploy.site.central_accounts import CentralAccounts
from deploy.site.children import ChildSpec, Launch, nothing
from deploy.site.leftovers import FAST_SHUTDOWN, IMMEDIATE_SHUTDOWN, POSTGRES
from deploy.site.notify_socket import NotifySocket
from deploy.site.options import SITE, SiteOptions, bracketed
from deploy.site.postgres_cluster import Cluster, prepare_cluster
from deploy.site.postgres_roles import ensure_application_role, server_answers
from deploy.site.private_files import kept_password
from deploy.site.probes import http_answers
from deploy.site.program import own_program
from deploy.site.state_dir import StateDir
from deploy.site.supervision import ChildTimes

BROKER, CENTRAL, WORKER, EDGE, SIM = "broker", "central", "worker", "edge", "sim"


# Whoever is needed comes first. Within a stage all start at once.
START_STAGES = ((POSTGRES, BROKER), (CENTRAL,), (WORKER, EDGE), (SIM,))

# Whoever feeds stops first, whoever keeps stops last. Within a stage all stop at once.
STOP_STAGES = ((SIM,), (EDGE,), (WORKER, CENTRAL), (BROKER,), (POSTGRES,))

# The stop timeouts of the stages sum up to 9.8 s, the promise being 10 s in total.
TIMES = {
    POSTGRES: ChildTimes(start_timeout_s=60.0, stop_timeout_s=2.0),  # may replay its log
    BROKER: ChildTimes(start_timeout_s=30.0, stop_timeout_s=0.8),
    CENTRAL: ChildTimes(start_timeout_s=60.0, stop_timeout_s=2.0),  # migrates at its start
    WORKER: ChildTimes(start_timeout_s=60.0, stop_timeout_s=2.0),
    EDGE: ChildTimes(start_timeout_s=60.0, stop_timeout_s=4.0),  # commits what it has received
    SIM: ChildTimes(start_timeout_s=30.0, stop_timeout_s=1.0),
}


@dataclass(frozen=True, slots=True)
class SiteParts:
    """What the rows of the table are made from."""

    options: SiteOptions
    state: StateDir
    runtime: Path  # folder of sockets
    cluster: Cluster | None  # None: --postgres
    monitor_port: int | None  # of the embedded broker; None: --mqtt
    accounts: CentralAccounts
    broker_address: tuple[str, int]
    sim_credentials: Path | None
    satellite: str | None  # LISTEN=TARGET of the simulated link, where a scenario is played


def child_table(parts: SiteParts) -> list[ChildSpec]:
    """Return the children of this site."""
    rows: list[ChildSpec] = []
    if parts.cluster is not None:
        rows.append(_postgres(parts.cluster))
    if parts.monitor_port is not None:
        rows.append(_broker(parts, parts.monitor_port))
    rows += [_central(parts), _worker(parts), _edge(parts)]
    if parts.options.with_sim:
        rows.append(_sim(parts))
    return rows


def present_stages(
    stages: tuple[tuple[str, ...], ...], rows: list[ChildSpec]
) -> list[tuple[str, ...]]:
    """Return ``stages`` without the children that this site does not have."""
    present = {row.name for row in rows}
    return [tuple(name for name in stage if name in present) for stage in stages]


def _postgres(cluster: Cluster) -> ChildSpec:
    admin = cluster.admin_password_file

    async def prepare() -> None:
        await prepare_cluster(cluster)

    async def answers() -> bool:
        return await server_answers(cluster.socket_folder, kept_password(admin))

    async def make_role() -> None:
        await ensure_application_role(
            cluster.socket_folder,
            admin_password=kept_password(admin),
            application_password=kept_password(cluster.application_password_file),
        )

    return ChildSpec(
        name=POSTGRES,
        launch=cluster.launch,
        times=TIMES[POSTGRES],
        answers=answers,
        before_first_start=prepare,
        after_first_ready=make_role,
        stop_signal=FAST_SHUTDOWN,
        kill_signals=(IMMEDIATE_SHUTDOWN, signal.SIGKILL),
    )


def _broker(parts: SiteParts, monitor_port: int) -> ChildSpec:
    async def answers() -> bool:
        return await http_answers("127.0.0.1", monitor_port, "/healthz")

    async def fault() -> str | None:
        # After a full disk it refuses to store until it is started again, however much is free.
        is_unwell = has_room_to_start(parts.state.nats) and not await answers()
        return "it cannot store messages" if is_unwell else None

    return ChildSpec(
        name=BROKER,
        launch=lambda: broker_launch(parts.state.secrets / "broker.conf"),
        times=TIMES[BROKER],
        answers=answers,
        fault=fault,
    )


def _central(parts: SiteParts) -> ChildSpec:
    command = _daemon_command("headframe-central", "run", parts.state.central)
    ready = parts.accounts.ensure
    return _daemon(parts, CENTRAL, command, port=parts.options.central_port, after=ready)


def _worker(parts: SiteParts) -> ChildSpec:
    command = _daemon_command("headframe-central", "worker", parts.state.central)
    return _daemon(parts, WORKER, command)


def _edge(parts: SiteParts) -> ChildSpec:
    command = _daemon_command("headframe-edge", "run", parts.state.edge)
    return _daemon(parts, EDGE, command, port=parts.options.edge_port)


def _daemon_command(program: str, verb: str, folder: Path) -> tuple[str, ...]:
    return (*own_program(program), verb, "--config", str(folder / "config.toml"))


def _daemon(
    parts: SiteParts,
    name: str,
    command: tuple[str, ...],
    *,
    port: int | None = None,
    after: Callable[[], Awaitable[None]] = nothing,
) -> ChildSpec:
    """Return the row of a process of ours: up when it says so and its ``port``, if any, agrees."""
    notify = NotifySocket(parts.runtime / f"notify-{name}")

    def launch() -> Launch:
        notify.reset()
        return Launch(command, parts.state.root, {"NOTIFY_SOCKET": str(notify.path)})

    async def answers() -> bool:
        return notify.is_ready and (port is None or await _web_answers(parts, port))

    return ChildSpec(name, launch, TIMES[name], answers=answers, after_first_ready=after)


def _sim(parts: SiteParts) -> ChildSpec:
    host, port = parts.broker_address
    options = ["--site", SITE, "--mqtt", f"{bracketed(host)}:{port}"]
    if parts.sim_credentials is not None:
        options += ["--credentials", str(parts.sim_credentials)]
    if parts.options.scenario is not None:
        options += ["--scenario", parts.options.scenario]
    if parts.satellite is not None:
        options += ["--satellite", parts.satellite]
    command = (*own_program("headframe"), "sim", *options)
    return ChildSpec(SIM, lambda: Launch(command, parts.state.root), TIMES[SIM])


async def _web_answers(parts: SiteParts, port: int) -> bool:
    options = parts.options
    return await http_answers(options.reachable_host, port, "/readyz", certificate=options.tls_cert)
