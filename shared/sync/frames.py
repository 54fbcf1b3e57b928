"""The frames of the sync session, what each field may be, and their bytes. Pure.

A frame is one binary WebSocket message: a msgpack array whose first element is the number of
its type. New fields are only ever added at the end, with a default: an older reader ignores
them, a newer reader fills them in. What a frame means is told in docs/sync-protocol.md.

The types are msgspec structs (frozen, no instance dictionary): their annotations are both what
the type checker sees and what the decoder enforces, so a limit cannot be stated and not kept.
"""

from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from shared.errors import FrameError
from shared.sync.ranges import SEQ_MAX, Ranges

PROTOCOL = 1
PROTOCOL_OLDEST = max(1, PROTOCOL - 2)  # what central still speaks: edges are upgraded later
FRAME_SIZE_MAX_BYTES = 1_048_576  # 1.7 s at 5 Mbit/s: the longest one frame may block the link
FRAME_OVERHEAD_MAX_BYTES = 4_096  # header fields of a batch, the longest of them included
BODY_SIZE_MAX_BYTES = FRAME_SIZE_MAX_BYTES - FRAME_OVERHEAD_MAX_BYTES
SERIES_PER_FRAME_MAX = 1_000  # at most 500 bytes an entry: 0.5 MB
UNIT_LENGTH_MAX = 64  # characters; the longest unit in use has seven
LANES_MAX = 8  # five are planned: alerts, control, telemetry, files, and room
URGENT_LANES = 2  # lanes below this number are urgent: alerts, then control; they name no series
REPORTED_REASONS_MAX = 64  # of refusals; about twenty are in use
SAMPLES_PER_BATCH_MAX = 10_000_000
MARKS_MAX = 96  # of a lane: their distances double, so 63 reach back over any log
MARK_HASH_BYTES = 16  # of a sha256: no two batches meet in them by chance
CREDIT_MAX_BYTES = 2**62
RTT_MAX_MS = 86_400_000  # a day; infinity is no JSON and no round trip

# What a frame takes from the credit: its body and a flat price for the objects it becomes, so
# that a flood of empty batches is as bounded in memory as a flood of big ones.
BATCH_COST_BYTES = 512
SERIES_COST_BYTES = 512

_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Lane = Annotated[int, Meta(ge=0, lt=LANES_MAX)]
_Seq = Annotated[int, Meta(ge=1, le=SEQ_MAX)]
_Epoch = Annotated[int, Meta(ge=0, le=2**31 - 1)]
# \Z and not $, which would let a newline through at the end.
_Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}\Z")]
_Metric = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
_Unit = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=UNIT_LENGTH_MAX)]
_Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\Z")]
_Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
_CountByReason = Annotated[dict[_Code, _Count], Meta(max_length=REPORTED_REASONS_MAX)]
_Detail = Annotated[str, Meta(max_length=1_000)]
_Sha256 = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Seconds = Annotated[float, Meta(ge=0, le=86_400)]


class Role(StrEnum):
    """Which lanes a connection serves. The names are wire format: never rename.

    An edge that knows of roles has two connections, so that nothing urgent waits behind what is
    bulky; one that does not serves all its lanes on one.
    """

    ALL = "all"
    URGENT = "urgent"
    BULK = "bulk"

    def serves(self, lane: int) -> bool:
        """Tell whether ``lane`` travels on a connection of this role."""
        return self is Role.ALL or (self is Role.URGENT) == (lane < URGENT_LANES)

    def overlaps(self, other: "Role") -> bool:
        """Tell whether there is a lane that both would serve."""
        return self is other or Role.ALL in {self, other}


class RefuseCode(StrEnum):
    """Why central ends a session with Refuse. The names are wire format: never rename."""

    BAD_FRAME = "bad_frame"  # not a frame, or not one that may come now
    BAD_PROTOCOL = "bad_protocol"  # a protocol version that central does not speak
    BAD_IDENTITY = "bad_identity"  # the HELLO names another edge than the certificate
    DUPLICATE_IDENTITY = "duplicate_identity"  # another installation under this name is connected
    REWOUND = "rewound"  # the edge's log ends before what central holds: an old image was restored
    CATALOGUE_CONFLICT = "catalogue_conflict"  # a series number stands for something else here
    CREDIT_EXCEEDED = "credit_exceeded"  # more bytes than were granted
    TOO_FAST = "too_fast"  # more frames in a second than any edge has reason to send
    TOO_MANY_REFUSED = "too_many_refused"  # one refused batch after another: something is broken
    UNAVAILABLE = "unavailable"  # the store cannot be reached
    BUSY = "busy"  # as many edges are connected as this process serves


class NackCode(StrEnum):
    """Why a batch was not accepted. The names are wire format: never rename."""

    QUARANTINED = "quarantined"  # it can never be applied; central keeps its bytes
    CONFLICT = "conflict"  # central holds another body under this identity and keeps both
    BAD_HASH = "bad_hash"  # the body does not match its sha256; not kept
    STORE_FAILED = "store_failed"  # central could not even keep it; sent again in a later session


KEPT_BY_CENTRAL = frozenset({NackCode.QUARANTINED, NackCode.CONFLICT})


class LaneExtent(NamedTuple):
    """What an edge's log holds of a lane; (1, 0) for a lane with nothing in it yet."""

    first_retained: _Seq
    last_seq: _Count


class Mark(NamedTuple):
    """What one batch is, by the first bytes of its sha256: so a log is told from a copy of it."""

    seq: _Seq
    hash: Annotated[bytes, Meta(min_length=MARK_HASH_BYTES, max_length=MARK_HASH_BYTES)]


class LaneBacklog(NamedTuple):
    """What an edge has of a lane that central has not yet acknowledged."""

    last_seq: _Count
    acked: _Count  # number of batches
    backlog_batches: _Count
    backlog_samples: _Count
    backlog_bytes: _Count
    oldest_ms: _Int64 | None  # edge time of the oldest waiting batch


class SeriesEntry(NamedTuple):
    """A series as an edge numbers it; ``ix`` is what batches refer to within one epoch."""

    ix: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    kind: _Name
    asset_id: _Name
    metric: _Metric
    unit: _Unit
    value_type: Annotated[int, Meta(ge=0, le=255)]


_Marks = Annotated[
    dict[_Lane, Annotated[tuple[Mark, ...], Meta(max_length=MARKS_MAX)]],
    Meta(max_length=LANES_MAX),
]


class Hello(Struct, frozen=True, array_like=True, kw_only=True, tag=1):
    """Edge to central, first: who I am and what my log holds. ``epoch`` 0: none granted yet."""

    protocol: Annotated[int, Meta(ge=1, le=65_535)] = PROTOCOL
    site: _Name
    edge_id: _Name
    install_uuid: _Uuid
    boot_id: Annotated[str, Meta(max_length=64)]
    epoch: _Epoch
    software: Annotated[str, Meta(max_length=64)]
    lanes: Annotated[dict[_Lane, LaneExtent], Meta(max_length=LANES_MAX)]
    series_count: _Count
    sent_at_ms: _Int64
    marks: _Marks = {}  # of the newest batch of each lane and some before it
    role: Role = Role.ALL  # absent from an older edge; ``lanes`` are all lanes all the same


class Welcome(Struct, frozen=True, array_like=True, kw_only=True, tag=2):
    """Central to edge: what I hold of each lane, how many series I know, what you may send.

    ``credit_bytes`` is the first grant: at least one frame, or a big batch could never pass.
    ``lanes`` are those the role serves, and may understate what is held (frame limit); a batch
    sent twice is applied once.
    """

    session_id: _Uuid
    central_uuid: _Uuid
    epoch: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    lanes: Annotated[dict[_Lane, Ranges], Meta(max_length=LANES_MAX)]
    series_known: _Count
    credit_bytes: Annotated[int, Meta(ge=FRAME_SIZE_MAX_BYTES, le=CREDIT_MAX_BYTES)]
    heartbeat_s: Annotated[float, Meta(ge=0.1, le=600)]
    server_ms: _Int64
    fenced: _Detail | None = None  # why this session begins a new epoch, if it does
    marks: _Marks = {}  # of the newest batch that is held of each lane and some before it
    role: Role = Role.ALL  # absent from an older central, which takes one connection only


class Refuse(Struct, frozen=True, array_like=True, kw_only=True, tag=3):
    """Central to edge: the session ends; come back after ``retry_after_s``. See `RefuseCode`."""

    code: _Code
    detail: _Detail
    retry_after_s: _Seconds


class SeriesFrame(Struct, frozen=True, array_like=True, kw_only=True, tag=4):
    """Edge to central: catalogue entries, contiguous, before the first batch that uses them."""

    entries: Annotated[tuple[SeriesEntry, ...], Meta(min_length=1, max_length=SERIES_PER_FRAME_MAX)]


class Batch(Struct, frozen=True, array_like=True, kw_only=True, tag=5):
    """Edge to central: one batch, exactly as it stands in the edge's log."""

    lane: _Lane
    seq: _Seq
    n: Annotated[int, Meta(ge=0, le=SAMPLES_PER_BATCH_MAX)]
    t_min_ms: _Int64
    t_max_ms: _Int64
    recv_min_ms: _Int64
    recv_max_ms: _Int64
    sha256: _Sha256
    body: Annotated[bytes, Meta(max_length=BODY_SIZE_MAX_BYTES)]


class Ack(Struct, frozen=True, array_like=True, kw_only=True, tag=6):
    """Central to edge: these batches are committed here. Empty ranges: only new credit.

    ``credit_bytes`` is cumulative since WELCOME, its own grant included: losing or repeating
    an Ack cannot lose or double credit.
    """

    lane: _Lane
    ranges: Ranges
    credit_bytes: Annotated[int, Meta(ge=0, le=CREDIT_MAX_BYTES)]


class Nack(Struct, frozen=True, array_like=True, kw_only=True, tag=7):
    """Central to edge: this batch will not be applied. See `NackCode`."""

    lane: _Lane
    seq: _Seq
    code: _Code
    detail: _Detail


class Report(Struct, frozen=True, array_like=True, kw_only=True, tag=8):
    """Edge to central, every few seconds: how things stand, for the people at headquarters."""

    sent_at_ms: _Int64
    lanes: Annotated[dict[_Lane, LaneBacklog], Meta(max_length=LANES_MAX)]
    disk_free_bytes: _Count
    rtt_ms: Annotated[float, Meta(ge=0, le=RTT_MAX_MS)] | None
    quarantined: _CountByReason
    broker_refused: _CountByReason = {}  # never reached the edge; absent from an older one
    sent_today_bytes: _CountByReason = {}  # lane_0 and so on, catalogue, control; the site's day
    held_up: _Code | None = None  # why lanes that are not urgent wait


class Ping(Struct, frozen=True, array_like=True, kw_only=True, tag=9):
    """Either way: answer with a Pong of the same number."""

    ping_id: _Count


class Pong(Struct, frozen=True, array_like=True, kw_only=True, tag=10):
    """The answer to a Ping."""

    ping_id: _Count


class Bye(Struct, frozen=True, array_like=True, kw_only=True, tag=11):
    """Either way, last: the sender leaves on purpose. Batches not acknowledged stay unsettled."""

    reason: _Code


Frame = Hello | Welcome | Refuse | SeriesFrame | Batch | Ack | Nack | Report | Ping | Pong | Bye

_DECODER = msgspec.msgpack.Decoder(Frame)
_ENCODER = msgspec.msgpack.Encoder()


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of ``frame``.

    Raises:
        ValueError: if they exceed FRAME_SIZE_MAX_BYTES; the sender must not build such frames.
    """
    encoded = _ENCODER.encode(frame)
    if len(encoded) > FRAME_SIZE_MAX_BYTES:
        raise ValueError(
            f"{type(frame).__name__} of {len(encoded)} bytes exceeds {FRAME_SIZE_MAX_BYTES}"
        )
    return encoded


def decode_frame(encoded: bytes) -> Frame:
    """Return the frame in ``encoded``; fields this version does not know are ignored.

    Raises:
        FrameError: if it is too long, not msgpack, of an unknown type, or a field is not what
            the type allows; the message names the place.
    """
    if len(encoded) > FRAME_SIZE_MAX_BYTES:
        raise FrameError(f"frame of {len(encoded)} bytes exceeds {FRAME_SIZE_MAX_BYTES}")
    try:
        return _DECODER.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"not a frame of protocol {PROTOCOL}: {error}") from error


def credit_cost_bytes(frame: SeriesFrame | Batch) -> int:
    """Return what ``frame`` takes from the credit; both sides count with this and nothing else."""
    match frame:
        case Batch():
            return len(frame.body) + BATCH_COST_BYTES
        case SeriesFrame():
            return len(frame.entries) * SERIES_COST_BYTES
