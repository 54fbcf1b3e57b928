"""What can happen to an inbox session and what it can ask for. Pure data.

Events go in, actions come out; `central.inbox.session` decides, `central.inbox.conversation`
performs.
"""

from dataclasses import dataclass

from central.inbox.ports import SessionGrant, StoreResult
from shared.sync.frames import Batch, Frame, Hello, RefuseCode, Report, SeriesEntry


@dataclass(frozen=True, slots=True)
class EdgeIdentity:
    """Who the client certificate says is calling."""

    site: str
    edge_id: str

    def __str__(self) -> str:
        return f"{self.site}/{self.edge_id}"


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; nothing else."""


@dataclass(frozen=True, slots=True)
class Received:
    """A frame came in."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Violated:
    """The edge broke the protocol: bytes that are no frame, or a frame that raised."""

    detail: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The store opened the session; ``now_ms`` is central's wall clock, for WELCOME."""

    grant: SessionGrant
    now_ms: int


@dataclass(frozen=True, slots=True)
class Denied:
    """The session cannot be opened."""

    code: RefuseCode
    detail: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The transaction asked for by `StoreBatches` is committed."""

    result: StoreResult


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """Nothing of the transaction was committed. ``chance``: random, from [0, 1], for the retry."""

    detail: str
    is_permanent: bool  # because of what is in it: repeating it whole cannot help
    chance: float


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The same installation has opened a newer connection."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Central shuts down."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ended; nothing more comes from it."""


Event = (
    Tick
    | Received
    | Violated
    | Granted
    | Denied
    | Stored
    | StoreFailed
    | TakenOver
    | StopRequested
    | Cut
)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Admit the edge and open its session in the store; answer with `Granted` or `Denied`."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send this frame, in order."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class StoreBatches:
    """Commit this in one transaction; answer with `Stored` or `StoreFailed`. One at a time."""

    series: tuple[SeriesEntry, ...]
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class KeepReport:
    """Keep the report; losing one is harmless."""

    report: Report


@dataclass(frozen=True, slots=True)
class NoteRefused:
    """This batch is refused: count it and tell the operator."""

    lane: int
    seq: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class NoteEnding:
    """This session ends for a reason an operator may want to know."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection once what was sent before is written; answer with `Cut`."""


Action = OpenSession | SendFrame | StoreBatches | KeepReport | NoteRefused | NoteEnding | HangUp
