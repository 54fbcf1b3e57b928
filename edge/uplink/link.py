"""The state of the link as people see it: status, page, metrics. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    # Handed to connections today, the site's day, by lane, "catalogue" and "control".
    sent_today_bytes: Mapping[str, int] = field(default_factory=dict[str, int])
    held_up: str | None = None  # why lanes that are not urgent wait: see edge.uplink.budget
    # Where each connection stands, by what it serves: "all", or "urgent" and "bulk".
    connections: Mapping[str, LinkStage] = field(default_factory=dict[str, LinkStage])

    @property
    def is_connected(self) -> bool:
        """Tell whether batches flow, or would if there were any."""
        return self.state is LinkStage.STREAMING


def joined(urgent: LinkState, bulk: LinkState) -> LinkState:
    """Return two connections as the one link they are: up when both are, counts together.

    While one is down the state, its beginning and the error are those of that one; the urgent one
    comes first.
    """
    lame = next((one for one in (urgent, bulk) if not one.is_connected), None)
    shown = lame or max(urgent, bulk, key=lambda one: one.since_ms)
    acks_ms = [one.last_ack_ms for one in (urgent, bulk) if one.last_ack_ms is not None]
    return replace(
        shown,
        rtt_ms=bulk.rtt_ms if urgent.rtt_ms is None else urgent.rtt_ms,
        last_ack_ms=max(acks_ms, default=None),
        congestion=urgent.congestion or bulk.congestion,
        error=_error(urgent, bulk),
        connections={"urgent": urgent.state, "bulk": bulk.state},
        **{name: getattr(urgent, name) + getattr(bulk, name) for name in _COUNTS},
    )


_COUNTS = (
    "sent_bytes",
    "sent_batches",
    "acked_batches",
    "refused_batches",
    "absent_batches",
    "connects",
    "sessions",
    "faults",
    "in_flight_batches",
)


def _error(urgent: LinkState, bulk: LinkState) -> str | None:
    if urgent.error and bulk.error:
        return urgent.error
    if urgent.error:
        return f"urgent connection: {urgent.error}"
    return f"bulk connection: {bulk.error}" if bulk.error else None
