"""The states of the uplink and every way from one to the next, as one table. Pure.

The table is the truth: the session looks every step up here, a step that is not here cannot
be made, and the diagram in docs/sync-protocol.md is checked against it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from edge.uplink.events import (
    Committed,
    Cut,
    Event,
    HourFound,
    LogRead,
    LogUnreadable,
    Opened,
    StopRequested,
    Throttled,
    Violated,
    Written,
)
from shared.sync.frames import (
    Ack,
    Batch,
    Bye,
    Frame,
    Hello,
    Nack,
    Ping,
    Pong,
    Refuse,
    Report,
    SeriesFrame,
    Welcome,
)


class State(StrEnum):
    """Where the uplink is in the life of a connection."""

    WAITING = "waiting"  # for the time of the next attempt
    CONNECTING = "connecting"  # TCP, TLS and the WebSocket upgrade are under way
    GREETING = "greeting"  # HELLO is sent, WELCOME awaited
    STREAMING = "streaming"  # batches flow
    CLOSING = "closing"  # hanging up; a new attempt follows
    STOPPING = "stopping"  # hanging up; nothing follows
    STOPPED = "stopped"


class Happening(StrEnum):
    """What an event means in the state it meets; named from the edge's side."""

    TICKED = "ticked"  # nothing was due
    DIAL_DUE = "dial_due"
    OPENED = "opened"
    WELCOMED = "welcomed"
    REWOUND = "rewound"  # WELCOME says that central holds what this log does not have
    FORKED = "forked"  # central holds another batch under a number of this log
    MISFIT = "misfit"  # WELCOME is for other lanes than this connection can serve
    REFUSED = "refused"
    FAREWELL = "farewell"  # BYE came
    ACKED = "acked"
    NACKED = "nacked"
    PINGED = "pinged"
    PONGED = "ponged"
    GREW = "grew"  # the log has more
    READ = "read"
    HOUR_FOUND = "hour_found"
    UNREADABLE = "unreadable"
    WRITTEN = "written"
    THROTTLED = "throttled"  # bulk waits for the budget, or no more
    LATE = "late"  # a frame that was under way when this side began to hang up
    SILENT = "silent"  # nothing came for too long
    VIOLATED = "violated"
    CUT = "cut"
    STOP = "stop"
    FOREIGN = "foreign"  # a frame that only edges send


# What an event or a frame means where its kind alone says it.
HAPPENING_OF_EVENT: Mapping[type[Event], Happening] = MappingProxyType(
    {
        Opened: Happening.OPENED,
        Violated: Happening.VIOLATED,
        Cut: Happening.CUT,
        Committed: Happening.GREW,
        LogRead: Happening.READ,
        HourFound: Happening.HOUR_FOUND,
        LogUnreadable: Happening.UNREADABLE,
        Written: Happening.WRITTEN,
        Throttled: Happening.THROTTLED,
        StopRequested: Happening.STOP,
    }
)
HAPPENING_OF_FRAME: Mapping[type[Frame], Happening] = MappingProxyType(
    {
        Welcome: Happening.WELCOMED,
        Refuse: Happening.REFUSED,
        Ack: Happening.ACKED,
        Nack: Happening.NACKED,
        Ping: Happening.PINGED,
        Pong: Happening.PONGED,
        Bye: Happening.FAREWELL,
        Hello: Happening.FOREIGN,
        SeriesFrame: Happening.FOREIGN,
        Batch: Happening.FOREIGN,
        Report: Happening.FOREIGN,
    }
)


_ALWAYS = {Happening.TICKED, Happening.GREW, Happening.THROTTLED}
_LOCAL = _ALWAYS | {Happening.WRITTEN}
_LOG = {Happening.READ, Happening.HOUR_FOUND, Happening.UNREADABLE}


def _staying(state: State, happenings: set[Happening]) -> dict[Happening, State]:
    return dict.fromkeys(sorted(happenings), state)


TRANSITIONS: Mapping[State, Mapping[Happening, State]] = MappingProxyType(
    {
        State.WAITING: {
            **_staying(State.WAITING, _ALWAYS),
            Happening.DIAL_DUE: State.CONNECTING,
            Happening.STOP: State.STOPPED,
        },
        State.CONNECTING: {
            **_staying(State.CONNECTING, _ALWAYS),
            Happening.OPENED: State.GREETING,
            Happening.CUT: State.WAITING,
            Happening.STOP: State.STOPPING,
        },
        State.GREETING: {
            **_staying(State.GREETING, _LOCAL | {Happening.PINGED, Happening.PONGED}),
            Happening.WELCOMED: State.STREAMING,
            Happening.REWOUND: State.CLOSING,
            Happening.FORKED: State.CLOSING,
            Happening.MISFIT: State.CLOSING,
            Happening.REFUSED: State.CLOSING,
            Happening.FAREWELL: State.CLOSING,
            Happening.SILENT: State.CLOSING,
            Happening.VIOLATED: State.CLOSING,
            Happening.CUT: State.WAITING,
            Happening.STOP: State.STOPPING,
        },
        State.STREAMING: {
            **_staying(State.STREAMING, _LOCAL | _LOG),
            **_staying(State.STREAMING, {Happening.ACKED, Happening.NACKED}),
            **_staying(State.STREAMING, {Happening.PINGED, Happening.PONGED}),
            Happening.FORKED: State.CLOSING,
            Happening.REFUSED: State.CLOSING,
            Happening.FAREWELL: State.CLOSING,
            Happening.SILENT: State.CLOSING,
            Happening.VIOLATED: State.CLOSING,
            Happening.CUT: State.WAITING,
            Happening.STOP: State.STOPPING,
        },
        State.CLOSING: {
            **_staying(State.CLOSING, _LOCAL | _LOG | {Happening.LATE, Happening.VIOLATED}),
            Happening.CUT: State.WAITING,
            Happening.STOP: State.STOPPING,
        },
        State.STOPPING: {
            **_staying(State.STOPPING, _LOCAL | _LOG | {Happening.LATE, Happening.VIOLATED}),
            **_staying(State.STOPPING, {Happening.STOP, Happening.OPENED}),
            Happening.CUT: State.STOPPED,
        },
        State.STOPPED: {},
    }
)
