"""Publishes to the site's broker at QoS 1 with a bounded window, and knows what was acknowledged.

Owns the connection; what is published is the caller's matter. A message that was handed over is
sent again after every reconnection until the broker acknowledges it.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gmqtt  # pyright: ignore[reportMissingTypeStubs] -- untyped; wrapped here only

from deploy.errors import SiteError, SiteUsageError
from shared.logs import get_log

IN_FLIGHT_MAX = 4_096  # unacknowledged messages; at 5,000/s that is 0.8 s of broker time
CONNECT_TIMEOUT_S = 15.0
RECONNECT_DELAY_S = 1.0
MQTT_3_1_1 = 4

_log = get_log("publisher")
# gmqtt warns of every write to a closed socket; what is lost so is sent again, and counted.
GMQTT_LOGGERS = ("gmqtt", "gmqtt.client", "gmqtt.mqtt.protocol", "gmqtt.mqtt.connection")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker listens and as whom to sign in."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``.

    Raises:
        SiteUsageError: if ``text`` is not ``HOST:PORT`` with a port of 1 to 65535.
    """
    host, separator, port_text = text.rpartition(":")
    if not separator or not host or not port_text.isdigit() or not 0 < int(port_text) < 65_536:
        raise SiteUsageError(f"--mqtt: expected HOST:PORT with a port of 1 to 65535, got {text!r}")
    return host.strip("[]"), int(port_text)


def read_credentials(file: Path) -> tuple[str, str]:
    """Return user name and password of the ``mqtt`` entry of a ``credentials.json``.

    Raises:
        SiteUsageError: if the file cannot be read or has no such entry.
    """
    try:
        entry: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))["mqtt"]
        return entry["username"], entry["password"]
    except OSError as error:
        raise SiteUsageError(f"--credentials: {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SiteUsageError(
            f'--credentials: {file}: expected JSON with {{"mqtt": {{"username", "password"}}}}'
        ) from error


class _Window:
    """gmqtt's storage of unacknowledged messages: counts, bounds, and survives a lost session."""

    def __init__(self, in_flight_max: int) -> None:
        self._packages: dict[int, Any] = {}
        self._messages: dict[int, tuple[str, bytes]] = {}
        self._room = asyncio.Semaphore(in_flight_max)
        self._empty = asyncio.Event()
        self._empty.set()
        self.being_sent: tuple[str, bytes] | None = None
        self.orphans: list[tuple[str, bytes]] = []
        self.acknowledged = 0

    async def reserve(self) -> None:
        await self._room.acquire()

    @property
    def is_empty(self) -> bool:
        return not self._packages

    @property
    def outstanding(self) -> int:
        return len(self._packages) + len(self.orphans)

    def push_message(self, mid: int, raw_package: Any) -> None:
        if self.being_sent is not None:
            self._messages[mid] = self.being_sent
        self._packages[mid] = raw_package
        self._empty.clear()

    def remove_message_by_mid(self, mid: int) -> None:
        if self._packages.pop(mid, None) is None:
            return
        self._messages.pop(mid, None)
        self.acknowledged += 1
        self._room.release()
        if not self._packages:
            self._empty.set()

    async def wait_empty(self) -> None:
        await self._empty.wait()

    def clear(self) -> None:
        """The broker lost the session: what it had not acknowledged is published anew."""
        self.orphans.extend(self._messages.values())
        self._packages.clear()
        self._messages.clear()
        self._empty.set()

    def get_all(self) -> list[tuple[int, Any]]:
        return list(self._packages.items())


class Publisher:
    """An open connection; make one with ``open_publisher``."""

    def __init__(self, client: Any, window: _Window) -> None:
        self._client = client
        self._window = window
        self._connected = asyncio.Event()
        self.sent = 0
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect

    @property
    def acknowledged(self) -> int:
        """Messages the broker has acknowledged."""
        return self._window.acknowledged

    @property
    def outstanding(self) -> int:
        """Messages handed over and not acknowledged yet."""
        return self._window.outstanding

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand over one QoS 1 message; waits while the window is full, and while reconnecting."""
        await self._window.reserve()
        while not (self._connected.is_set() and self._client.is_connected):
            self._connected.clear()
            await self._connected.wait()
        self._send(topic, payload)
        self.sent += 1

    async def drain(self, timeout_s: float) -> int:
        """Wait until everything is acknowledged; return what is still outstanding at the end."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._window.outstanding:
                    await self._window.wait_empty()
                    if self._window.orphans:
                        await asyncio.sleep(RECONNECT_DELAY_S)
        except TimeoutError:
            pass
        return self._window.outstanding

    def _send(self, topic: str, payload: bytes) -> None:
        self._window.being_sent = (topic, payload)
        try:
            self._client.publish(topic, payload, qos=1)
        finally:
            self._window.being_sent = None

    def _on_disconnect(self, *_unused: Any) -> None:
        self._connected.clear()

    def _on_connect(self, *_unused: Any) -> None:
        self._connected.set()
        again, self._window.orphans = self._window.orphans, []
        for topic, payload in again:
            self._send(topic, payload)


@asynccontextmanager
async def open_publisher(
    address: BrokerAddress, *, client_id: str, in_flight_max: int = IN_FLIGHT_MAX
) -> AsyncGenerator[Publisher]:
    """Connect, hand out a Publisher, disconnect at the end; drain first to wait for all.

    Raises:
        SiteError: if the broker cannot be reached or refuses the account.
    """
    for name in GMQTT_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    window = _Window(in_flight_max)
    client: Any = gmqtt.Client(client_id, clean_session=False, persistent_storage=window)
    if address.username is not None:
        client.set_auth_credentials(address.username, address.password)
    client.set_config({"reconnect_delay": RECONNECT_DELAY_S, "reconnect_retries": -1})
    publisher = Publisher(client, window)
    where = f"{address.host}:{address.port}"
    tls = ssl.create_default_context(cafile=str(address.ca_file)) if address.ca_file else False
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.connect(
                address.host, address.port, ssl=tls, keepalive=30, version=MQTT_3_1_1
            )
    except (OSError, TimeoutError) as error:
        raise SiteError(f"MQTT broker {where} cannot be reached: {error or 'timed out'}") from error
    except gmqtt.MQTTConnectError as error:
        raise SiteError(f"MQTT broker {where} refused the connection: {error}") from error
    _log.debug("connected", broker=where)
    try:
        yield publisher
    finally:
        await client.disconnect()
