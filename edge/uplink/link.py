"""The state of the link as people see it: status, page, metrics. Pure data."""

from dataclasses import dataclass
from enum import StrEnum


class LinkStage(StrEnum):
    """Where the link to central stands."""

    OFF = "off"  # no central is configured: the site works alone
    WAITING = "waiting"  # for the next attempt; `LinkState.error` says why
    CONNECTING = "connecting"
    GREETING = "greeting"
    STREAMING = "streaming"
    CLOSING = "closing"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link at one moment. Counts are since the process started; times are edge UTC."""

    state: LinkStage = LinkStage.OFF
    since_ms: int = 0  # when this state began
    rtt_ms: float | None = None  # of the newest answered ping
    last_ack_ms: int | None = None  # when central last confirmed batches
    sent_bytes: int = 0  # bodies and headers of batches and series
    sent_batches: int = 0
    acked_batches: int = 0
    refused_batches: int = 0  # by central or for their size; they stay in the log
    absent_batches: int = 0  # numbered, not declared lost, and yet not in the log
    connects: int = 0  # connections that were made
    sessions: int = 0  # of these, welcomed by central
    faults: int = 0  # errors of this program that the uplink survived by beginning anew
    in_flight_batches: int = 0  # sent and not yet confirmed
    congestion: str | None = None  # control of the newest connection; None: nobody can say
    error: str | None = None  # why there is no session; None while streaming

    @property
    def is_connected(self) -> bool:
        """Tell whether batches flow, or would if there were any."""
        return self.state is LinkStage.STREAMING
