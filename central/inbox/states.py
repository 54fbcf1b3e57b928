"""The states of an inbox session and every way from one to the next, as one table. Pure.

The table is the truth: the session looks every step up here, a step that is not here cannot
be made, and the diagram in docs/sync-protocol.md is checked against it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from central.inbox.events import (
    Cut,
    Denied,
    Event,
    Granted,
    StopRequested,
    Stored,
    StoreFailed,
    TakenOver,
    Tick,
    Violated,
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
    """Where a connection of an edge is in its life; every connection has its own."""

    GREETING = "greeting"  # HELLO awaited
    OPENING = "opening"  # the store looks up what is held
    STREAMING = "streaming"  # batches flow
    CLOSING = "closing"  # hanging up
    CLOSED = "closed"  # a transaction may still end, unheard


class Happening(StrEnum):
    """What an event means in the state it meets; named from central's side."""

    TICKED = "ticked"  # nothing was due, or only a retry
    GREETED = "greeted"
    MISFIT = "misfit"  # HELLO of another edge than the certificate's, or of another protocol
    GRANTED = "granted"
    REWOUND = "rewound"  # the store holds what the edge's log does not have
    DENIED = "denied"
    SERIES = "series"
    BATCH = "batch"
    FORGED = "forged"  # a batch whose body does not match its sha256
    OVERDRAWN = "overdrawn"  # more than the credit
    FLOODED = "flooded"  # more control frames than any edge has reason to send
    SPOILT = "spoilt"  # one refused batch too many
    REPORTED = "reported"
    PINGED = "pinged"
    PONGED = "ponged"
    FAREWELL = "farewell"  # BYE came
    STORED = "stored"
    FAILED = "failed"
    LATE = "late"  # a frame that was under way when this side began to hang up
    FOREIGN = "foreign"  # a frame that only central sends
    SILENT = "silent"
    VIOLATED = "violated"
    TAKEN_OVER = "taken_over"
    STOP = "stop"
    CUT = "cut"


# What a frame or an event means where its kind alone says it.
HAPPENING_OF_FRAME: Mapping[type[Frame], Happening] = MappingProxyType(
    {
        Hello: Happening.GREETED,
        SeriesFrame: Happening.SERIES,
        Batch: Happening.BATCH,
        Report: Happening.REPORTED,
        Ping: Happening.PINGED,
        Pong: Happening.PONGED,
        Bye: Happening.FAREWELL,
        Welcome: Happening.FOREIGN,
        Refuse: Happening.FOREIGN,
        Ack: Happening.FOREIGN,
        Nack: Happening.FOREIGN,
    }
)

HAPPENING_OF_EVENT: Mapping[type[Event], Happening] = MappingProxyType(
    {
        Tick: Happening.TICKED,
        Violated: Happening.VIOLATED,
        Granted: Happening.GRANTED,
        Denied: Happening.DENIED,
        Stored: Happening.STORED,
        StoreFailed: Happening.FAILED,
        TakenOver: Happening.TAKEN_OVER,
        StopRequested: Happening.STOP,
        Cut: Happening.CUT,
    }
)

_STORE = (Happening.GRANTED, Happening.DENIED, Happening.STORED, Happening.FAILED)
_ENDINGS = dict.fromkeys(
    (Happening.FAREWELL, Happening.SILENT, Happening.VIOLATED, Happening.STOP),
    State.CLOSING,
)

TRANSITIONS: Mapping[State, Mapping[Happening, State]] = MappingProxyType(
    {
        State.GREETING: {
            Happening.TICKED: State.GREETING,
            Happening.GREETED: State.OPENING,
            Happening.MISFIT: State.CLOSING,
            **_ENDINGS,
            Happening.CUT: State.CLOSED,
        },
        State.OPENING: {
            Happening.TICKED: State.OPENING,
            Happening.PINGED: State.OPENING,
            Happening.GRANTED: State.STREAMING,
            Happening.REWOUND: State.CLOSING,
            Happening.DENIED: State.CLOSING,
            Happening.FLOODED: State.CLOSING,
            Happening.TAKEN_OVER: State.CLOSING,
            **_ENDINGS,
            Happening.CUT: State.CLOSED,
        },
        State.STREAMING: {
            Happening.TICKED: State.STREAMING,
            Happening.SERIES: State.STREAMING,
            Happening.BATCH: State.STREAMING,
            Happening.FORGED: State.STREAMING,
            Happening.REPORTED: State.STREAMING,
            Happening.PINGED: State.STREAMING,
            Happening.PONGED: State.STREAMING,
            Happening.STORED: State.STREAMING,
            Happening.FAILED: State.STREAMING,
            Happening.OVERDRAWN: State.CLOSING,
            Happening.FLOODED: State.CLOSING,
            Happening.SPOILT: State.CLOSING,
            Happening.TAKEN_OVER: State.CLOSING,
            **_ENDINGS,
            Happening.CUT: State.CLOSED,
        },
        State.CLOSING: {
            **dict.fromkeys(_STORE, State.CLOSING),
            Happening.TICKED: State.CLOSING,
            Happening.LATE: State.CLOSING,
            Happening.VIOLATED: State.CLOSING,
            Happening.TAKEN_OVER: State.CLOSING,
            Happening.STOP: State.CLOSING,
            Happening.CUT: State.CLOSED,
        },
        State.CLOSED: {
            **dict.fromkeys(_STORE, State.CLOSED),
            Happening.TICKED: State.CLOSED,
            Happening.TAKEN_OVER: State.CLOSED,
            Happening.STOP: State.CLOSED,
        },
    }
)
