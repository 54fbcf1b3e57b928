"""A real edge process with its durable listener on, and no broker."""

from pathlib import Path
from typing import Any

from tests.support.edge_process import EdgeProcess
from tests.support.ports import free_port
from tests.support.publishers import account, write_accounts


def listening_edge(folder: Path, *accounts: dict[str, Any], mqtt_port: int = 1) -> EdgeProcess:
    """Return an edge that will listen; by default one account may publish as any device."""
    folder.mkdir(parents=True, exist_ok=True)
    file = write_accounts(folder / "publishers.json", *(accounts or (account("device", "*"),)))
    return EdgeProcess(
        folder,
        mqtt_port,
        extra={
            "HEADFRAME_LISTENER__ENABLED": "true",
            "HEADFRAME_LISTENER__PORT": str(free_port()),
            "HEADFRAME_LISTENER__ACCOUNTS_FILE": str(file),
        },
    )


def listener_port(edge: EdgeProcess) -> int:
    return int(edge.extra["HEADFRAME_LISTENER__PORT"])


def start_listening(edge: EdgeProcess) -> None:
    """Start the edge and return when publishers can come in."""
    edge.start(until_ready=False)
    edge.wait_until(lambda: "log" not in edge.ready() and edge.ready(), "listening")
