"""A whole site for the length of a benchmark, started with the command that users start it with."""

import contextlib
import json
import socket
import sys
import tomllib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.children import answer_of, lines_of, started
from deploy.publisher import BrokerAddress, parse_address, read_credentials
from edge.log.layout import Layout

READY_TIMEOUT_S = 180.0  # a first start makes a database, certificates and accounts
_MARK = "READY "


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """Where the site lives and which servers it uses instead of the embedded ones."""

    folder: Path  # of the benchmark; the site's state directory is below it
    mqtt: str | None = None  # HOST:PORT of a real broker
    mqtt_credentials: Path | None = None  # accounts at that broker
    postgres: str | None = None  # URL of a real PostgreSQL

    @property
    def state_dir(self) -> Path:
        """The site's state directory."""
        return self.folder / "site"


@dataclass(frozen=True, slots=True)
class Site:
    """A running site."""

    pids: tuple[int, ...]  # processes that, with all below them, are the site
    state_dir: Path
    central_url: str
    edge_url: str
    broker: BrokerAddress
    name: str = "kaduna"
    listener: BrokerAddress | None = None  # the edge's own endpoint, where it is on

    @property
    def edge_configuration(self) -> dict[str, Any]:
        """The edge's configuration file as it was written for this run."""
        return _read_toml(self.state_dir / "edge" / "config.toml")

    @property
    def central_config_file(self) -> Path:
        """Central's configuration as it was written for this run."""
        return self.state_dir / "central" / "config.toml"

    @property
    def sync_address(self) -> tuple[str, int]:
        """Host and port where central listens for edges."""
        url: str = self.edge_configuration["uplink"]["url"]
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        return address.hostname, address.port

    @property
    def edge_log(self) -> Layout:
        """Where the edge keeps its log."""
        return Layout(Path(self.edge_configuration["state_dir"]))

    def account(self, role: str) -> tuple[str, str]:
        """Return user name and password of the account of ``role``."""
        text = (self.state_dir / "credentials.json").read_text(encoding="utf-8")
        entry: dict[str, str] = json.loads(text)[role]
        return entry["username"], entry["password"]


@contextlib.asynccontextmanager
async def running_site(
    options: SiteOptions, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Site]:
    """Start a site without simulator and rate limits; stop all of it at the end.

    Raises:
        BenchError: if it does not get ready; the message holds the end of its output.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    output = options.folder / "up.log"
    async with started(output, *_command(options), environment=environment) as process:
        ready = await answer_of(
            process,
            lambda: _ready(output),
            timeout_s=READY_TIMEOUT_S,
            output=output,
            failed="the site did not get ready",
        )
        yield _site(process.pid, options, ready)


def _command(options: SiteOptions) -> list[str]:
    ports = free_ports(4)
    command = [sys.executable, "-c", "from deploy.cli import main; main()", "up", "--no-sim"]
    command += ["--state", str(options.state_dir), "--rate-limit", "off"]
    command += ["--central-port", str(ports[0]), "--edge-port", str(ports[1])]
    command += ["--control-port", str(ports[2])]
    if options.mqtt is None:
        command += ["--mqtt-port", str(ports[3])]
    else:
        command += ["--mqtt", options.mqtt]
    if options.mqtt_credentials is not None:
        command += ["--mqtt-credentials", str(options.mqtt_credentials)]
    if options.postgres is not None:
        command += ["--postgres", options.postgres]
    return command


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nothing listens on at this moment."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


async def _ready(output: Path) -> dict[str, Any] | None:
    """Return what the site says of itself, once it has said it."""
    for line in lines_of(output):
        if line.startswith(_MARK):
            return json.loads(line.removeprefix(_MARK))
    return None


def _site(pid: int, options: SiteOptions, ready: Mapping[str, Any]) -> Site:
    host, port = parse_address(ready["mqtt"])
    username, password = read_credentials(Path(ready["credentials"]))
    return Site(
        pids=(pid,),
        state_dir=options.state_dir,
        central_url=ready["central"],
        edge_url=ready["edge"],
        broker=BrokerAddress(host, port, username, password),
    )


def _read_toml(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))
