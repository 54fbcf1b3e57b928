"""One edge and the embedded broker, without central: the edge's own figures, undisturbed."""

import contextlib
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from bench.children import answer_of, started
from bench.site import Site, SiteOptions, free_ports
from deploy.publisher import BrokerAddress
from deploy.site.broker import (
    BrokerPlan,
    broker_launch,
    configuration_text,
    device_user,
    edge_user,
    store_size_bytes,
)
from deploy.site.options import EDGE_ID, SITE
from deploy.site.private_files import write_private
from deploy.site.probes import http_answers, port_answers
from deploy.site.toml_text import TomlTable, toml_text
from edge.ingest.listener.accounts_file import hash_generated

_START_TIMEOUT_S = 30.0
_FOLDER_MODE = 0o700
_PASSWORD = "bench"  # noqa: S105  # a broker on loopback that lives as long as the measurement
_DEVICE, _EDGE = "device", "edge"


@contextlib.asynccontextmanager
async def edge_alone(options: SiteOptions) -> AsyncGenerator[Site]:
    """Start the broker and ``headframe-edge run``; stop both at the end.

    Raises:
        BenchError: if one of them does not answer in time. SiteError: no embedded broker.
    """
    mqtt_port, monitor_port, api_port, listener_port = free_ports(4)
    broker_file = _write_broker(options.state_dir / "nats", mqtt_port, monitor_port)
    edge_file = _write_edge(options.state_dir / "edge", mqtt_port, api_port, listener_port)
    broker_log, edge_log = (options.folder / name for name in ("broker.log", "edge.log"))
    async with started(broker_log, *broker_launch(broker_file).command) as broker:
        await _until(broker, lambda: port_answers("127.0.0.1", mqtt_port), broker_log)
        command = (sys.executable, "-m", "edge", "run", "--config", str(edge_file))
        async with started(edge_log, *command) as edge:
            await _until(edge, lambda: http_answers("127.0.0.1", api_port, "/readyz"), edge_log)
            yield Site(
                pids=(broker.pid, edge.pid),
                state_dir=options.state_dir,
                central_url="",
                edge_url=f"http://127.0.0.1:{api_port}",
                broker=BrokerAddress("127.0.0.1", mqtt_port, _DEVICE, _PASSWORD),
                listener=BrokerAddress("127.0.0.1", listener_port, _DEVICE, _PASSWORD),
            )


def _write_broker(folder: Path, mqtt_port: int, monitor_port: int) -> Path:
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    plan = BrokerPlan(
        host="127.0.0.1",
        port=mqtt_port,
        monitor_port=monitor_port,
        folder=folder,
        store_size_max_bytes=store_size_bytes(folder),
        users=(edge_user(_EDGE, _PASSWORD), device_user(_DEVICE, _PASSWORD, SITE)),
    )
    file = folder / "nats.conf"
    write_private(file, configuration_text(plan))
    return file


def _write_edge(folder: Path, mqtt_port: int, api_port: int, listener_port: int) -> Path:
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    password_file = folder / "mqtt-password"
    write_private(password_file, _PASSWORD + "\n")
    accounts_file = folder / "publishers.json"
    account = {
        "username": _DEVICE,
        "password_hash": hash_generated(_PASSWORD),
        "devices": ["*"],
    }
    write_private(accounts_file, json.dumps([account]) + "\n")
    table: TomlTable = {
        "site": SITE,
        "edge_id": EDGE_ID,
        "state_dir": folder,
        "mqtt": {
            "port": mqtt_port,
            "username": _EDGE,
            "password_file": password_file,
        },
        "listener": {
            "enabled": True,
            "port": listener_port,
            "accounts_file": accounts_file,
            "connects_per_minute_max": 0,
        },
        "api": {"port": api_port},
    }
    file = folder / "config.toml"
    write_private(file, toml_text(table))
    return file


async def _until(process: Process, answers: Callable[[], Awaitable[bool]], output: Path) -> None:
    failed = f"{output.stem} did not answer"
    await answer_of(process, answers, timeout_s=_START_TIMEOUT_S, output=output, failed=failed)
