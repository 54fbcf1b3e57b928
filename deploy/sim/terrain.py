"""The ground plan of the simulated mine: places, roads and positions in metres. Pure."""

import math
from dataclasses import dataclass

ORIGIN_LAT_DEG = 10.5264  # a hillside north of Kaduna; the mine itself is invented
ORIGIN_LNG_DEG = 7.4388
METRES_PER_DEGREE = 111_320.0  # of latitude; WGS84 mean, good to 0.5 % over a few kilometres


@dataclass(frozen=True, slots=True)
class Point:
    """A position in metres east and north of the origin, and above sea level."""

    east_m: float
    north_m: float
    altitude_m: float


@dataclass(frozen=True, slots=True)
class Place:
    """A named point of the site with the zone shown to people."""

    name: str
    point: Point
    zone: str


PLACES: dict[str, Place] = {
    place.name: place
    for place in (
        Place("parking", Point(0.0, 0.0, 640.0), "yard"),
        Place("fuel-bay", Point(-120.0, 60.0, 640.0), "yard"),
        Place("junction", Point(150.0, 420.0, 632.0), "haul-road"),
        Place("ramp-top", Point(420.0, 820.0, 622.0), "ramp-north"),
        Place("ramp-bend", Point(820.0, 980.0, 588.0), "ramp-north"),
        Place("pit-floor", Point(900.0, 700.0, 562.0), "pit-north-1"),
        Place("loader-1", Point(1010.0, 640.0, 560.0), "pit-north-1"),
        Place("loader-2", Point(760.0, 560.0, 556.0), "pit-north-2"),
        Place("crusher", Point(-380.0, 520.0, 648.0), "crusher"),
        Place("waste-dump", Point(-160.0, 1050.0, 668.0), "waste-dump"),
        Place("portal", Point(260.0, -180.0, 636.0), "portal"),
    )
}

# Undirected roads; each is one straight piece, which is what a truck's GPS sees at this scale.
ROADS: tuple[tuple[str, str], ...] = (
    ("parking", "fuel-bay"),
    ("parking", "junction"),
    ("parking", "portal"),
    ("junction", "ramp-top"),
    ("ramp-top", "ramp-bend"),
    ("ramp-bend", "pit-floor"),
    ("pit-floor", "loader-1"),
    ("pit-floor", "loader-2"),
    ("junction", "crusher"),
    ("junction", "waste-dump"),
)


def distance_m(start: Point, end: Point) -> float:
    """Return the length of the straight line between two points in metres, slope included."""
    return math.dist(
        (start.east_m, start.north_m, start.altitude_m), (end.east_m, end.north_m, end.altitude_m)
    )


def between(start: Point, end: Point, fraction: float) -> Point:
    """Return the point ``fraction`` (0 to 1) of the way from ``start`` to ``end``."""
    return Point(
        start.east_m + (end.east_m - start.east_m) * fraction,
        start.north_m + (end.north_m - start.north_m) * fraction,
        start.altitude_m + (end.altitude_m - start.altitude_m) * fraction,
    )


def heading_deg(start: Point, end: Point) -> float:
    """Return the compass heading from ``start`` to ``end``: 0 is north, 90 east, below 360."""
    return math.degrees(math.atan2(end.east_m - start.east_m, end.north_m - start.north_m)) % 360.0


def grade(start: Point, end: Point) -> float:
    """Return rise over run from ``start`` to ``end``; negative downhill."""
    run_m = math.hypot(end.east_m - start.east_m, end.north_m - start.north_m)
    return (end.altitude_m - start.altitude_m) / run_m if run_m else 0.0


def latitude_longitude(point: Point) -> tuple[float, float]:
    """Return WGS84 degrees of ``point``; equirectangular about the origin, good to a metre here."""
    lat_deg = ORIGIN_LAT_DEG + point.north_m / METRES_PER_DEGREE
    scale = METRES_PER_DEGREE * math.cos(math.radians(ORIGIN_LAT_DEG))
    return lat_deg, ORIGIN_LNG_DEG + point.east_m / scale


def route(start: str, end: str) -> tuple[str, ...]:
    """Return the places on the shortest way from ``start`` to ``end``, both included.

    Raises:
        ValueError: if no road leads there.
    """
    ways: dict[str, tuple[float, tuple[str, ...]]] = {start: (0.0, (start,))}
    open_places = {start}
    while open_places:
        here = min(open_places, key=lambda name: ways[name][0])
        open_places.discard(here)
        if here == end:
            return ways[here][1]
        length_m, path = ways[here]
        for there in _neighbours(here):
            total_m = length_m + distance_m(PLACES[here].point, PLACES[there].point)
            if there not in ways or total_m < ways[there][0]:
                ways[there] = (total_m, (*path, there))
                open_places.add(there)
    raise ValueError(f"no road from {start} to {end}")


def _neighbours(name: str) -> list[str]:
    return [b if a == name else a for a, b in ROADS if name in (a, b)]
