"""The embedded MQTT broker: nats-server with its configuration. Owns who may say what."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import SiteError
from deploy.site.children import Launch
from deploy.site.options import bracketed

# Contract: payloads up to 8 MB reach the edge. The broker counts topic and headers too.
PAYLOAD_SIZE_MAX_BYTES = 8 * 1024 * 1024 + 65_536
# The edge acknowledges after its disk: 20 ms of 5,000 messages/s are 100 in flight, a pause of half
# a second 2,500. What is in flight when an edge dies comes again only after ACK_WAIT_S, so no more.
MAX_ACK_PENDING = 4_000
ACK_WAIT_S = 10  # a killed edge is back after 2 s; a busy one must not receive everything twice
# An acknowledged message is in the kernel's hands at once (kill -9 loses nothing) and on the disk
# within this time: its own default of two minutes would lose that much at a power cut. "always"
# syncs every single message, and with it the broker alone carries 3,700 messages/s on the reference
# machine where a site must carry 5,000; from two minutes down to 20 ms the rate does not change.
SYNC_INTERVAL_MS = 50
STORE_SIZE_MAX_BYTES = 8 * 1024**3  # what devices may send while the edge is down; then no PUBACK
START_FREE_BYTES = 256 * 1024**2  # less, and a new start would meet a full disk again
STORE_SHARE = 0.25  # of the disk that is free or already the broker's, if that is less
# Half of the processors are left to the others. On the two of the reference machine one runs the
# broker with 0.34 cores at 5,000 messages/s; with two it spends 0.49, on looking for work.
PROCESSORS_SHARE = 0.5
COMMAND_CHANNELS = ("cmd", "alert")  # only the edge speaks on these


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """One account of the broker; subjects are topics with dots for slashes."""

    username: str
    password: str
    publish: tuple[str, ...]
    publish_denied: tuple[str, ...]
    subscribe: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """What the configuration is made of."""

    host: str
    port: int
    monitor_port: int
    folder: Path
    store_size_max_bytes: int
    users: tuple[BrokerUser, ...]


def edge_user(username: str, password: str) -> BrokerUser:
    """Return the edge's account: it reads everything and alone speaks to machines."""
    return BrokerUser(
        username,
        password,
        publish=tuple(f"mine.v1.*.*.*.{channel}" for channel in COMMAND_CHANNELS),
        publish_denied=(),
        subscribe=("mine", "mine.>"),
    )


def device_user(username: str, password: str, site: str) -> BrokerUser:
    """Return an account that may publish as any device, never commands.

    It may also publish below wrong topics of ``mine``: what is wrong with them is for the edge
    to say, in its quarantine, where a broker would drop it without a word to the sender.
    """
    return BrokerUser(
        username,
        password,
        publish=("mine.>",),
        publish_denied=tuple(
            f"mine.v1.*.*.*.{channel}{rest}" for channel in COMMAND_CHANNELS for rest in ("", ".>")
        ),
        subscribe=tuple(f"mine.v1.{site}.*.*.{channel}" for channel in COMMAND_CHANNELS),
    )


def store_size_bytes(folder: Path) -> int:
    """Return how much disk the broker may take in ``folder``; never less than it holds there.

    Counted with what it holds, or each restart with much stored would leave less room than before.
    """
    held_bytes = _held_bytes(folder)
    share_bytes = int((shutil.disk_usage(folder).free + held_bytes) * STORE_SHARE)
    return max(held_bytes, min(STORE_SIZE_MAX_BYTES, share_bytes))


def has_room_to_start(folder: Path) -> bool:
    """Return whether a new start would find room for messages in ``folder``; no, if it is gone."""
    try:
        return shutil.disk_usage(folder).free >= START_FREE_BYTES
    except OSError:
        return False


def configuration_text(plan: BrokerPlan) -> str:
    """Return the broker's configuration; it holds passwords. JSON is valid in its format."""
    site_account = {
        "jetstream": "enabled",
        "users": [_user_table(user) for user in plan.users],
    }
    table = {
        "server_name": "headframe",
        # Its own protocol is not used, but cannot be switched off: loopback, no account for it.
        "listen": "127.0.0.1:-1",
        "http": f"127.0.0.1:{plan.monitor_port}",
        "max_payload": PAYLOAD_SIZE_MAX_BYTES,
        "max_connections": 10_000,
        "write_deadline": "10s",
        "logtime_utc": True,
        "jetstream": {
            "store_dir": str(plan.folder),
            "sync_interval": f"{SYNC_INTERVAL_MS}ms",
            "max_memory_store": 64 * 1024**2,
            "max_file_store": plan.store_size_max_bytes,
        },
        "mqtt": {
            "listen": f"{bracketed(plan.host)}:{plan.port}",
            "max_ack_pending": MAX_ACK_PENDING,
            "ack_wait": f"{ACK_WAIT_S}s",
        },
        "accounts": {"SITE": site_account},
    }
    return json.dumps(table, indent=2) + "\n"


def broker_launch(configuration: Path) -> Launch:
    """Return how to start the broker.

    Raises:
        SiteError: if it is not installed.
    """
    beside = Path(sys.executable).parent / "nats-server"
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    if program is None:
        raise SiteError("the embedded broker is not installed; give --mqtt HOST:PORT")
    return Launch(
        command=(program, "--config", str(configuration)),
        folder=Path("/"),
        variables={"GOMAXPROCS": str(max(1, int((os.cpu_count() or 1) * PROCESSORS_SHARE)))},
    )


def _held_bytes(folder: Path) -> int:
    sizes = (file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return sum(sizes)


def _user_table(user: BrokerUser) -> dict[str, object]:
    return {
        "user": user.username,
        "password": user.password,
        "permissions": {
            "publish": _rule(user.publish, user.publish_denied),
            "subscribe": _rule(user.subscribe, ()),
        },
        "allowed_connection_types": ["MQTT"],
    }


def _rule(allowed: Sequence[str], denied: Sequence[str]) -> dict[str, list[str]]:
    rule = {"allow": list(allowed)}
    return rule | {"deny": list(denied)} if denied else rule
