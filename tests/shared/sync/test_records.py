"""Records of the urgent lanes: each survives its own bytes; no bytes do worse than CodecError."""

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import CodecError
from shared.sync.frames import BODY_SIZE_MAX_BYTES as FRAMED_BODY_SIZE_MAX_BYTES
from shared.sync.records import (
    BODY_SIZE_MAX_BYTES,
    PAYLOAD_SIZE_MAX_BYTES,
    RECORDS_COMPRESSED,
    RECORDS_PER_BODY_MAX,
    RECORDS_PLAIN,
    AlertRecord,
    AlertState,
    GapRecord,
    KnownRecord,
    MessageGapRecord,
    Severity,
    UnknownRecord,
    decode_records,
    encode_records,
    is_records,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
COUNT = st.integers(0, 2**63 - 1)
MAYBE_MS = st.none() | INT64
SEQ = st.integers(1, 2**63 - 2)
ID = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,63}\Z")
CODE = st.from_regex(r"\A[a-z][a-z0-9_]{0,63}\Z")
FLOAT = st.floats(allow_nan=False)

ALERTS = st.builds(
    AlertRecord,
    alert_id=ID,
    revision=st.integers(1, 2**31 - 1),
    state=st.sampled_from(AlertState),
    severity=st.sampled_from(Severity),
    type=CODE,
    message=st.text(max_size=500),
    kind=ID,
    asset_id=ID,
    metric=ID,
    unit=st.just("%"),
    value=FLOAT,
    threshold=FLOAT,
    raised_ms=INT64,
    at_ms=INT64,
    detected_ms=INT64,
    context=st.lists(st.tuples(INT64, FLOAT), max_size=64).map(tuple),
)
GAPS = st.builds(
    GapRecord,
    lane=st.integers(0, 7),
    first_seq=SEQ,
    last_seq=SEQ,
    samples=COUNT,
    t_min_ms=MAYBE_MS,
    t_max_ms=MAYBE_MS,
    reason=CODE,
    at_ms=INT64,
    is_thinned=st.booleans(),
)
MESSAGE_GAPS = st.builds(
    MessageGapRecord,
    gap_id=ID,
    topic=st.text(max_size=512),
    missing=COUNT,
    from_ms=MAYBE_MS,
    until_ms=MAYBE_MS,
    reason=CODE,
    at_ms=INT64,
)
RECORDS = st.lists(ALERTS | GAPS | MESSAGE_GAPS, min_size=1, max_size=20)


GAP = GapRecord(
    lane=2, first_seq=1, last_seq=9, samples=90, t_min_ms=0, t_max_ms=5, reason="disk_full", at_ms=7
)


@given(RECORDS)
def test_records_survive_their_own_bytes(records: list[KnownRecord]) -> None:
    body = encode_records(records)
    assert is_records(body)
    assert decode_records(body) == records
    assert len(body) <= BODY_SIZE_MAX_BYTES <= FRAMED_BODY_SIZE_MAX_BYTES


def test_a_lone_small_record_is_not_made_larger_by_compression() -> None:
    body = encode_records([GAP])
    assert body[0] == RECORDS_PLAIN
    assert len(body) < 40


def test_many_alike_are_compressed() -> None:
    body = encode_records([GAP] * 100)
    assert body[0] == RECORDS_COMPRESSED
    assert len(body) < 100


def test_a_kind_of_a_later_version_is_kept_as_it_came() -> None:
    later = [99, "something", {"deep": [1]}]
    payload = msgspec.msgpack.encode([later, GAP])
    unknown, known = decode_records(bytes([RECORDS_PLAIN]) + payload)
    assert known == GAP
    assert isinstance(unknown, UnknownRecord)
    assert (unknown.tag, msgspec.msgpack.decode(unknown.encoded)) == (99, later)


def test_fields_of_a_later_version_are_ignored() -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(GAP))
    payload = msgspec.msgpack.encode([[*fields, "new"]])
    assert decode_records(bytes([RECORDS_PLAIN]) + payload) == [GAP]


def test_a_field_out_of_bounds_is_named_with_its_place() -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(GAP))
    fields[2] = 0
    payload = msgspec.msgpack.encode([GAP, fields])
    with pytest.raises(CodecError, match=r"record 1: .*>= 1"):
        decode_records(bytes([RECORDS_PLAIN]) + payload)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_and_nothing_else_happens(noise: bytes) -> None:
    for start in (b"", bytes([RECORDS_PLAIN]), bytes([RECORDS_COMPRESSED])):
        try:
            records = decode_records(start + noise)
        except CodecError:
            continue
        assert records


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(PAYLOAD_SIZE_MAX_BYTES + 1))
    with pytest.raises(CodecError, match="declare at most"):
        decode_records(bytes([RECORDS_COMPRESSED]) + bomb)


def test_depth_is_bounded() -> None:
    deep = b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(CodecError):
        decode_records(bytes([RECORDS_PLAIN]) + deep)


@pytest.mark.parametrize("count", [0, RECORDS_PER_BODY_MAX + 1])
def test_a_body_holds_some_records_and_not_too_many(count: int) -> None:
    with pytest.raises(ValueError, match="a body holds 1 to 1000 records"):
        encode_records([GAP] * count)
    payload = msgspec.msgpack.encode([GAP] * count)
    with pytest.raises(CodecError, match="a body holds 1 to 1000 records"):
        decode_records(bytes([RECORDS_PLAIN]) + payload)


def test_samples_are_told_from_records_by_the_first_byte() -> None:
    assert not is_records(b"")
    assert not is_records(bytes([1, 2, 3]))
    assert is_records(bytes([RECORDS_COMPRESSED + 5]))
