"""Position, state, kpi, vitals, birth and death: which series their fields become."""

import json
from typing import Any

import pytest

from edge.ingest.decode import decode_payload
from edge.ingest.decoded import Decoded, DecodeLimits, Reason
from shared.domain.topics import parse_topic

LIMITS = DecodeLimits(
    payload_size_max_bytes=10_000, samples_per_message_max=3, metrics_per_sample_max=4
)
FULL_POSITION: dict[str, Any] = {
    "location": {
        "coordinates": {"lat": 10.5, "lng": 7.4, "altitude_m": 640, "accuracy_m": 2.5},
        "zone": "pit-north-2",
        "level": "surface",
    },
    "speed_mps": 4.2,
    "heading_deg": 270,
}


def decode(document: Any, asset: str, channel: str) -> Decoded:
    topic = parse_topic(f"mine/v1/kaduna/{asset}/{channel}")
    return decode_payload(topic, json.dumps(document).encode(), LIMITS)


def values(decoded: Decoded) -> dict[str, Any]:
    (sample,) = decoded.samples
    return {name: value for name, _, value in sample.values}


def refusals(decoded: Decoded) -> list[tuple[str, str]]:
    return [(str(refusal.reason), refusal.field) for refusal in decoded.refused]


def test_a_position_becomes_one_series_for_each_field() -> None:
    assert values(decode(FULL_POSITION, "vehicle/ht-01", "position")) == {
        "lat_deg": 10.5,
        "lng_deg": 7.4,
        "altitude_m": 640.0,
        "accuracy_m": 2.5,
        "zone": "pit-north-2",
        "level": "surface",
        "speed_mps": 4.2,
        "heading_deg": 270.0,
    }


def test_positions_come_in_batches_too() -> None:
    batch = {"samples": [FULL_POSITION, FULL_POSITION]}
    assert len(decode(batch, "worker/w-7", "position").samples) == 2


def test_optional_fields_may_be_absent_or_null() -> None:
    decoded = decode(
        {"location": {"coordinates": None, "zone": "adit", "level": None}}, "worker/w-7", "position"
    )
    assert values(decoded) == {"zone": "adit"}
    assert decoded.refused == []


@pytest.mark.parametrize("coordinates", [{"lat": 10.5}, {"lat": 10.5, "lng": "7.4"}])
def test_half_a_position_is_not_kept(coordinates: dict[str, Any]) -> None:
    decoded = decode({"location": {"coordinates": coordinates}}, "vehicle/ht-01", "position")
    assert values(decoded) == {}
    assert [field for _, field in refusals(decoded)] == ["location.coordinates.lng"]


def test_a_field_of_another_type_is_refused_alone() -> None:
    document = FULL_POSITION | {"speed_mps": "fast"}
    decoded = decode(document, "vehicle/ht-01", "position")
    assert refusals(decoded) == [(Reason.BAD_VALUE, "speed_mps")]
    assert len(values(decoded)) == 7


def test_a_position_without_location_is_refused_and_speed_kept() -> None:
    decoded = decode({"speed_mps": 1.0}, "vehicle/ht-01", "position")
    assert refusals(decoded) == [(Reason.BAD_STRUCTURE, "location")]
    assert values(decoded) == {"speed_mps": 1.0}


@pytest.mark.parametrize(
    "location", [{}, {"coordinates": {"latitude": 10, "longitude": 7}}, {"coordinates": {}}]
)
def test_a_location_with_no_place_in_it_is_refused_and_speed_kept(location: Any) -> None:
    decoded = decode({"location": location, "speed_mps": 1.0}, "vehicle/ht-01", "position")
    assert refusals(decoded) == [(Reason.BAD_STRUCTURE, "location")]
    assert "expected coordinates with lat and lng, zone or level" in decoded.refused[0].detail
    assert values(decoded) == {"speed_mps": 1.0}


@pytest.mark.parametrize(
    "location", [{"coordinates": None}, {"coordinates": {"lat": None, "lng": None}}, {"zone": None}]
)
def test_a_device_without_a_fix_may_say_how_fast_it_is(location: Any) -> None:
    document = {"ts": 5, "seq": 1, "location": location}
    decoded = decode(document | {"speed_mps": 1.0}, "vehicle/ht-01", "position")
    assert (values(decoded), decoded.refused) == ({"speed_mps": 1.0}, [])
    silent = decode(document, "vehicle/ht-01", "position")
    assert refusals(silent) == [(Reason.BAD_STRUCTURE, "location")]


def test_a_state_that_says_nothing_is_refused() -> None:
    decoded = decode({"ts": 5, "seq": 1, "state_name": "fault"}, "equipment/p-1", "state")
    assert refusals(decoded) == [(Reason.BAD_STRUCTURE, "status")]
    assert decoded.refused[0].detail == (
        "expected status or operating_hours, got 'ts', 'seq', 'state_name'"
    )


def test_a_state_becomes_status_and_hours() -> None:
    decoded = decode({"status": "running", "operating_hours": 12.5}, "equipment/p-1", "state")
    assert values(decoded) == {"status": "running", "operating_hours": 12.5}


@pytest.mark.parametrize("status", ["Running", "", 5, ["running"], {"a": 1}])
def test_an_unknown_status_is_refused_and_the_hours_kept(status: Any) -> None:
    decoded = decode({"status": status, "operating_hours": 1}, "equipment/p-1", "state")
    assert refusals(decoded) == [(Reason.BAD_VALUE, "status")]
    assert values(decoded) == {"operating_hours": 1.0}


@pytest.mark.parametrize(
    ("asset", "channel", "metric"),
    [("worker/w-7", "vitals", "heart_rate_bpm"), ("network/cell-1", "kpi", "rsrp_dbm")],
)
def test_vitals_and_kpi_carry_metrics_as_telemetry_does(
    asset: str, channel: str, metric: str
) -> None:
    assert values(decode({"metrics": {metric: 70}}, asset, channel)) == {metric: 70.0}


@pytest.mark.parametrize("declared", ["%", {"unit": "%"}])
def test_a_birth_says_online_and_declares_units(declared: Any) -> None:
    birth = {"ts": 5, "seq": 0, "boot_id": "b-1", "metrics": {"ch4_pct": declared}}
    decoded = decode(birth, "sensor/gas-001", "birth")
    assert values(decoded) == {"online": True, "boot_id": "b-1"}
    assert decoded.units == {"ch4_pct": "%"}


@pytest.mark.parametrize("unit", [5, None, "x" * 33, "a\nb", {"name": "%"}, ["%"]])
def test_a_birth_keeps_its_good_units(unit: Any) -> None:
    birth = {"boot_id": 7, "metrics": {"a": unit, "b": "bar", "Bad": "%"}}
    decoded = decode(birth, "sensor/gas-001", "birth")
    assert decoded.units == {"b": "bar"}
    assert refusals(decoded) == [
        (Reason.BAD_VALUE, "metrics.a"),
        (Reason.BAD_METRIC, "metrics.'Bad'"),
    ]
    assert values(decoded) == {"online": True, "boot_id": "7"}


def test_a_birth_declares_no_more_units_than_a_sample_has_metrics() -> None:
    birth = {"metrics": {f"m{n}": "%" for n in range(9)}}
    assert len(decode(birth, "sensor/gas-001", "birth").units) == LIMITS.metrics_per_sample_max


def test_a_death_says_offline_with_a_payload_or_without() -> None:
    topic = "mine/v1/kaduna/sensor/gas-001/death"
    assert values(decode_payload(parse_topic(topic), b"", LIMITS)) == {"online": False}
    assert values(decode({"ts": 5}, "sensor/gas-001", "death")) == {"online": False}
