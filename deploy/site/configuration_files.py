"""The configuration files of edge and central for a demo site, rewritten at every start. Pure."""

from dataclasses import dataclass
from pathlib import Path

from deploy.site.certificates import SiteCertificates
from deploy.site.options import EDGE_ID, SITE, SiteOptions, bracketed
from deploy.site.state_dir import StateDir
from deploy.site.toml_text import TomlTable, toml_text

HEADING = "Written by `headframe up` at every start; changes are lost."
UPLINK_BACKOFF_MAX_S = 3  # one edge and no satellite: whoever stops central by hand is watching
OPEN_ROLES = ("operator", "operator_viewer")  # may register themselves, on loopback only


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the processes must know of each other."""

    options: SiteOptions
    state: StateDir
    sync_port: int
    satellite_port: int | None  # of the simulated satellite link, where a scenario is played
    database: str  # libpq text or URL
    database_password_file: Path | None
    edge_username: str | None  # at the broker
    edge_password_file: Path | None
    listener_accounts: Path | None  # who may publish to the edge itself; None: it does not listen
    refusals_file: Path | None  # where the supervisor counts what the broker refused

    @property
    def certificates(self) -> SiteCertificates:
        """The keys and certificates of the site."""
        return SiteCertificates(self.state.certificates)

    @property
    def sync_address(self) -> str:
        """Return where central's listener is reached."""
        host = "127.0.0.1" if self.sync_host == "0.0.0.0" else self.sync_host  # noqa: S104
        return f"{bracketed(host)}:{self.sync_port}"

    @property
    def dialled_sync(self) -> str:
        """Return what the edge dials: central, or the simulated satellite before it."""
        if self.satellite_port is None:
            return self.sync_address
        return f"127.0.0.1:{self.satellite_port}"

    @property
    def satellite(self) -> str | None:
        """Return the relay the simulator runs, as LISTEN=TARGET, if there is one."""
        if self.satellite_port is None:
            return None
        return f"{self.dialled_sync}={self.sync_address}"

    @property
    def sync_host(self) -> str:
        """Where central listens for edges."""
        return "127.0.0.1" if self.options.on_loopback else self.options.host


def central_configuration(wiring: Wiring) -> str:
    """Return central's configuration as TOML."""
    options, certificates = wiring.options, wiring.certificates
    table: TomlTable = {
        "database": {"url": wiring.database, "password_file": wiring.database_password_file},
        "auth": {
            "signing_key_file": certificates.central_signing_key,
            "open_roles": OPEN_ROLES if options.on_loopback else (),
        },
        "sync": {
            "host": wiring.sync_host,
            "port": wiring.sync_port,
            "cert_file": certificates.central,
            "key_file": certificates.central_key,
            "client_ca_file": certificates.authority,
        },
        "api": _web_face(options, options.central_port),
        "public_urls": _public_urls(options),
    }
    return toml_text(table, HEADING)


def edge_configuration(wiring: Wiring) -> str:
    """Return the edge's configuration as TOML."""
    options, certificates = wiring.options, wiring.certificates
    broker = options.broker
    table: TomlTable = {
        "site": SITE,
        "edge_id": EDGE_ID,
        "state_dir": wiring.state.edge,
        "mqtt": {
            "host": broker.host if broker else dialled_mqtt(options),
            "port": broker.port if broker else options.mqtt_port,
            "username": wiring.edge_username,
            "password_file": wiring.edge_password_file,
            "refusals_file": wiring.refusals_file,
        },
        "listener": _listener(wiring),
        "uplink": {
            "url": f"wss://{wiring.dialled_sync}/sync/v1",
            "ca_file": certificates.authority,
            "cert_file": certificates.edge,
            "key_file": certificates.edge_key,
            "backoff_max_s": UPLINK_BACKOFF_MAX_S,
        },
        "api": {
            **_web_face(options, options.edge_port),
            "jwks_file": certificates.jwks,
            "accounts_file": wiring.state.edge / "accounts.json",
            "signing_key_file": certificates.edge_signing_key,
        },
        "public_urls": _public_urls(options),
    }
    return toml_text(table, HEADING)


def dialled_mqtt(options: SiteOptions) -> str:
    """Return the host under which the embedded broker is reached."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.mqtt_host, options.mqtt_host)  # noqa: S104


def _listener(wiring: Wiring) -> TomlTable:
    options = wiring.options
    if wiring.listener_accounts is None or options.listener_port is None:
        return {}
    return {
        "enabled": True,
        "host": options.listener_host,
        "port": options.listener_port,
        "accounts_file": wiring.listener_accounts,
        "tls_cert_file": options.tls_cert,
        "tls_key_file": options.tls_key,
        "insecure": options.insecure,
    }


def _web_face(options: SiteOptions, port: int) -> dict[str, str | int | Path | None]:
    limit = options.rate_limit_per_minute
    return {
        "host": options.host,
        "port": port,
        "tls_cert_file": options.tls_cert,
        "tls_key_file": options.tls_key,
        "rate_limit_per_minute": limit,
        "rate_limit_anonymous_per_minute": limit,
    }


def _public_urls(options: SiteOptions) -> TomlTable:
    return {
        "api": options.web_address("http", options.central_port),
        "edge": options.web_address("http", options.edge_port),
        "ws": options.web_address("ws", options.central_port),
    }
