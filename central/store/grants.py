"""What the store answers to the inbox: a session's grant, the fate of batches. Pure types."""

from dataclasses import dataclass, field

from shared.sync.frames import Mark, NackCode
from shared.sync.marks import Marks
from shared.sync.ranges import Ranges


@dataclass(frozen=True, slots=True)
class Ancestor:
    """Another epoch of the same installation: one that it left, or that a copy of it is in."""

    epoch: int
    lanes: dict[int, Ranges]


@dataclass(frozen=True, slots=True)
class SessionGrant:
    """A session as the store knows it, handed back to it with every later call."""

    session_id: str  # UUID, new for every session
    central_uuid: str  # UUID of this database; a restored or new one has another
    site: str
    edge_id: str
    install_uuid: str
    epoch: int  # >= 1
    lanes: dict[int, Ranges]  # seqs committed here (applied, waiting in the inbox or quarantined)
    series_known: int  # entries 1..series_known of this epoch's catalogue are committed here
    site_key: int  # the store's own keys, opaque to everyone else
    edge_key: int
    fenced: str | None = None  # why this session begins a new epoch, if it does
    marks: Marks = field(default_factory=dict[int, tuple[Mark, ...]])  # of what is held
    # What the edge sends again of them is held already, if it is the same.
    ancestors: tuple[Ancestor, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchRefusal:
    """A batch the store will not apply, and why."""

    lane: int
    seq: int
    code: NackCode  # QUARANTINED or CONFLICT: its bytes are kept in sync_quarantine, sync_conflict
    detail: str


@dataclass(frozen=True, slots=True)
class StoreResult:
    """What became of the batches of one call: each is in exactly one of the two."""

    stored: dict[int, Ranges]  # committed now, or held before with the same sha256
    refused: tuple[BatchRefusal, ...] = ()
