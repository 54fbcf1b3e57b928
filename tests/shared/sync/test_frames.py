"""Frames: every one survives its own bytes, and no bytes can do worse than FrameError."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FrameError
from shared.sync.frames import (
    BATCH_COST_BYTES,
    BODY_SIZE_MAX_BYTES,
    FRAME_SIZE_MAX_BYTES,
    RTT_MAX_MS,
    SERIES_COST_BYTES,
    SERIES_PER_FRAME_MAX,
    UNIT_LENGTH_MAX,
    Ack,
    Batch,
    Bye,
    Frame,
    Hello,
    LaneBacklog,
    LaneExtent,
    Nack,
    Ping,
    Pong,
    Refuse,
    RefuseCode,
    Report,
    SeriesEntry,
    SeriesFrame,
    Welcome,
    credit_cost_bytes,
    decode_frame,
    encode_frame,
)
from shared.sync.ranges import SEQ_MAX, Ranges

UUID = "6f1c2f9e-5d3b-4b8e-9a51-0d6d6a3c7b10"
INT64 = 2**63 - 1


def batch(body: bytes = b"body", seq: int = 1) -> Batch:
    return Batch(
        lane=2,
        seq=seq,
        n=3,
        t_min_ms=-INT64 - 1,
        t_max_ms=INT64,
        recv_min_ms=0,
        recv_max_ms=1,
        sha256=b"\x07" * 32,
        body=body,
    )


EVERY_FRAME: list[Frame] = [
    Hello(
        site="kaduna",
        edge_id="edge-1",
        install_uuid=UUID,
        boot_id="b",
        epoch=0,
        software="0.1.0",
        lanes={2: LaneExtent(1, 0)},
        series_count=0,
        sent_at_ms=1,
    ),
    Welcome(
        session_id=UUID,
        central_uuid=UUID,
        epoch=1,
        lanes={2: Ranges.of((1, 4), (6, SEQ_MAX))},
        series_known=12,
        credit_bytes=FRAME_SIZE_MAX_BYTES,
        heartbeat_s=15.0,
        server_ms=1,
    ),
    Refuse(code=RefuseCode.REWOUND, detail="lane 2 ends at 3, held to 9", retry_after_s=300.0),
    SeriesFrame(entries=(SeriesEntry(1, "sensor", "mm263", "ch4_pct", "%", 1),)),
    batch(),
    Ack(lane=2, ranges=Ranges.of((1, 9)), credit_bytes=5),
    Nack(lane=2, seq=4, code="bad_hash", detail="sha256 differs"),
    Report(
        sent_at_ms=1,
        lanes={2: LaneBacklog(9, 8, 1, 20, 400, None)},
        disk_free_bytes=1,
        rtt_ms=None,
        quarantined={"bad_json": 2},
        broker_refused={"not_permitted": 1},
    ),
    Ping(ping_id=7),
    Pong(ping_id=7),
    Bye(reason="shutdown"),
]


@pytest.mark.parametrize("frame", EVERY_FRAME, ids=lambda frame: type(frame).__name__)
def test_survives_its_own_bytes(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@pytest.mark.parametrize("frame", EVERY_FRAME, ids=lambda frame: type(frame).__name__)
def test_a_field_of_a_later_version_is_ignored(frame: Frame) -> None:
    later = [*msgspec.msgpack.decode(encode_frame(frame)), "a field of protocol 2"]
    assert decode_frame(msgspec.msgpack.encode(later)) == frame


def test_a_report_of_an_older_edge_tells_of_no_broker() -> None:
    older = decode_frame(msgspec.msgpack.encode([8, 1, {}, 1, None, {"bad_json": 2}]))
    assert older == Report(
        sent_at_ms=1, lanes={}, disk_free_bytes=1, rtt_ms=None, quarantined={"bad_json": 2}
    )
    assert isinstance(older, Report)
    assert older.broker_refused == {}


@pytest.mark.parametrize("rtt_ms", [float("inf"), float("nan"), -1.0, RTT_MAX_MS + 1.0])
def test_a_round_trip_is_a_time(rtt_ms: float) -> None:
    with pytest.raises(FrameError, match="float"):
        decode_frame(msgspec.msgpack.encode([8, 1, {}, 1, rtt_ms, {}]))


@pytest.mark.parametrize("frame", EVERY_FRAME, ids=lambda frame: type(frame).__name__)
def test_a_frame_cut_anywhere_is_a_frame_error(frame: Frame) -> None:
    encoded = encode_frame(frame)
    for length in range(len(encoded)):
        with pytest.raises(FrameError):
            decode_frame(encoded[:length])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_frame_error(encoded: bytes) -> None:
    try:
        frame = decode_frame(encoded)
    except FrameError:
        return
    assert decode_frame(encode_frame(frame)) == frame


@given(st.data())
def test_a_damaged_frame_is_a_frame_or_a_frame_error(data: st.DataObject) -> None:
    encoded = bytearray(encode_frame(data.draw(st.sampled_from(EVERY_FRAME))))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(encoded) - 1))
        encoded[position] = data.draw(st.integers(0, 255))
    try:
        decode_frame(bytes(encoded))
    except FrameError:
        return


FORGED: dict[str, list[object]] = {
    "unknown type": [99],
    "a flag for a number": [9, True],
    "negative number": [9, -1],
    "lane out of bounds": [6, 8, [[]], 0],
    "seq 0": [7, 2, 0, "bad_hash", ""],
    "ranges that overlap": [6, 2, [[[1, 5], [3, 9]]], 0],
    "ranges beyond bigint": [6, 2, [[[1, 2**63 - 1]]], 0],
    "code with a space": [11, "good bye"],
    "detail too long": [7, 2, 1, "bad_hash", "x" * 1_001],
    "short sha256": [5, 2, 1, 1, 0, 0, 0, 0, b"x", b""],
    "empty series frame": [4, []],
    "series without a number": [4, [[0, "sensor", "a", "m", "", 1]]],
    "credit under one frame": [2, UUID, UUID, 1, {}, 0, FRAME_SIZE_MAX_BYTES - 1, 15.0, 0],
    "metric with a newline": [4, [[1, "sensor", "a", "m\n", "", 1]]],
    "unit with a NUL": [4, [[1, "sensor", "a", "m", "\x00", 1]]],
    "site with a slash": [1, 1, "a/b", "e", UUID, "", 0, "", {}, 0, 0],
    "retry after NaN": [3, "busy", "", float("nan")],
    "retry after infinity": [3, "busy", "", float("inf")],
    "a reason with a space": [8, 1, {}, 1, None, {}, {"bad login": 1}],
    "a negative count": [8, 1, {}, 1, None, {}, {"bad_login": -1}],
    "too many reasons": [8, 1, {}, 1, None, {}, {f"r{n}": 1 for n in range(65)}],
    "not an array": [],
}


@pytest.mark.parametrize("fields", FORGED.values(), ids=FORGED.keys())
def test_a_forged_frame_is_refused(fields: list[object]) -> None:
    with pytest.raises(FrameError):
        decode_frame(msgspec.msgpack.encode(fields))


def test_deep_nesting_is_refused_not_a_crash() -> None:
    with pytest.raises(FrameError):
        decode_frame(b"\x91" * FRAME_SIZE_MAX_BYTES)


def test_the_largest_body_fits_and_a_longer_one_cannot_be_sent() -> None:
    frame = batch(body=bytes(BODY_SIZE_MAX_BYTES), seq=SEQ_MAX)
    assert decode_frame(encode_frame(frame)) == frame
    with pytest.raises(ValueError, match="exceeds"):
        encode_frame(batch(body=bytes(FRAME_SIZE_MAX_BYTES)))


def test_a_message_over_the_frame_limit_is_not_even_parsed() -> None:
    with pytest.raises(FrameError, match="exceeds"):
        decode_frame(bytes(FRAME_SIZE_MAX_BYTES + 1))


def test_the_longest_series_frame_fits() -> None:
    # Names are ASCII; a unit may take 4 bytes for each of its characters.
    unit = "\U0001f525" * UNIT_LENGTH_MAX
    entry = SeriesEntry(2**32 - 1, "k" * 64, "a" * 64, "m" * 64, unit, 255)
    frame = SeriesFrame(entries=(entry,) * SERIES_PER_FRAME_MAX)
    assert decode_frame(encode_frame(frame)) == frame


def test_both_sides_count_credit_by_content() -> None:
    assert credit_cost_bytes(batch(body=bytes(100))) == 100 + BATCH_COST_BYTES
    series = SeriesFrame(entries=(SeriesEntry(1, "sensor", "a", "m", "", 1),) * 3)
    assert credit_cost_bytes(series) == 3 * SERIES_COST_BYTES
