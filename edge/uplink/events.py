"""What can happen to an uplink session and what it can ask for. Pure data.

Events go in, actions come out; `edge.uplink.session` decides, `edge.uplink.pump` performs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.sync.frames import Batch, Frame, Hello, Role, SeriesEntry
from shared.sync.marks import Hashes
from shared.sync.ranges import Ranges


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; nothing else."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The connection asked for by `Dial` is there; ``hello`` tells what the log holds now.

    ``lost`` are numbers by lane that the log itself has declared lost: nobody looks for them.
    """

    hello: Hello
    lost: Mapping[int, Ranges] = field(default_factory=dict[int, Ranges])


@dataclass(frozen=True, slots=True)
class Received:
    """A frame came in; of a WELCOME with marks, ``hashes`` are this log's under these numbers."""

    frame: Frame
    hashes: Hashes = field(default_factory=dict[int, dict[int, bytes]])


@dataclass(frozen=True, slots=True)
class Violated:
    """Central broke the protocol: bytes that are no frame, or a frame that raised."""

    detail: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ended or could not be made; nothing more comes from it.

    ``chance`` is a random number from [0, 1], the dice of the backoff.
    """

    reason: str
    chance: float


@dataclass(frozen=True, slots=True)
class Committed:
    """The log grew: ``lane`` now ends at ``last_seq``."""

    lane: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class LogRead:
    """The answer to `ReadLog`, its span repeated.

    ``batches`` ascend; a number of the span before the last of them that is not among them is
    not in the log, and no batches at all mean that none of the span is. ``series`` continue the
    catalogue from what was asked for, up to the last that the batches use unless ``series_more``.
    """

    lane: int
    first: int
    last: int
    batches: tuple[Batch, ...]
    series: tuple[SeriesEntry, ...]
    series_more: bool


@dataclass(frozen=True, slots=True)
class HourFound:
    """The answer to `FindHour`: ``first`` to ``last`` were received within an hour."""

    lane: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LogUnreadable:
    """The log could not answer `ReadLog` or `FindHour` just now."""

    detail: str


@dataclass(frozen=True, slots=True)
class Written:
    """The transport has taken frames that cost this much credit."""

    cost_bytes: int


@dataclass(frozen=True, slots=True)
class Throttled:
    """Lanes that are not urgent wait from now on, or go on."""

    is_held_up: bool


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The edge shuts down."""


Event = (
    Tick
    | Opened
    | Received
    | Violated
    | Cut
    | Committed
    | LogRead
    | HourFound
    | LogUnreadable
    | Written
    | Throttled
    | StopRequested
)


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a connection; answer with `Opened` or `Cut`."""


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send this frame; those of one kind keep their order. Report batches and series `Written`."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class SendReport:
    """Gather the figures of a Report and send it."""

    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection once what was sent before is written; answer with `Cut`."""


@dataclass(frozen=True, slots=True)
class AdoptSession:
    """Keep the granted epoch and central's identity durably, before any batch is sent.

    ``role`` says which lanes this connection serves; ALL where central knows no roles.
    """

    epoch: int
    central_uuid: str
    role: Role
    fenced: str | None = None  # why it is a new epoch: this log is a copy that central knows not


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Central holds exactly these batches of the lane: tell the log, which owes it the rest."""

    lane: int
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Central now holds these batches too: tell the log."""

    lane: int
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Read batches first..last of the lane, oldest first, up to ``size_max_bytes`` of bodies.

    One batch is returned even if it alone is bigger. With them read the series they use from
    ``series_from`` on; None: they name no series. Answer with `LogRead` or `LogUnreadable`.
    """

    lane: int
    first: int
    last: int
    size_max_bytes: int
    series_from: int | None


@dataclass(frozen=True, slots=True)
class FindHour:
    """Find where the hour of batch ``last`` begins; answer with `HourFound` or `LogUnreadable`."""

    lane: int
    last: int


@dataclass(frozen=True, slots=True)
class NoteRefused:
    """Central (or the frame limit) refuses this batch: count it and tell the operator."""

    lane: int
    seq: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class NoteAbsent:
    """These batches should be sent and are not in the log: count and tell."""

    lane: int
    ranges: Ranges


Action = (
    Dial
    | SendFrame
    | SendReport
    | HangUp
    | AdoptSession
    | Reconcile
    | Acknowledge
    | ReadLog
    | FindHour
    | NoteRefused
    | NoteAbsent
)
