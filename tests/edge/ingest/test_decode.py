"""What a message becomes: every channel, both formats, and what is refused by which path."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.decode import decode_payload
from edge.ingest.decoded import Decoded, DecodeLimits, Reason
from shared.domain.samples import ValueType
from shared.domain.topics import parse_topic
from shared.errors import TopicError

LIMITS = DecodeLimits(
    payload_size_max_bytes=10_000, samples_per_message_max=3, metrics_per_sample_max=4
)
GAS = "mine/v1/kaduna/sensor/gas-001/telemetry"


def decode(document: Any, topic: str = GAS) -> Decoded:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode_payload(parse_topic(topic), payload, LIMITS)


def values(decoded: Decoded) -> dict[str, Any]:
    (sample,) = decoded.samples
    return {name: value for name, _, value in sample.values}


def refusals(decoded: Decoded) -> list[tuple[str, str]]:
    return [(str(refusal.reason), refusal.field) for refusal in decoded.refused]


@pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode])
def test_reads_a_sample_from_json_and_from_msgpack(encode: Any) -> None:
    decoded = decode(encode({"ts": 1_700_000_000_000, "seq": 7, "metrics": {"ch4_pct": 0.42}}))
    (sample,) = decoded.samples
    assert (sample.seq, sample.ts_ms) == (7, 1_700_000_000_000)
    assert list(sample.values) == [("ch4_pct", ValueType.NUMBER, 0.42)]
    assert decoded.refused == []


def test_reads_a_batch_of_samples() -> None:
    decoded = decode({"samples": [{"ts": 1, "seq": n, "metrics": {"a": n}} for n in (1, 2)]})
    assert [sample.seq for sample in decoded.samples] == [1, 2]


@pytest.mark.parametrize(
    ("value", "value_type", "stored"),
    [
        (1, ValueType.NUMBER, 1.0),
        (2**53, ValueType.NUMBER, float(2**53)),
        (2**53 + 1, ValueType.INTEGER, 2**53 + 1),
        (-(2**63), ValueType.INTEGER, -(2**63)),
        (-0.0, ValueType.NUMBER, -0.0),
        (5e-324, ValueType.NUMBER, 5e-324),
        (True, ValueType.FLAG, True),
        ("on", ValueType.TEXT, "on"),
        ("ü" * 256, ValueType.TEXT, "ü" * 256),
    ],
)
def test_stores_each_value_under_its_own_type(
    value: Any, value_type: ValueType, stored: Any
) -> None:
    (sample,) = decode({"metrics": {"a": value}}).samples
    assert list(sample.values) == [("a", value_type, stored)]
    assert type(sample.values[0][2]) is type(stored)


TEXTS_OF_BAD_VALUES = [
    *("NaN", "Infinity", "-Infinity", "1e999", str(2**63), "9" * 5_000),
    *("null", "{}", "[1]", '"' + "x" * 257 + '"', r'"a\u0000b"', r'"\ud800"', '1,"bad":2'),
]


@pytest.mark.parametrize("text", TEXTS_OF_BAD_VALUES)
def test_refuses_one_bad_value_and_keeps_its_neighbours(text: str) -> None:
    decoded = decode(b'{"metrics":{"good":1,"bad":%s,"fine":2}}' % text.encode())
    assert values(decoded) == {"good": 1.0, "fine": 2.0}
    assert refusals(decoded) == [(Reason.BAD_VALUE, "metrics.bad")]


@pytest.mark.parametrize(
    "value", [b"raw", datetime(2026, 1, 1, tzinfo=UTC), float("nan"), 2**64 - 1]
)
def test_refuses_values_that_only_msgpack_can_carry(value: Any) -> None:
    decoded = decode(msgspec.msgpack.encode({"metrics": {"good": 1, "bad": value}}))
    assert values(decoded) == {"good": 1.0}
    assert refusals(decoded) == [(Reason.BAD_VALUE, "metrics.bad")]


def test_refuses_a_key_given_twice_in_msgpack_too() -> None:
    twice = b"\x81\xa7metrics\x83\xa1a\x01\xa1b\x02\xa1a\x03"  # {"metrics": {a: 1, b: 2, a: 3}}
    decoded = decode(twice)
    assert values(decoded) == {"b": 2.0}
    assert refusals(decoded) == [(Reason.BAD_VALUE, "metrics.a")]


@pytest.mark.parametrize("name", ["Ch4", "1a", "", "a b", "a" * 65, "ch4.pct", "ä"])
def test_refuses_a_metric_by_its_name(name: str) -> None:
    decoded = decode({"metrics": {name: 1, "good": 2}})
    assert values(decoded) == {"good": 2.0}
    assert [reason for reason, _ in refusals(decoded)] == [Reason.BAD_METRIC]


@pytest.mark.parametrize("ts", ["1700000000000", -1, 1.5, True, 2**63, 1e300, [], {"a": 1}])
def test_refuses_a_sample_whose_time_is_no_time(ts: Any) -> None:
    decoded = decode({"ts": ts, "seq": 4, "metrics": {"a": 1}})
    assert refusals(decoded) == [(Reason.BAD_TS, "ts")]
    # Nothing to store, but number 4 did arrive: no gap must be seen after it.
    assert [(sample.seq, list(sample.values)) for sample in decoded.samples] == [(4, [])]


@pytest.mark.parametrize("seq", ["1", -1, 1.5, True, 2**53 + 1, 1e300])
def test_refuses_a_sample_whose_number_is_no_number(seq: Any) -> None:
    decoded = decode({"ts": 1, "seq": seq, "metrics": {"a": 1}})
    assert refusals(decoded) == [(Reason.BAD_SEQ, "seq")]
    assert decoded.samples == []


@pytest.mark.parametrize(("ts", "seq"), [(5.0, 3.0), (5, 3)])
def test_accepts_whole_floats_as_time_and_number(ts: Any, seq: Any) -> None:
    (sample,) = decode({"ts": ts, "seq": seq, "metrics": {}}).samples
    assert (sample.ts_ms, sample.seq) == (5, 3)


def test_takes_null_for_not_given() -> None:
    (sample,) = decode({"ts": None, "seq": None, "metrics": {"a": 1}}).samples
    assert (sample.ts_ms, sample.seq) == (None, None)


def test_accepts_an_empty_map_of_metrics_as_a_heartbeat() -> None:
    decoded = decode({"ts": 1, "seq": 2, "metrics": {}})
    assert decoded.refused == []
    (sample,) = decoded.samples
    assert (sample.seq, list(sample.values), sample.is_heartbeat) == (2, [], True)


@pytest.mark.parametrize("metrics", [{"a": None}, {"a": 1}, []])
def test_nothing_else_is_a_heartbeat(metrics: Any) -> None:
    decoded = decode({"ts": 1, "seq": 2, "metrics": metrics})
    assert [sample.is_heartbeat for sample in decoded.samples] == [False]


def test_ignores_keys_it_does_not_know() -> None:
    decoded = decode({"metrics": {"a": 1}, "vendor": {"note": "12:30"}, "version": 2})
    assert values(decoded) == {"a": 1.0}
    assert decoded.refused == []


@pytest.mark.parametrize("metrics", [None, 5, [], "x"])
def test_refuses_a_sample_without_a_map_of_metrics(metrics: Any) -> None:
    decoded = decode({"metrics": metrics})
    assert refusals(decoded) == [(Reason.BAD_STRUCTURE, "metrics")]


def test_refuses_one_bad_sample_of_a_batch_by_its_path() -> None:
    good = {"ts": 1, "metrics": {"a": 1}}
    nan = b'{"ts":1,"metrics":{"ch4_pct":NaN}}'
    batch = b'{"samples":[%s,7,%s]}' % (json.dumps(good).encode(), nan)
    decoded = decode(batch)
    assert refusals(decoded) == [
        (Reason.BAD_STRUCTURE, "samples[1]"),
        (Reason.BAD_VALUE, "samples[2].metrics.ch4_pct"),
    ]
    assert [len(sample.values) for sample in decoded.samples] == [1, 0]


def test_keeps_the_first_samples_of_a_batch_that_is_too_long() -> None:
    decoded = decode({"samples": [{"seq": n, "metrics": {"a": n}} for n in range(5)]})
    assert [sample.seq for sample in decoded.samples] == [0, 1, 2]
    assert refusals(decoded) == [(Reason.TOO_MANY_SAMPLES, "samples[3:]")]


def test_keeps_the_first_metrics_of_a_sample_that_has_too_many() -> None:
    decoded = decode({"metrics": {f"m{n}": n for n in range(6)}})
    assert list(values(decoded)) == ["m0", "m1", "m2", "m3"]
    assert refusals(decoded) == [(Reason.BAD_STRUCTURE, "metrics")]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.BAD_STRUCTURE),
        (b"hello", Reason.BAD_JSON),
        (b'{"metrics":{"a":1}', Reason.BAD_JSON),
        (b'{"metrics":{"a":1}} x', Reason.BAD_JSON),
        (b'{"metrics":{"a":"\xff"}}', Reason.BAD_JSON),
        (b'{"a":' * 2_000, Reason.BAD_JSON),
        (b"23.5", Reason.BAD_STRUCTURE),
        (b"null", Reason.BAD_STRUCTURE),
        (b"[1,2]", Reason.BAD_STRUCTURE),
        (b'{"samples":[]}', Reason.BAD_STRUCTURE),
        (b'{"samples":{"a":1}}', Reason.BAD_STRUCTURE),
        (b"\xc1", Reason.BAD_MSGPACK),
        (b"\x81\xa1a", Reason.BAD_MSGPACK),
        (b"\x81\xa1a\x01\x00", Reason.BAD_MSGPACK),
        (b"\x81\x01\x02", Reason.BAD_MSGPACK),
        (b"\x81\xa1a" * 3_000, Reason.BAD_MSGPACK),
        (b"\x93\x01\x02\x03", Reason.BAD_STRUCTURE),
        (b" " * 10_001, Reason.PAYLOAD_TOO_LARGE),
    ],
)
def test_refuses_whole_what_is_no_document(payload: bytes, reason: Reason) -> None:
    decoded = decode(payload)
    assert list(decoded.samples) == []
    assert [refusal.reason for refusal in decoded.refused] == [reason]


def test_reads_json_after_a_byte_order_mark() -> None:
    assert values(decode(b'\xef\xbb\xbf{"metrics":{"a":1}}')) == {"a": 1.0}


@pytest.mark.parametrize("topic", ["mine/v1/kaduna/sensor/gas-001/position", "a", "mine/v1/x"])
def test_raises_for_a_topic_that_no_device_may_use(topic: str) -> None:
    with pytest.raises(TopicError):
        decode({"metrics": {}}, topic)


@given(payload=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_never_raises_on_any_bytes(payload: bytes) -> None:
    decoded = decode(payload)
    assert all(refusal.detail for refusal in decoded.refused)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_DOCUMENTS = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["ts", "seq", "metrics", "samples", "a", "b", "location", "coordinates"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(document=_DOCUMENTS, channel=st.sampled_from(["telemetry", "position", "birth", "death"]))
def test_never_raises_on_any_document(document: Any, channel: str) -> None:
    topic = f"mine/v1/kaduna/vehicle/ht-01/{channel}"
    decoded = decode(json.dumps(document).encode(), topic)
    assert all(refusal.field and refusal.detail for refusal in decoded.refused)


@pytest.mark.parametrize("value", ["high", True])
def test_a_metric_whose_name_has_a_unit_is_a_number(value: Any) -> None:
    decoded = decode({"metrics": {"ch4_pct": value, "status": "ok", "pump_on": True}})
    (refusal,) = decoded.refused
    assert (refusal.reason, refusal.field) == (Reason.BAD_VALUE, "metrics.ch4_pct")
    assert "expected a number" in refusal.detail
    assert values(decoded) == {"status": "ok", "pump_on": True}


@pytest.mark.parametrize("integer", [2**63, -(2**63) - 1])
def test_an_integer_out_of_range_is_refused_by_the_range(integer: int) -> None:
    decoded = decode_payload(parse_topic(GAS), b'{"metrics":{"a":%d}}' % integer, LIMITS)
    assert decoded.refused[0].detail == f"expected an integer from -2^63 to 2^63-1, got {integer}"
