"""Records of the urgent lanes: alerts, declared gaps; what a field may be, and their bytes. Pure.

A batch of lane 0 or 1 carries records where a telemetry batch carries samples. New fields are only
ever added at the end, with a default; new kinds take a new tag. A reader keeps a record of a kind
it does not know as it came. Format in docs/wire-format.md.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
import zstandard
from msgspec import Meta, Raw, Struct

from shared.errors import CodecError, UnknownFormatError

ALERT_LANE = 0
AUDIT_LANE = 1  # control audit, edits, declared gaps
RECORD_LANES = frozenset({ALERT_LANE, AUDIT_LANE})

RECORDS_PER_BODY_MAX = 1_000
CONTEXT_SAMPLES_MAX = 64  # of the past that an alert brings along
PAYLOAD_SIZE_MAX_BYTES = 1_044_479  # with its format byte as much as a frame carries
BODY_SIZE_MAX_BYTES = PAYLOAD_SIZE_MAX_BYTES + 1

# The first byte of a body. Bodies of samples use 1 to 127.
RECORDS_PLAIN = 0x80
RECORDS_COMPRESSED = 0x81
FORMATS_AHEAD_MAX = 4  # two formats for each of two versions ahead
_COMPRESSION_LEVEL = 3

_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
_Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}\Z")]
_Text = Annotated[str, Meta(max_length=500)]
_Unit = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=64)]


class AlertState(StrEnum):
    """Where an alert stands. The names are wire format: never rename."""

    RAISED = "raised"
    CLEARED = "cleared"


class Severity(StrEnum):
    """How grave an alert is. The names are wire format: never rename."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class AlertRecord(Struct, frozen=True, array_like=True, kw_only=True, tag_field="tag", tag=1):
    """An alert at one of its revisions; a higher revision of the same alert replaces it.

    ``at_ms`` is the device time of the sample that made this revision, ``raised_ms`` that of the
    first; ``detected_ms`` is edge time. ``context`` are the last samples of the series up to it,
    (ts_ms, value) ascending, so that the alert is useful before the telemetry behind it arrives.
    """

    alert_id: _Id
    revision: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    state: AlertState
    severity: Severity
    type: _Code
    message: _Text
    kind: _Id
    asset_id: _Id
    metric: _Id
    unit: _Unit
    value: float
    threshold: float
    raised_ms: _Int64
    at_ms: _Int64
    detected_ms: _Int64
    context: Annotated[tuple[tuple[_Int64, float], ...], Meta(max_length=CONTEXT_SAMPLES_MAX)] = ()


class GapRecord(Struct, frozen=True, array_like=True, kw_only=True, tag_field="tag", tag=2):
    """Batches of a lane that the edge's log can no longer give, declared before they were removed.

    ``samples`` is what they held as far as that is known; ``is_thinned`` says that one-minute
    rollups of them follow in the same lane.
    """

    lane: Annotated[int, Meta(ge=0, le=7)]
    first_seq: Annotated[int, Meta(ge=1, le=2**63 - 2)]
    last_seq: Annotated[int, Meta(ge=1, le=2**63 - 2)]
    samples: _Count
    t_min_ms: _Int64 | None
    t_max_ms: _Int64 | None
    reason: _Code
    at_ms: _Int64
    is_thinned: bool = False


class MessageGapRecord(Struct, frozen=True, array_like=True, kw_only=True, tag_field="tag", tag=3):
    """Messages of devices that never reached the edge's log, or did after all (``recovered``).

    ``topic`` is empty where nobody knows whose they were; they were sent after ``from_ms`` and
    before ``until_ms``, edge time, as far as that is known. ``gap_id`` is the same when the same
    declaration is stored twice.
    """

    gap_id: _Id
    topic: Annotated[str, Meta(max_length=512)]
    missing: _Count
    from_ms: _Int64 | None
    until_ms: _Int64 | None
    reason: _Code
    at_ms: _Int64


class UnknownRecord(Struct, frozen=True):
    """A record of a kind that this version does not know, as it came."""

    tag: int
    encoded: bytes


KnownRecord = AlertRecord | GapRecord | MessageGapRecord
Record = KnownRecord | UnknownRecord

_KNOWN_TAGS = frozenset({1, 2, 3})
_ENCODER = msgspec.msgpack.Encoder()
_LIST = msgspec.msgpack.Decoder(list[Raw])
_KNOWN = msgspec.msgpack.Decoder(KnownRecord)
_NOT_DECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def is_records(body: bytes) -> bool:
    """Tell whether ``body`` carries records and not samples, in this or a later format."""
    return bool(body) and body[0] >= RECORDS_PLAIN


def encode_records(records: Sequence[KnownRecord]) -> bytes:
    """Return ``records`` as a body that `decode_records` gives back.

    Raises:
        ValueError: if there are none, more than RECORDS_PER_BODY_MAX, or too many bytes of them.
    """
    if not 1 <= len(records) <= RECORDS_PER_BODY_MAX:
        raise ValueError(f"a body holds 1 to {RECORDS_PER_BODY_MAX} records, got {len(records)}")
    payload = _ENCODER.encode(records)
    if len(payload) > PAYLOAD_SIZE_MAX_BYTES:
        raise ValueError(f"the records take {len(payload)} bytes, split them")
    packed = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(payload)
    if len(packed) < len(payload):
        return bytes([RECORDS_COMPRESSED]) + packed
    return bytes([RECORDS_PLAIN]) + payload


def decode_records(body: bytes) -> list[Record]:
    """Return the records of a body, in order; memory is bounded by the limits above.

    Raises:
        CodecError: if ``body`` is not what `encode_records` writes; the message says where.
    """
    try:
        parts = _LIST.decode(_payload(body))
    except _NOT_DECODED as error:
        raise CodecError(f"not a list of records: {error}") from error
    if not 1 <= len(parts) <= RECORDS_PER_BODY_MAX:
        raise CodecError(f"a body holds 1 to {RECORDS_PER_BODY_MAX} records, got {len(parts)}")
    return [_record(part, place) for place, part in enumerate(parts)]


def _payload(body: bytes) -> bytes:
    if len(body) > BODY_SIZE_MAX_BYTES:
        raise CodecError(f"body of {len(body)} bytes, at most {BODY_SIZE_MAX_BYTES}")
    if body and RECORDS_COMPRESSED < body[0] <= RECORDS_COMPRESSED + FORMATS_AHEAD_MAX:
        raise UnknownFormatError(f"format of the records is {body[0]:#x}, later than this version")
    if not body or body[0] not in {RECORDS_PLAIN, RECORDS_COMPRESSED}:
        raise CodecError(f"format of the records is unknown: {body[:1].hex() or 'nothing'}")
    if body[0] == RECORDS_PLAIN:
        return body[1:]
    try:
        declared = zstandard.get_frame_parameters(body[1:]).content_size
        if declared > PAYLOAD_SIZE_MAX_BYTES:
            raise CodecError(f"records must declare at most {PAYLOAD_SIZE_MAX_BYTES} bytes")
        return zstandard.ZstdDecompressor().decompress(body[1:], allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CodecError(f"records cannot be decompressed: {error}") from error


def _record(part: Raw, place: int) -> Record:
    try:
        return _KNOWN.decode(part)
    except _NOT_DECODED as error:
        tag = _tag_of(part)
        if tag is None or tag in _KNOWN_TAGS:
            raise CodecError(f"record {place}: {error}") from error
        return UnknownRecord(tag, bytes(part))


def _tag_of(part: Raw) -> int | None:
    try:
        fields = _LIST.decode(part)
        return msgspec.msgpack.decode(fields[0], type=int) if fields else None
    except _NOT_DECODED:
        return None
