"""Everything that must lie in the state directory before the first child starts."""

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import SiteUsageError
from deploy.publisher import BrokerAddress
from deploy.site.broker import (
    BrokerPlan,
    configuration_text,
    device_user,
    edge_user,
    store_size_bytes,
)
from deploy.site.central_accounts import CentralAccounts
from deploy.site.certificates import SiteCertificates, ensure_certificates
from deploy.site.configuration_files import (
    Wiring,
    central_configuration,
    dialled_mqtt,
    edge_configuration,
)
from deploy.site.credentials import (
    MAIL_DOMAIN,
    Login,
    broker_login,
    ensure_credentials,
    publishers_text,
)
from deploy.site.options import EDGE_ID, SITE, SiteOptions, bracketed
from deploy.site.ports import remembered_port
from deploy.site.postgres_account import choose_account
from deploy.site.postgres_binaries import find_binaries
from deploy.site.postgres_cluster import Cluster
from deploy.site.postgres_roles import check_server, connection_text
from deploy.site.postgres_settings import APPLICATION_ROLE, DATABASE
from deploy.site.private_files import kept_password, write_private
from deploy.site.probes import port_answers
from deploy.site.refusal_counts import refusals_file
from deploy.site.runtime_dir import open_runtime_dir
from deploy.site.site_table import SiteParts
from deploy.site.state_dir import StateDir
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class _Broker:
    """How the edge and the simulator reach the broker."""

    monitor_port: int | None
    edge: Login
    edge_password_file: Path | None
    sim_credentials: Path | None


async def prepare_site(options: SiteOptions, state: StateDir, clock: Clock) -> SiteParts:
    """Make keys, passwords and configuration files; return what the children are made from.

    Raises:
        SiteUsageError: if a given server or file cannot be used.
        SiteError: if a part of the installation is missing.
    """
    if options.broker is not None:
        await _check_broker(options.broker)
    runtime = open_runtime_dir(state)
    cluster = await _cluster(options, state, runtime)
    _make_certificates(options, state, clock)
    device = broker_login(state, options)
    logins = ensure_credentials(state, device)
    broker = _broker(options, state, device)
    wiring = _wiring(options, state, cluster, broker)
    if wiring.listener_accounts is not None:
        write_private(wiring.listener_accounts, publishers_text(device))
    write_private(state.central / "config.toml", central_configuration(wiring))
    write_private(state.edge / "config.toml", edge_configuration(wiring))
    given = options.broker
    return SiteParts(
        options=options,
        state=state,
        runtime=runtime,
        cluster=cluster,
        monitor_port=broker.monitor_port,
        accounts=CentralAccounts(
            state.central / "config.toml", logins, state.edge / "accounts.json"
        ),
        broker_address=(given.host, given.port)
        if given
        else (dialled_mqtt(options), options.mqtt_port),
        sim_credentials=broker.sim_credentials,
        satellite=wiring.satellite,
    )


async def _check_broker(broker: BrokerAddress) -> None:
    if not await port_answers(broker.host, broker.port):
        address = f"{bracketed(broker.host)}:{broker.port}"
        raise SiteUsageError(f"--mqtt: no broker answers at {address}")


async def _cluster(options: SiteOptions, state: StateDir, runtime: Path) -> Cluster | None:
    if options.postgres_url is not None:
        await check_server(options.postgres_url)
        return None
    binaries = find_binaries()
    account = await choose_account(binaries, state.root)
    return Cluster(state, binaries, account, runtime / "pg")


def _make_certificates(options: SiteOptions, state: StateDir, clock: Clock) -> None:
    hosts = () if options.on_loopback else (options.reachable_host,)
    ensure_certificates(
        SiteCertificates(state.certificates),
        node=f"{SITE}/{EDGE_ID}",
        hosts=hosts,
        now_ms=clock.utc_ms(),
    )


def _broker(options: SiteOptions, state: StateDir, device: Login) -> _Broker:
    if options.broker is not None:
        return _given_broker(state, device)
    edge_file = state.secrets / "broker-edge"
    edge = Login(f"edge@{MAIL_DOMAIN}", kept_password(edge_file))
    sim = Login(f"sim@{MAIL_DOMAIN}", kept_password(state.secrets / "broker-sim"))
    monitor_port = remembered_port(state, "broker-monitor")
    plan = BrokerPlan(
        host=options.mqtt_host,
        port=options.mqtt_port,
        monitor_port=monitor_port,
        folder=state.nats,
        store_size_max_bytes=store_size_bytes(state.nats),
        users=(
            edge_user(edge.username, edge.password),
            device_user(device.username, device.password, SITE),
            device_user(sim.username, sim.password, SITE),
        ),
    )
    write_private(state.secrets / "broker.conf", configuration_text(plan))
    return _Broker(monitor_port, edge, edge_file, _sim_credentials(state, sim))


def _given_broker(state: StateDir, device: Login) -> _Broker:
    if not device.username:
        return _Broker(None, device, None, None)
    password_file = state.secrets / "broker-given"
    write_private(password_file, device.password + "\n")
    return _Broker(None, device, password_file, _sim_credentials(state, device))


def _sim_credentials(state: StateDir, login: Login) -> Path:
    file = state.sim / "credentials.json"
    entry = {"username": login.username, "password": login.password}
    write_private(file, json.dumps({"mqtt": entry}) + "\n")
    return file


def _satellite_port(options: SiteOptions, state: StateDir) -> int | None:
    return remembered_port(state, "satellite") if options.scenario is not None else None


def _wiring(
    options: SiteOptions, state: StateDir, cluster: Cluster | None, broker: _Broker
) -> Wiring:
    if cluster is None:
        assert options.postgres_url is not None
        database, password_file = options.postgres_url, None
    else:
        password_file = cluster.application_password_file
        kept_password(password_file)
        database = connection_text(cluster.socket_folder, user=APPLICATION_ROLE, database=DATABASE)
    return Wiring(
        options=options,
        state=state,
        sync_port=options.sync_port or remembered_port(state, "sync"),
        satellite_port=_satellite_port(options, state),
        database=database,
        database_password_file=password_file,
        edge_username=broker.edge.username or None,
        edge_password_file=broker.edge_password_file,
        listener_accounts=None
        if options.listener_port is None
        else state.secrets / "publishers.json",
        refusals_file=None if broker.monitor_port is None else refusals_file(state),
    )
