"""Tries the broker as the edge would use it, under a name of its own: nothing is read or disturbed.

Owns what is asked: reach, TLS, sign-in, the subscription, the broker's own counts, and what an
MQTT 5 broker says of its limits.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

from edge.config import EdgeConfig
from edge.errors import PacketError
from edge.ingest.connection import CONNACK_REFUSALS, REFUSED_FROM
from edge.ingest.findings import Finding, Grade
from edge.ingest.mqtt import read_password, tls_context
from edge.ingest.routing import DROPPED_TOPIC, SUBSCRIPTION
from edge.ingest.stream import Publish
from edge.ingest.told_limits import limits_told
from edge.ingest.wire import (
    DISCONNECT,
    Connack,
    Packet,
    PacketReader,
    Suback,
    encode_connect,
    encode_subscribe,
)
from shared.errors import ConfigurationError

ANSWER_TIMEOUT_S: Final = 5.0
COUNT_TIMEOUT_S: Final = 2.0  # the count is retained: it comes with the subscription
_KEEPALIVE_S: Final = 30
_NAME: Final = "broker"


async def probe_broker(config: EdgeConfig) -> list[Finding]:
    """Return what is found at the broker that ``config`` names; raises nothing."""
    address = f"{config.mqtt.host}:{config.mqtt.port}"
    try:
        async with _dialled(config) as line:
            found = [Finding(_NAME, Grade.OK, f"answers at {address}")]
            found += await _ask(config, line)
            return found
    except ConfigurationError as error:
        return [Finding(_NAME, Grade.FAILED, str(error), "correct the configuration")]
    except ssl.SSLError as error:
        told = f"{address}: TLS failed: {error.reason or error}"
        return [Finding(_NAME, Grade.FAILED, told, "check mqtt.ca_file and the certificate's name")]
    except TimeoutError:
        told = f"{address}: no answer within {ANSWER_TIMEOUT_S:.0f} s"
        return [Finding(_NAME, Grade.FAILED, told, "check address, port, TLS and firewall")]
    except (OSError, PacketError) as error:
        told = f"{address}: {getattr(error, 'strerror', None) or error}"
        return [Finding(_NAME, Grade.FAILED, told, "check mqtt.host and port")]


class _Line:
    """A connection, packet by packet."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, packets: PacketReader
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._packets = packets
        self._heard: list[Packet] = []

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def hear(self, timeout_s: float) -> Packet:
        async with asyncio.timeout(timeout_s):
            while not self._heard:
                data = await self._reader.read(65_536)
                if not data:
                    raise ConnectionResetError("the broker closed the connection")
                self._heard += self._packets.feed(data)
        return self._heard.pop(0)


@asynccontextmanager
async def _dialled(config: EdgeConfig) -> AsyncGenerator[_Line]:
    mqtt = config.mqtt
    packets = PacketReader(
        version=mqtt.version, payload_size_max_bytes=65_536, payload_kept_bytes=0
    )
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(mqtt.host, mqtt.port, ssl=tls_context(mqtt))
    try:
        line = _Line(reader, writer, packets)
        line.say(
            encode_connect(
                version=mqtt.version,
                client_id=f"headframe-doctor-{uuid4().hex[:8]}",
                keepalive_s=_KEEPALIVE_S,
                receive_maximum=10,
                username=mqtt.username,
                password=read_password(mqtt),
                keeps_session=False,
            )
        )
        yield line
        line.say(DISCONNECT)
    finally:
        writer.close()


async def _ask(config: EdgeConfig, line: _Line) -> list[Finding]:
    connack = await line.hear(ANSWER_TIMEOUT_S)
    if not isinstance(connack, Connack) or connack.code:
        code = connack.code if isinstance(connack, Connack) else 0
        meaning = CONNACK_REFUSALS.get(code, "no reason given")
        told = f"refused the sign-in with code {code}: {meaning}"
        return [Finding(_NAME, Grade.FAILED, told, "check mqtt.username, password_file, version")]
    found = [Finding(_NAME, Grade.OK, f"lets {config.mqtt.username or 'anybody'} in")]
    found += limits_told(connack, config.ingest.payload_size_max_bytes)
    filters = [(SUBSCRIPTION, 1), (DROPPED_TOPIC, 0)]
    line.say(encode_subscribe(version=config.mqtt.version, packet_id=1, filters=filters))
    while not isinstance(answer := await line.hear(ANSWER_TIMEOUT_S), Suback):
        pass
    granted = answer.codes[0] if answer.codes else REFUSED_FROM
    if granted != 1:
        told = f"does not let the edge read {SUBSCRIPTION} at QoS 1 (code {granted:#x})"
        remedy = f"grant it: topic read {SUBSCRIPTION}"
        return [*found, Finding(_NAME, Grade.FAILED, told, remedy)]
    found.append(Finding(_NAME, Grade.OK, f"lets the edge read {SUBSCRIPTION} at QoS 1"))
    if config.mqtt.refusals_file is None:
        found.append(await _ask_for_drops(line))
    return found


async def _ask_for_drops(line: _Line) -> Finding:
    try:
        async with asyncio.timeout(COUNT_TIMEOUT_S):
            while True:
                packet = await line.hear(COUNT_TIMEOUT_S)
                if isinstance(packet, Publish) and packet.topic == DROPPED_TOPIC:
                    break
    except TimeoutError:
        return Finding(
            _NAME,
            Grade.WARNING,
            "does not tell how much it drops; then only gaps in the devices' numbers show a loss",
            f"mosquitto: grant topic read {DROPPED_TOPIC}, and sys_interval above 0",
        )
    count = packet.payload.decode("ascii", "replace")[:20]
    if count == "0":
        return Finding(_NAME, Grade.OK, "has dropped nothing since its start")
    return Finding(
        _NAME,
        Grade.WARNING,
        f"has dropped {count} messages since its start, acknowledged to their senders",
        "set its queue limits (docs/runbook.md); what is known of the loss: headframe-edge gaps",
    )
