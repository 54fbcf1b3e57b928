"""Assets composed from the newest values."""

from shared.domain.assets import Asset, Location, Presence, age_s, compose_assets
from shared.domain.samples import LatestValue, Quality
from tests.support.sites import latest_value

NOW_MS = 1_793_599_200_000
STALE_AFTER_S = 30.0


def composed(*values: LatestValue) -> list[Asset]:
    return compose_assets(values, now_ms=NOW_MS, stale_after_s=STALE_AFTER_S)


def truck(metric: str, value: float | bool | str, ts_ms: int = NOW_MS) -> LatestValue:
    return latest_value(f"kaduna/vehicle/truck-1/{metric}", value, ts_ms)


def test_one_asset_has_all_its_metrics() -> None:
    (asset,) = composed(truck("fuel_pct", 50.0), truck("speed_mps", 8.0, NOW_MS - 5))
    assert (asset.site, asset.kind, asset.asset_id) == ("kaduna", "vehicle", "truck-1")
    assert list(asset.metrics) == ["fuel_pct", "speed_mps"]
    assert asset.ts_ms == NOW_MS


def test_assets_come_by_site_kind_and_id() -> None:
    assets = composed(
        latest_value("kaduna/vehicle/b/fuel_pct", 1.0, NOW_MS),
        latest_value("kaduna/vehicle/a/fuel_pct", 1.0, NOW_MS),
        latest_value("kaduna/sensor/z/ch4_pct", 1.0, NOW_MS),
        latest_value("abuja/vehicle/z/fuel_pct", 1.0, NOW_MS),
    )
    assert [(a.site, a.kind, a.asset_id) for a in assets] == [
        ("abuja", "vehicle", "z"),
        ("kaduna", "sensor", "z"),
        ("kaduna", "vehicle", "a"),
        ("kaduna", "vehicle", "b"),
    ]


def test_position_becomes_the_location_and_no_metric() -> None:
    (asset,) = composed(
        truck("lat_deg", 10.5), truck("lng_deg", 7.4), truck("altitude_m", 611.0),
        truck("zone", "pit-north-2"), truck("level", "surface"), truck("speed_mps", 8.0),
    )  # fmt: skip
    assert asset.location == Location(10.5, 7.4, 611.0, None, "pit-north-2", "surface")
    assert list(asset.metrics) == ["speed_mps"]


def test_the_location_says_what_is_known_against_its_coordinates() -> None:
    lat = latest_value("kaduna/vehicle/truck-1/lat_deg", 100.0, NOW_MS, Quality.OUT_OF_RANGE)
    lng = latest_value("kaduna/vehicle/truck-1/lng_deg", 7.4, NOW_MS, Quality.LATE)
    zone = latest_value("kaduna/vehicle/truck-1/zone", "pit", NOW_MS, Quality.GAP_BEFORE)
    (asset,) = composed(lat, lng, zone)
    (place,) = composed(zone)
    assert asset.location is not None
    assert place.location is not None
    assert asset.location.quality == Quality.OUT_OF_RANGE | Quality.LATE
    assert place.location.quality == Quality.GAP_BEFORE


def test_half_a_position_is_no_position() -> None:
    (asset,) = composed(truck("lat_deg", 10.5))
    assert asset.location is None


def test_a_zone_alone_is_a_location() -> None:
    (asset,) = composed(truck("zone", "pit-north-2"), truck("lat_deg", 10.5))
    assert asset.location == Location(zone="pit-north-2")


def test_a_numeric_level_is_a_fill_level() -> None:
    (asset,) = composed(truck("level", 71.0))
    assert (asset.location, list(asset.metrics)) == (None, ["level"])


def test_the_status_is_what_the_device_says() -> None:
    (asset,) = composed(truck("status", "hauling", NOW_MS - 3_600_000), truck("fuel_pct", 5.0))
    assert (asset.status, asset.presence) == ("hauling", Presence.ONLINE)
    assert list(asset.metrics) == ["fuel_pct"]


def test_presence_follows_the_age_of_the_newest_value() -> None:
    # Stale after 30 s, offline after ten times that; the limits themselves are still within.
    ages_s = {0: "online", 30: "online", 31: "stale", 300: "stale", 301: "offline"}
    for age, expected in ages_s.items():
        (asset,) = composed(truck("fuel_pct", 5.0, NOW_MS - age * 1000))
        assert (age, asset.presence, asset.status) == (age, expected, expected)


def test_a_last_will_counts_until_the_device_is_heard_again() -> None:
    gone = truck("online", value=False, ts_ms=NOW_MS)
    (dead,) = composed(truck("fuel_pct", 5.0, NOW_MS - 10), gone)
    (back,) = composed(truck("fuel_pct", 5.0, NOW_MS + 10), gone)
    assert (dead.presence, back.presence) == (Presence.OFFLINE, Presence.ONLINE)


def test_birth_and_presence_are_no_metrics() -> None:
    (asset,) = composed(truck("boot_id", "b-7"), truck("online", value=True))
    assert (dict(asset.metrics), asset.presence) == ({}, Presence.ONLINE)


def test_of_two_entries_of_one_metric_the_newer_counts() -> None:
    as_text = truck("fuel_pct", "empty", NOW_MS - 1)
    (asset,) = composed(truck("fuel_pct", 5.0, NOW_MS), as_text)
    assert asset.metrics["fuel_pct"].value == 5.0


def test_a_clock_that_runs_ahead_makes_no_negative_age() -> None:
    assert age_s(NOW_MS + 5_000, NOW_MS) == 0.0
    assert age_s(NOW_MS - 1_500, NOW_MS) == 1.5


def test_a_value_from_the_future_ages_from_its_receipt() -> None:
    received_ms = NOW_MS - 31_000
    ahead = latest_value("kaduna/vehicle/t/fuel_pct", 5.0, NOW_MS + 250_000, 2, received_ms)
    (asset,) = composed(ahead)
    assert (asset.presence, asset.ts_ms) == (Presence.STALE, received_ms)
    assert asset.metrics["fuel_pct"].ts_ms == NOW_MS + 250_000


def test_a_last_will_ends_a_device_whose_clock_runs_ahead() -> None:
    ahead = latest_value("kaduna/vehicle/t/fuel_pct", 5.0, NOW_MS + 250_000, 2, NOW_MS - 10)
    gone = latest_value("kaduna/vehicle/t/online", value=False, ts_ms=NOW_MS)
    (asset,) = composed(ahead, gone)
    assert asset.presence is Presence.OFFLINE


def test_of_two_entries_of_one_metric_the_one_heard_later_counts() -> None:
    ahead = latest_value("kaduna/vehicle/truck-1/fuel_pct", "empty", NOW_MS + 250_000, 2, 5)
    (asset,) = composed(truck("fuel_pct", 5.0), ahead)
    assert asset.metrics["fuel_pct"].value == 5.0
