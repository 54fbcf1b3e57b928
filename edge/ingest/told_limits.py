"""What an MQTT 5 broker says of its limits in CONNACK, judged. Pure."""

from collections.abc import Iterator
from typing import Final

from edge.ingest.findings import Finding, Grade
from edge.ingest.wire import Connack

EXPIRY_MIN_S: Final = 90 * 86_400  # as long as a site must be able to go on alone
_NAME: Final = "broker"


def limits_told(connack: Connack, payload_size_max_bytes: int) -> Iterator[Finding]:
    """Yield what an MQTT 5 broker says of limits that cost readings; nothing if all is well."""
    if connack.qos_max == 0:
        told = "takes QoS 0 only: nothing of it is acknowledged"
        yield Finding(_NAME, Grade.FAILED, told, "allow QoS 1 (mosquitto: max_qos 1 or 2)")
    size_max_bytes = connack.packet_size_max_bytes
    if size_max_bytes is not None and size_max_bytes < payload_size_max_bytes:
        told = f"takes no packets above {size_max_bytes} bytes, the edge {payload_size_max_bytes}"
        yield Finding(_NAME, Grade.FAILED, told, "raise its packet size limit")
    expiry_s = connack.session_expiry_s
    if expiry_s is not None and expiry_s < EXPIRY_MIN_S:
        told = f"forgets what waits for the edge when that is off for {expiry_s / 3600:.1f} h"
        yield Finding(_NAME, Grade.FAILED, told, "let sessions last 90 days or for ever")
