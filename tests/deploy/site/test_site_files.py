"""The files that `up` writes are those that edge, central and people read."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from central.config import CentralConfig
from deploy.errors import SiteUsageError
from deploy.publisher import BrokerAddress
from deploy.site.certificates import SiteCertificates
from deploy.site.configuration_files import Wiring, central_configuration, edge_configuration
from deploy.site.credentials import Login, broker_login, ensure_credentials, publishers_text
from deploy.site.options import SiteOptions, check_options
from deploy.site.private_files import kept_password, write_private
from deploy.site.runtime_dir import SOCKET_PATH_MAX_BYTES, open_runtime_dir
from deploy.site.state_dir import StateDir, open_state_dir
from deploy.site.toml_text import toml_text
from edge.config import EdgeConfig, ListenerConfig
from edge.ingest.listener.settings import listener_faults

ROLES = {
    *("admin", "remote_engineer", "safety_officer", "maintenance_tech", "supervisor"),
    *("operator", "operator_viewer", "analyst"),
}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return open_state_dir(tmp_path / "state")


def wiring(state: StateDir, options: SiteOptions) -> Wiring:
    return Wiring(
        options=options,
        state=state,
        satellite_port=None,
        sync_port=8443,
        database="host='/run/x' dbname=headframe",
        database_password_file=state.secrets / "postgres-application",
        edge_username="edge@kaduna.example",
        edge_password_file=state.secrets / "broker-edge",
        listener_accounts=None
        if options.listener_port is None
        else state.secrets / "publishers.json",
        refusals_file=state.run / "broker-refusals.json",
    )


def test_the_edge_listens_for_devices_where_that_is_asked_for(
    state: StateDir, tmp_path: Path
) -> None:
    def listener(options: SiteOptions) -> ListenerConfig:
        text = edge_configuration(wiring(state, options))
        return EdgeConfig.model_validate(tomllib.loads(text)).listener

    assert not listener(SiteOptions(state.root)).enabled
    asked = listener(SiteOptions(state.root, listener_port=8883))
    assert (asked.enabled, asked.host, asked.port) == (True, "127.0.0.1", 8883)
    accounts = state.secrets / "publishers.json"
    assert asked.accounts_file == accounts
    accounts.write_text(publishers_text(Login("mqtt@kaduna.example", "changed by hand")))
    assert list(listener_faults(asked)) == []
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    reached = SiteOptions(state.root, host="0.0.0.0", listener_port=1, tls_cert=cert, tls_key=key)
    assert (listener(reached).host, listener(reached).tls_cert_file) == ("0.0.0.0", cert)


def test_central_accepts_its_configuration(state: StateDir) -> None:
    text = central_configuration(wiring(state, SiteOptions(state.root, central_port=9000)))
    config = CentralConfig.model_validate(tomllib.loads(text))
    assert (config.api.port, config.sync.port) == (9000, 8443)
    assert config.auth.open_roles == ("operator", "operator_viewer")
    assert config.auth.signing_key_file == SiteCertificates(state.certificates).central_signing_key


def test_nobody_registers_himself_on_a_site_that_others_can_reach(state: StateDir) -> None:
    text = central_configuration(wiring(state, SiteOptions(state.root, host="::", insecure=True)))
    assert CentralConfig.model_validate(tomllib.loads(text)).auth.open_roles == ()


def test_the_edge_accepts_its_configuration(state: StateDir) -> None:
    text = edge_configuration(wiring(state, SiteOptions(state.root, mqtt_port=2883)))
    config = EdgeConfig.model_validate(tomllib.loads(text))
    assert (config.site, config.edge_id, config.mqtt.port) == ("kaduna", "edge-1", 2883)
    assert config.uplink.url == "wss://127.0.0.1:8443/sync/v1"
    assert config.state_dir == state.edge


def test_the_edge_is_told_of_another_broker(state: StateDir) -> None:
    options = SiteOptions(state.root, broker=BrokerAddress("broker.mine", 8883))
    config = EdgeConfig.model_validate(tomllib.loads(edge_configuration(wiring(state, options))))
    assert (config.mqtt.host, config.mqtt.port) == ("broker.mine", 8883)


@pytest.mark.parametrize(("limit", "expected"), [(None, (1000, 60)), (7, (7, 7)), (0, (0, 0))])
def test_the_rate_limit_reaches_both(
    state: StateDir, limit: int | None, expected: tuple[int, int]
) -> None:
    files = wiring(state, SiteOptions(state.root, rate_limit_per_minute=limit))
    for api in (
        CentralConfig.model_validate(tomllib.loads(central_configuration(files))).api,
        EdgeConfig.model_validate(tomllib.loads(edge_configuration(files))).api,
    ):
        assert (api.rate_limit_per_minute, api.rate_limit_anonymous_per_minute) == expected


def test_there_is_one_account_per_role_and_a_device(state: StateDir) -> None:
    ensure_credentials(state, Login("mqtt@kaduna.example", "secret"))
    table = json.loads(state.credentials.read_text())
    assert set(table) == {*ROLES, "mqtt"}
    assert all("@" in entry["username"] for entry in table.values())
    assert len({entry["password"] for entry in table.values()}) == len(table)
    assert state.credentials.stat().st_mode & 0o777 == 0o600


def test_a_restart_keeps_every_password(state: StateDir) -> None:
    options = SiteOptions(state.root)
    first = ensure_credentials(state, broker_login(state, options))
    before = state.credentials.read_bytes()
    assert ensure_credentials(state, broker_login(state, options)) == first
    assert state.credentials.read_bytes() == before


def test_another_broker_brings_its_own_login(state: StateDir, tmp_path: Path) -> None:
    file = tmp_path / "login.json"
    file.write_text('{"username": "probe", "password": "p"}')
    broker = BrokerAddress("h", 1)
    options = SiteOptions(state.root, broker=broker, broker_credentials=file)
    assert broker_login(state, options) == Login("probe", "p")
    assert broker_login(state, SiteOptions(state.root, broker=broker)) == Login("", "")


def test_a_login_file_without_a_login_is_refused(state: StateDir, tmp_path: Path) -> None:
    (tmp_path / "login.json").write_text("{}")
    options = SiteOptions(
        state.root,
        broker=BrokerAddress("h", 1),
        broker_credentials=tmp_path / "login.json",
    )
    with pytest.raises(SiteUsageError, match="--mqtt-credentials"):
        broker_login(state, options)


def test_toml_survives_every_character() -> None:
    values = {"a": 'quote " back \\ del \x7f tab \t ünïcode', "b": True, "c": 1.5, "d": ("x", "y")}
    table = {**values, "none": None, "inner": {"p": Path("/x y"), "deep": {"n": 1}}}
    assert tomllib.loads(toml_text(table, "heading")) == {
        **values,
        "d": ["x", "y"],
        "inner": {"p": "/x y", "deep": {"n": 1}},
    }


def test_a_private_file_is_replaced_whole_and_closed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_a_password_is_made_once(tmp_path: Path) -> None:
    assert kept_password(tmp_path / "p") == kept_password(tmp_path / "p")
    assert len(kept_password(tmp_path / "p")) == 28


def test_sockets_lie_in_the_state_directory_where_the_path_is_short(state: StateDir) -> None:
    assert open_runtime_dir(state) == state.run


def test_a_deep_state_directory_has_its_sockets_elsewhere_and_keeps_the_place(
    tmp_path: Path,
) -> None:
    deep = open_state_dir(tmp_path / ("d" * 60) / ("e" * 60))
    folder = open_runtime_dir(deep)
    try:
        assert len(str(folder / "pg/.s.PGSQL.5432")) < SOCKET_PATH_MAX_BYTES
        assert open_runtime_dir(deep) == folder
        folder.chmod(0o777)  # somebody else could have put a socket there
        other = open_runtime_dir(deep)
        assert other != folder
        other.rmdir()
    finally:
        folder.rmdir()


def test_a_scenario_puts_the_simulated_satellite_between_edge_and_central(state: StateDir) -> None:
    played = replace(
        wiring(state, SiteOptions(state.root, scenario="satellite-cut")), satellite_port=7443
    )
    config = EdgeConfig.model_validate(tomllib.loads(edge_configuration(played)))
    assert config.uplink.url == "wss://127.0.0.1:7443/sync/v1"
    assert played.satellite == "127.0.0.1:7443=127.0.0.1:8443"


def test_a_scenario_needs_the_simulated_mine(state: StateDir) -> None:
    with pytest.raises(SiteUsageError, match="--scenario"):
        check_options(SiteOptions(state.root, scenario="satellite-cut", with_sim=False))
    with pytest.raises(SiteUsageError, match="gas-inflow, satellite-cut"):
        check_options(SiteOptions(state.root, scenario="volcano"))
