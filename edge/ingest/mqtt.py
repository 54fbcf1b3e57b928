"""The reader of the site's broker: connects, and connects again, for ever. Owns no messages.

The session is persistent and the client identifier fixed, so the broker keeps what it could not
deliver. An edge without a broker goes on serving what it has; it says so in log and status.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge.config import EdgeConfig, MqttConfig
from edge.errors import BrokerError
from edge.ingest.connection import BrokerConnection, Stage, subscription
from edge.ingest.intake import Intake
from edge.ingest.routing import DROPPED_TOPIC
from edge.ingest.told_limits import limits_told
from edge.ingest.wire import PacketReader, encode_connect
from edge.metrics import IngestCounts
from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.logs import get_log

CONNECT_TIMEOUT_S: Final = 10.0  # a broker that restores a large session takes a few seconds
RETRY_MIN_S: Final = 0.25
RETRY_MAX_S: Final = 5.0  # the broker is on the same site: one try every few seconds costs nothing
STABLE_AFTER_S: Final = 10.0  # a connection that lasted this long makes the next retry quick again
REMIND_S: Final = 60.0  # a reason that does not change is logged this often
# MQTT 5 only: what the broker may send unacknowledged. With 65,535 as the highest identifier and
# 20,000 messages of room here (intake.py), this keeps the pipe full and the queue at the broker.
RECEIVE_MAXIMUM: Final = 8_192
PAYLOAD_KEPT_BYTES: Final = 65_536  # of a payload that is too large, for the quarantine


class LinkStage(StrEnum):
    """Where the reader stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"  # before the next try
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class BrokerLink:
    """The state of the connection to the broker, as shown to people."""

    stage: LinkStage
    address: str
    error: str | None  # of the last try


class MqttReader:
    """Keeps one connection to the broker; run ``run`` in a task."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        intake: Intake,
        clock: Clock,
        counts: IngestCounts,
        jitter: Callable[[], float],
        expects_session: bool,
    ) -> None:
        """``jitter`` returns numbers in [0, 1); ``expects_session``: this edge has run before."""
        self._config = config.mqtt
        self._client_id = client_id_of(config)
        self._payload_size_max_bytes = config.ingest.payload_size_max_bytes
        self._intake = intake
        self._clock = clock
        self._counts = counts
        self._jitter = jitter
        self._expects_session = expects_session
        self._address = f"{config.mqtt.host}:{config.mqtt.port}"
        self._connection: BrokerConnection | None = None
        self._is_stopped = False
        self._has_missed_count = False
        self._link = BrokerLink(LinkStage.CONNECTING, self._address, None)
        self._said: tuple[str, float] = ("", 0.0)  # last complaint and when
        self._reports = get_log("mqtt")
        intake.on_relief(self._resume)

    @property
    def link(self) -> BrokerLink:
        """Return the state of the connection."""
        return self._link

    async def run(self) -> None:
        """Read until stopped; whatever stands in the way is reported and tried again for ever."""
        try:
            await self._read_for_ever()
        finally:
            self._enter(LinkStage.STOPPED)

    async def _read_for_ever(self) -> None:
        failures = 0
        while not self._is_stopped:
            started_s = self._clock.monotonic_s()
            self._enter(LinkStage.CONNECTING)
            error = await self._read_once()
            if self._is_stopped:
                return
            lasted_s = self._clock.monotonic_s() - started_s
            failures = 1 if lasted_s >= STABLE_AFTER_S else failures + 1
            self._enter(LinkStage.WAITING, error)
            self._complain(error, failures)
            retry_s = min(RETRY_MIN_S * 2 ** min(failures - 1, 10), RETRY_MAX_S)
            await asyncio.sleep(retry_s * (0.5 + 0.5 * self._jitter()))

    def stop_reading(self) -> None:
        """Take no more messages; those taken can still be acknowledged."""
        self._is_stopped = True
        if self._connection is not None:
            self._connection.stop_reading()

    def close(self) -> None:
        """End the connection in order; the session stays at the broker."""
        self._is_stopped = True
        if self._connection is not None:
            self._connection.close()

    async def _read_once(self) -> str:
        """Read over one connection until it is lost; return why it was."""
        try:
            connection = self._new_connection()
            tls = tls_context(self._config)
        except ConfigurationError as error:  # files may change while the edge runs
            return str(error)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    self._config.host,
                    self._config.port,
                    ssl=tls,
                )
                self._connection = connection
                await self._until_reading(connection)
            self._greet(connection)
            await self._until_lost(connection)
        except TimeoutError:
            connection.fail("no answer")
            return f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
        except OSError as error:
            return error.strerror or str(error)
        except BrokerError as error:
            return str(error)
        finally:
            self._connection = None
            connection.close()
        self._counts.disconnects += 1
        return connection.error or "lost"

    def _new_connection(self) -> BrokerConnection:
        config = self._config
        connect = encode_connect(
            version=config.version,
            client_id=self._client_id,
            keepalive_s=config.keepalive_s,
            receive_maximum=RECEIVE_MAXIMUM,
            username=config.username,
            password=read_password(config),
        )
        reader = PacketReader(
            version=config.version,
            payload_size_max_bytes=self._payload_size_max_bytes,
            payload_kept_bytes=PAYLOAD_KEPT_BYTES,
        )
        return BrokerConnection(
            connect=connect,
            # The embedded broker's refusals are counted by whoever runs it; it has no such topic.
            subscribe=subscription(config.version, watches_drops=config.refusals_file is None),
            reader=reader,
            intake=self._intake,
            counts=self._counts,
            monotonic_s=self._clock.monotonic_s,
        )

    async def _until_reading(self, connection: BrokerConnection) -> None:
        while not connection.is_reading:
            if connection.stage is Stage.LOST:
                raise BrokerError(connection.error or "lost")
            connection.progress.clear()
            await connection.progress.wait()

    async def _until_lost(self, connection: BrokerConnection) -> None:
        keepalive_s = connection.keepalive_s or self._config.keepalive_s
        while connection.stage is not Stage.LOST:
            connection.progress.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(keepalive_s / 4):
                    await connection.progress.wait()
            connection.watch(keepalive_s)
            self._miss_the_count(connection)

    def _miss_the_count(self, connection: BrokerConnection) -> None:
        """Say once that the broker keeps to itself how much it drops; it is told right away."""
        if self._config.refusals_file is None and not (
            self._has_missed_count or self._counts.drops_told or connection.stage is Stage.LOST
        ):
            self._has_missed_count = True
            self._reports.warning(
                "the broker does not tell how much it drops: only gaps in the devices' numbers do",
                remedy=f"grant the edge's account: topic read {DROPPED_TOPIC}",
            )

    def _greet(self, connection: BrokerConnection) -> None:
        self._counts.connects += 1
        self._enter(LinkStage.CONNECTED)
        self._said = ("", 0.0)
        self._reports.info(
            "reading from the broker",
            address=self._address,
            session_present=connection.session_present,
        )
        if connection.connack is not None:
            for finding in limits_told(connection.connack, self._payload_size_max_bytes):
                self._reports.warning(
                    "a limit of the broker may cost readings",
                    told=finding.told,
                    remedy=finding.remedy,
                )
        if self._expects_session and not connection.session_present:
            self._counts.sessions_lost += 1
            self._reports.warning(
                "the broker kept no session for this edge: what was published meanwhile is gone",
                address=self._address,
                client_id=self._client_id,
            )
        self._expects_session = True

    def _complain(self, error: str, failures: int) -> None:
        now_s = self._clock.monotonic_s()
        said, said_s = self._said
        if error == said and now_s - said_s < REMIND_S:
            return
        self._said = (error, now_s)
        self._reports.warning(
            "no broker: nothing is read until it is back",
            address=self._address,
            error=error,
            tries=failures,
        )

    def _enter(self, stage: LinkStage, error: str | None = None) -> None:
        kept = self._link.error if stage is LinkStage.CONNECTING else error
        self._link = BrokerLink(stage, self._address, kept)

    def _resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()


def client_id_of(config: EdgeConfig) -> str:
    """Return the fixed client identifier: with another one the broker's session would be lost."""
    return config.mqtt.client_id or f"headframe-{config.edge_id}"


def tls_context(config: MqttConfig) -> ssl.SSLContext | None:
    """Return what TLS needs, or ``None`` for plain TCP.

    Raises:
        ConfigurationError: if ``ca_file`` cannot be used.
    """
    if config.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(config.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"mqtt.ca_file: {config.ca_file}: {error}") from error


def read_password(config: MqttConfig) -> str | None:
    """Return the first line of ``password_file``, or ``None`` if there is none configured.

    Raises:
        ConfigurationError: if the file cannot be used.
    """
    file = config.password_file
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise ConfigurationError(f"mqtt.password_file: {file}: {error}") from error
