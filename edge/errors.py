"""Errors of the edge, one class per thing a caller may do about it."""

from shared.errors import HeadframeError


class EdgeError(HeadframeError):
    """Base of the edge's errors."""

    code = "edge"


class LogError(EdgeError):
    """The durable log cannot do what was asked."""

    code = "log"


class LogFullError(LogError):
    """Disk or budget of the log is full; nothing was stored, nothing may be acknowledged."""

    code = "log_full"


class LogVersionError(LogError):
    """The log was written by another version, or the SQLite library is unsafe; start is refused."""

    code = "log_version"


class LogDamagedError(LogError):
    """A file of the log cannot be read as what it must be; what is readable can be salvaged."""

    code = "log_damaged"


class LogForeignError(LogError):
    """The state directory belongs to another site, edge or installation; start is refused."""

    code = "log_foreign"


class UplinkError(EdgeError):
    """The sync session ended or was refused."""

    code = "uplink"


class BrokerError(EdgeError):
    """The broker refused the edge or does not speak MQTT; the connection is tried again."""

    code = "broker"


class PacketError(EdgeError):
    """Bytes that are not MQTT, or not what may come now; the connection ends.

    ``mqtt_code`` is the reason code of MQTT 5 that says why.
    """

    code = "packet"

    def __init__(self, text: str, mqtt_code: int = 0x81) -> None:
        super().__init__(text)
        self.mqtt_code = mqtt_code


class LocalStateError(EdgeError):
    """A file of the edge's own state beside the log cannot be used; start is refused."""

    code = "local_state"
