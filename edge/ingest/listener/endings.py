"""Why the connection of a publisher ended, and which of these are refusals to be shown. Pure."""

from enum import StrEnum
from typing import Final

from edge.errors import PacketError
from edge.ingest.listener.packets import Code


class Ending(StrEnum):
    """Stable words: they stand in metrics, and the refusals in the sync status and on the page."""

    LEFT = "left"  # said goodbye
    LOST = "lost"  # the connection broke
    STOPPED = "stopped"  # the edge stops
    TAKEN_OVER = "taken_over"  # the same publisher connected anew
    SILENT = "silent"  # nothing for one and a half keepalives
    NO_GREETING = "no_greeting"  # connected and did not say who it is in time
    BAD_PACKET = "bad_packet"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    QOS_NOT_SUPPORTED = "qos_not_supported"
    IN_FLIGHT_EXCEEDED = "in_flight_exceeded"  # MQTT 5: more unacknowledged than was agreed
    BAD_VERSION = "bad_version"
    BAD_CLIENT_ID = "bad_client_id"
    BAD_LOGIN = "bad_login"
    NOT_PERMITTED = "not_permitted"  # a last will on a topic of somebody else
    BUSY = "busy"  # too many sign-ins at once, or too many failed ones
    SLOW_READER = "slow_reader"  # does not read its acknowledgements
    BUFFERS_FULL = "buffers_full"  # too many unfinished packets at once
    TOO_MANY_CONNECTIONS = "too_many_connections"
    CONNECTS_TOO_FAST = "connects_too_fast"


# How connections end where nothing is wrong with anybody.
ORDINARY: Final = frozenset(
    {Ending.LEFT, Ending.LOST, Ending.STOPPED, Ending.TAKEN_OVER, Ending.SILENT}
)
SUBSCRIPTION_NOT_PERMITTED: Final = "subscription_not_permitted"  # ends nothing
REFUSALS: Final = (
    *(ending.value for ending in Ending if ending not in ORDINARY),
    SUBSCRIPTION_NOT_PERMITTED,
)

_OF_CODE: Final = {
    Code.UNSUPPORTED_VERSION: Ending.BAD_VERSION,
    Code.QOS_NOT_SUPPORTED: Ending.QOS_NOT_SUPPORTED,
    Code.PACKET_TOO_LARGE: Ending.PAYLOAD_TOO_LARGE,
    Code.RECEIVE_MAXIMUM_EXCEEDED: Ending.IN_FLIGHT_EXCEEDED,
    Code.BAD_AUTHENTICATION_METHOD: Ending.BAD_LOGIN,
}


def ending_of(error: PacketError) -> Ending:
    """Return the word for what a publisher sent and should not have."""
    return _OF_CODE.get(Code(error.mqtt_code), Ending.BAD_PACKET)
