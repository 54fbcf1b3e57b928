"""Assets as people see them: the newest values of one device, its place and its state. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter

from shared.domain.samples import LatestValue, ValueType
from shared.ids import Kind

OFFLINE_AFTER_FACTOR = 10  # times the age that counts as stale: a device that is silent, not late


class Presence(StrEnum):
    """Whether a device is heard, by the age of its newest value and its last will."""

    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a device was last; coordinates only together, in degrees and metres.

    ``quality`` is what is known against latitude and longitude, without these against the rest.
    """

    lat_deg: float | None = None
    lng_deg: float | None = None
    altitude_m: float | None = None
    accuracy_m: float | None = None
    zone: str | None = None
    level: str | None = None
    quality: int = 0


@dataclass(frozen=True, slots=True)
class Asset:
    """One device with its newest values by metric.

    ``status`` is what the device says of itself (series ``status``), else its ``presence``.
    """

    site: str
    kind: Kind
    asset_id: str
    status: str
    presence: Presence
    ts_ms: int  # rank of the newest value: no later than its receipt at the edge
    location: Location | None
    metrics: Mapping[str, LatestValue]


_COORDINATES = ("lat_deg", "lng_deg", "altitude_m", "accuracy_m")
_POSITION = ("lat_deg", "lng_deg")
_PLACES = ("zone", "level")
_STATUS = "status"
_ONLINE = "online"
_BOOT_ID = "boot_id"


def is_metric_of_asset(value: LatestValue) -> bool:
    """Tell whether a series is shown among an asset's metrics.

    Those that make up its location, its status and its presence are shown as these instead. A
    series counts as such only if it has the right type: a numeric ``level`` is a fill level.
    """
    metric, value_type = value.series.name.metric, value.series.value_type
    if metric in _COORDINATES:
        return value_type is not ValueType.NUMBER
    if metric in _PLACES or metric in {_STATUS, _BOOT_ID}:
        return value_type is not ValueType.TEXT
    return metric != _ONLINE or value_type is not ValueType.FLAG


def compose_assets(
    values: Iterable[LatestValue], *, now_ms: int, stale_after_s: float
) -> list[Asset]:
    """Return the assets that ``values`` (newest per series, any order) belong to.

    Sorted by site, kind and id. Of several catalogue entries of one metric (its unit or type
    changed) the one with the newest sample counts.
    """
    grouped: dict[tuple[str, str, str], dict[str, LatestValue]] = {}
    for value in values:
        name = value.series.name
        newest = grouped.setdefault((name.site, name.kind, name.asset_id), {})
        held = newest.get(name.metric)
        if held is None or value.ranked_ms >= held.ranked_ms:
            newest[name.metric] = value
    return [
        compose_asset(newest, now_ms=now_ms, stale_after_s=stale_after_s)
        for _, newest in sorted(grouped.items(), key=itemgetter(0))
    ]


def compose_asset(newest: Mapping[str, LatestValue], *, now_ms: int, stale_after_s: float) -> Asset:
    """Return the asset whose newest values by metric are ``newest``.

    Raises:
        ValueError: if ``newest`` is empty or of a kind that does not exist.
    """
    if not newest:
        raise ValueError("an asset has at least one value")
    name = next(iter(newest.values())).series.name
    ts_ms = max(value.ranked_ms for value in newest.values())
    presence = _presence(newest, ts_ms, now_ms, stale_after_s)
    return Asset(
        site=name.site,
        kind=Kind(name.kind),
        asset_id=name.asset_id,
        status=_text(newest, _STATUS) or presence,
        presence=presence,
        ts_ms=ts_ms,
        location=_location(newest),
        metrics={
            metric: newest[metric]
            for metric in sorted(newest)
            if is_metric_of_asset(newest[metric])
        },
    )


def age_s(ts_ms: int, now_ms: int) -> float:
    """Return the age of a value in seconds; 0 for a device whose clock runs ahead."""
    return max(now_ms - ts_ms, 0) / 1000


def _presence(
    newest: Mapping[str, LatestValue], ts_ms: int, now_ms: int, stale_after_s: float
) -> Presence:
    online = newest.get(_ONLINE)
    # A last will counts until the device is heard again.
    if online is not None and online.value is False and online.ranked_ms >= ts_ms:
        return Presence.OFFLINE
    age = age_s(ts_ms, now_ms)
    if age > stale_after_s * OFFLINE_AFTER_FACTOR:
        return Presence.OFFLINE
    return Presence.STALE if age > stale_after_s else Presence.ONLINE


def _location(newest: Mapping[str, LatestValue]) -> Location | None:
    lat_deg, lng_deg, altitude_m, accuracy_m = (_number(newest, name) for name in _COORDINATES)
    zone, level = (_text(newest, name) for name in _PLACES)
    has_position = lat_deg is not None and lng_deg is not None
    if not has_position and zone is None and level is None:
        return None
    if not has_position:
        return Location(zone=zone, level=level, quality=_quality(newest, _PLACES))
    quality = _quality(newest, _POSITION)
    return Location(lat_deg, lng_deg, altitude_m, accuracy_m, zone, level, quality)


def _quality(newest: Mapping[str, LatestValue], metrics: Iterable[str]) -> int:
    quality = 0
    for metric in metrics:
        if metric in newest:
            quality |= newest[metric].quality
    return quality


def _number(newest: Mapping[str, LatestValue], metric: str) -> float | None:
    value = newest.get(metric)
    if value is None or not isinstance(value.value, int | float) or isinstance(value.value, bool):
        return None
    return float(value.value)


def _text(newest: Mapping[str, LatestValue], metric: str) -> str | None:
    value = newest.get(metric)
    return value.value if value is not None and isinstance(value.value, str) else None
