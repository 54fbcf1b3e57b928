"""The options of `up`, parsed once into one frozen value, and whether they go together."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import SiteUsageError
from deploy.publisher import BrokerAddress
from deploy.sim.scenarios import read_scenario

SITE = "kaduna"
EDGE_ID = "edge-1"
RATE_LIMIT_OFF = 0


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """What the user chose; ports are TCP ports."""

    state: Path
    host: str = "127.0.0.1"
    central_port: int = 8000
    edge_port: int = 8100
    control_port: int = 8101
    mqtt_port: int = 1883
    listener_port: int | None = None  # None: devices publish by the broker only
    sync_port: int | None = None  # None: a free one, kept in the state directory
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    with_sim: bool = True
    scenario: str | None = None  # a script of the simulated mine; its satellite link is played, too
    rate_limit_per_minute: int | None = None  # None: the defaults; RATE_LIMIT_OFF: none
    postgres_url: str | None = None
    broker: BrokerAddress | None = None
    broker_credentials: Path | None = None

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the site."""
        return is_loopback(self.host)

    @property
    def with_tls(self) -> bool:
        """Whether the web listeners speak TLS."""
        return self.tls_cert is not None

    @property
    def reachable_host(self) -> str:
        """The host to put into addresses: a wildcard cannot be dialled."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def mqtt_host(self) -> str:
        """Where the embedded broker listens: it has no TLS, so beyond loopback only if told."""
        return self.host if self.on_loopback or self.insecure else "127.0.0.1"

    @property
    def listener_host(self) -> str:
        """Where the edge listens for devices: beyond loopback with the web's TLS, or if told."""
        return self.host if self.with_tls else self.mqtt_host

    def web_address(self, scheme: str, port: int) -> str:
        """Return ``scheme://host:port``, with the scheme's TLS form where TLS is on."""
        return f"{scheme}{'s' if self.with_tls else ''}://{bracketed(self.reachable_host)}:{port}"


def check_options(options: SiteOptions) -> None:
    """Return if the options go together.

    Raises:
        SiteUsageError: naming the option that does not.
    """
    if (options.tls_cert is None) != (options.tls_key is None):
        raise SiteUsageError("--tls-cert and --tls-key belong together; one of them is missing")
    for option, file in (("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)):
        if file is not None and not file.is_file():
            raise SiteUsageError(f"{option} {file}: no such file")
    if not options.on_loopback and not options.with_tls and not options.insecure:
        raise SiteUsageError(
            f"--host {options.host}: other machines could reach the site without encryption;"
            " give --tls-cert and --tls-key, or --insecure if that is meant"
        )
    if options.scenario is not None:
        if not options.with_sim:
            raise SiteUsageError("--scenario: the simulated mine plays it; leave out --no-sim")
        read_scenario(options.scenario)
    _check_broker_accounts(options)


def _check_broker_accounts(options: SiteOptions) -> None:
    lacks_account = options.broker is not None and options.broker_credentials is None
    if options.listener_port is not None and lacks_account:
        raise SiteUsageError(
            "--listener-port: nobody may publish without an account;"
            " with --mqtt, --mqtt-credentials is the device's"
        )
    if options.broker_credentials is not None and options.broker is None:
        raise SiteUsageError("--mqtt-credentials: only with --mqtt HOST:PORT")


def parse_rate_limit(text: str | None) -> int | None:
    """Return the limit per minute in ``text``, ``RATE_LIMIT_OFF`` for "off", None for None.

    Raises:
        SiteUsageError: if it is something else.
    """
    if text is None:
        return None
    if text == "off":
        return RATE_LIMIT_OFF
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SiteUsageError(f"--rate-limit {text}: expected a number of requests or off")
    return int(text)


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine alone; a name other than localhost is not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """Return ``host`` as it stands in an address with a port."""
    return f"[{host}]" if ":" in host else host
