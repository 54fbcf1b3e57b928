"""What each channel's payload holds: telemetry, vitals, kpi, position, state, birth, death. Pure.

Owns the names of the fields and the series they become; single values are judged in ``fields``.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import isfinite
from typing import Any, Final, cast

from edge.ingest.decoded import DecodeLimits, Reason, Refusal
from edge.ingest.fields import (
    UNIT_LENGTH_MAX,
    Refusals,
    Values,
    add_typed,
    add_value,
    is_encodable,
    is_metric_name,
    shown,
    shown_keys,
    shown_name,
    structure,
)
from shared.domain.samples import ValueType
from shared.domain.topics import Channel

EQUIPMENT_STATUSES: Final = ("running", "idle", "stopped", "fault", "maintenance")

_COORDINATES: Final = ("lat", "lng", "altitude_m", "accuracy_m")
_PLACES: Final = ("zone", "level")

# A reader takes the sample's map and its path and adds to values and refusals.
Reader = Callable[[Mapping[str, Any], str, Values, Refusals, DecodeLimits], None]


def _read_metrics(
    entry: Mapping[str, Any], path: str, values: Values, refused: Refusals, limits: DecodeLimits
) -> None:
    metrics = entry.get("metrics")
    if type(metrics) is not dict:
        detail = f"expected a map of metric to value, got {shown(metrics)}"
        refused.append(structure(path + "metrics", detail))
        return
    found = cast("dict[str, Any]", metrics)
    if len(found) > limits.metrics_per_sample_max:
        found = _first(found, limits, path + "metrics", refused)
    for name, value in found.items():
        # The first case is nearly all of a mine's traffic.
        if type(value) is float and isfinite(value) and is_metric_name(name):
            values.append((name, ValueType.NUMBER, value))
        elif not is_metric_name(name):
            detail = f"expected [a-z][a-z0-9_]{{0,63}}, got {shown(name)}"
            refused.append(Refusal(Reason.BAD_METRIC, f"{path}metrics.{shown_name(name)}", detail))
        else:
            add_value(name, value, f"{path}metrics.{name}", values, refused)


def _first(
    found: dict[str, Any], limits: DecodeLimits, field: str, refused: Refusals
) -> dict[str, Any]:
    allowed = limits.metrics_per_sample_max
    if len(found) <= allowed:
        return found
    detail = f"expected at most {allowed} metrics, got {len(found)}; the first are kept"
    refused.append(structure(field, detail))
    return dict(islice(found.items(), allowed))


def _read_position(
    entry: Mapping[str, Any], path: str, values: Values, refused: Refusals, _: DecodeLimits
) -> None:
    location = _read_map(entry, "location", path, refused)
    coordinates = _read_map(location, "coordinates", path + "location.", refused)
    known = len(values) + len(refused)
    _read_coordinates(coordinates, path + "location.coordinates.", values, refused)
    out = (values, refused)
    for key in _PLACES:
        add_typed(location, key, (key, ValueType.TEXT), path + "location.", out)
    says_nothing = len(values) + len(refused) == known and isinstance(entry.get("location"), dict)
    for key in ("speed_mps", "heading_deg"):
        add_typed(entry, key, (key, ValueType.NUMBER), path, out)
    # A device that has no fix says null, and may say how fast it is all the same.
    if says_nothing and not (values and _is_null_place(location, coordinates)):
        detail = f"expected coordinates with lat and lng, zone or level, got {shown_keys(location)}"
        refused.append(structure(path + "location", detail))


def _is_null_place(location: Mapping[str, Any], coordinates: Mapping[str, Any]) -> bool:
    return (
        any(key in location for key in _PLACES)
        or any(key in coordinates for key in _COORDINATES)
        or ("coordinates" in location and location["coordinates"] is None)
    )


def _read_coordinates(
    coordinates: Mapping[str, Any], field: str, values: Values, refused: Refusals
) -> None:
    pair: Values = []
    half: Refusals = []
    for key, name in (("lat", "lat_deg"), ("lng", "lng_deg")):
        add_typed(coordinates, key, (name, ValueType.NUMBER), field, (pair, half))
    if len(pair) == 1:
        # Half a position shown with the other half's old value would put a person elsewhere.
        missing = "lng" if pair[0][0] == "lat_deg" else "lat"
        detail = "expected lat and lng together; neither is kept"
        half = half or [Refusal(Reason.BAD_STRUCTURE, field + missing, detail)]
    else:
        values.extend(pair)
    refused.extend(half)
    for key in ("altitude_m", "accuracy_m"):
        add_typed(coordinates, key, (key, ValueType.NUMBER), field, (values, refused))


def _read_state(
    entry: Mapping[str, Any], path: str, values: Values, refused: Refusals, _: DecodeLimits
) -> None:
    status = entry.get("status")
    if status is None and entry.get("operating_hours") is None:
        detail = f"expected status or operating_hours, got {shown_keys(entry)}"
        refused.append(structure(path + "status", detail))
    if status in EQUIPMENT_STATUSES:
        values.append(("status", ValueType.TEXT, status))
    elif status is not None:
        detail = f"expected one of {', '.join(EQUIPMENT_STATUSES)}, got {shown(status)}"
        refused.append(Refusal(Reason.BAD_VALUE, path + "status", detail))
    out = (values, refused)
    add_typed(entry, "operating_hours", ("operating_hours", ValueType.NUMBER), path, out)


def _read_death(
    entry: Mapping[str, Any], path: str, values: Values, refused: Refusals, _: DecodeLimits
) -> None:
    del entry, path, refused
    values.append(("online", ValueType.FLAG, False))


def _read_birth(
    entry: Mapping[str, Any], path: str, values: Values, refused: Refusals, _: DecodeLimits
) -> None:
    values.append(("online", ValueType.FLAG, True))
    boot_id = entry.get("boot_id")
    named = str(boot_id) if type(boot_id) is int else boot_id
    add_typed({"boot_id": named}, "boot_id", ("boot_id", ValueType.TEXT), path, (values, refused))


def read_units(
    birth: Mapping[str, Any], refused: Refusals, limits: DecodeLimits
) -> Iterator[tuple[str, str]]:
    """Yield metric and declared unit of a birth.

    Both ``{"metrics": {"ch4_pct": "%"}}`` and ``{"metrics": {"ch4_pct": {"unit": "%"}}}`` count.
    """
    metrics = birth.get("metrics")
    if metrics is None:
        return
    if not isinstance(metrics, dict):
        detail = f"expected a map of metric to unit, got {shown(metrics)}"
        refused.append(structure("metrics", detail))
        return
    found = cast("dict[str, Any]", metrics)
    for name, declared in _first(found, limits, "metrics", refused).items():
        field = f"metrics.{shown_name(name)}"
        unit: Any = (
            cast("dict[str, Any]", declared).get("unit") if isinstance(declared, dict) else declared
        )
        if not is_metric_name(name):
            detail = f"expected [a-z][a-z0-9_]{{0,63}}, got {shown(name)}"
            refused.append(Refusal(Reason.BAD_METRIC, field, detail))
        elif not isinstance(unit, str) or not _is_unit(unit):
            detail = f"expected a unit of at most {UNIT_LENGTH_MAX} characters, got {shown(unit)}"
            refused.append(Refusal(Reason.BAD_VALUE, field, detail))
        else:
            yield name, unit


def _is_unit(text: str) -> bool:
    return len(text) <= UNIT_LENGTH_MAX and text.isprintable() and is_encodable(text)


def _read_map(entry: Mapping[str, Any], key: str, path: str, refused: Refusals) -> dict[str, Any]:
    found = entry.get(key)
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    if found is not None or key == "location":
        refused.append(structure(path + key, f"expected a map, got {shown(found)}"))
    return {}


READERS: Final[Mapping[Channel, Reader]] = {
    Channel.TELEMETRY: _read_metrics,
    Channel.VITALS: _read_metrics,
    Channel.KPI: _read_metrics,
    Channel.POSITION: _read_position,
    Channel.STATE: _read_state,
    Channel.BIRTH: _read_birth,
    Channel.DEATH: _read_death,
}
