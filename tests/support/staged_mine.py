"""A small mine whose every value is a function of time: past, present and repeats agree."""

import math
import zlib
from dataclasses import dataclass, field

from shared.clock import iso_utc
from shared.units import quantity_of

SITE = "kaduna"
PERIOD_MS = 1_000
PIT_LAT_DEG, PIT_LNG_DEG = 10.4870, 7.4210
METRE_DEG = 1 / 111_320
GAP_EVERY_MS, GAP_MS = 600_000, 60_000  # the series in `gappy` are silent for a minute in ten
STORED_DAYS = 7
WORD_MS = 420_000
POSITION_METRICS = ("lat_deg", "lng_deg")

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Wave:
    """A metric's course: a slow wave, a faster one and noise that is the same at every asking."""

    middle: float
    swing: float
    period_s: float
    noise: float = 0.0

    def at(self, ts_ms: int, phase: float) -> float:
        slow = math.sin(2 * math.pi * ts_ms / 1000 / self.period_s + phase)
        fast = math.sin(2 * math.pi * ts_ms / 1000 / (self.period_s / 7.3) + 2 * phase)
        grain = (zlib.crc32(f"{ts_ms}{phase}".encode()) / 2**32 - 0.5) * 2
        return round(self.middle + self.swing * (0.8 * slow + 0.2 * fast) + self.noise * grain, 3)


@dataclass
class Device:
    """One asset. ``frozen_ms``: when it fell silent."""

    kind: str
    id: str
    waves: dict[str, Wave]
    status: str = "online"
    zone: str | None = None
    level: str | None = None
    route_m: tuple[float, float, float, float] | None = None  # centre east, north, radii
    lap_s: float = 300.0
    quality: dict[str, str] = field(default_factory=dict[str, str])
    frozen_ms: int | None = None
    gappy: bool = False
    fix: tuple[float, float] | None = None  # where it wrongly says it is, in degrees
    fix_quality: str = "good"
    words: tuple[str, ...] = ()  # what its status says in turn, seven minutes each

    def word(self, ts_ms: int) -> str:
        return self.words[ts_ms // WORD_MS % len(self.words)]

    @property
    def metrics(self) -> tuple[str, ...]:
        places = () if self.route_m is None else POSITION_METRICS
        return (*self.waves, *places, *(("status",) if self.words else ()))

    @property
    def phase(self) -> float:
        return zlib.crc32(self.id.encode()) % 628 / 100

    def value(self, metric: str, ts_ms: int) -> float:
        if metric in POSITION_METRICS:
            return self._point(self._angle(ts_ms))[POSITION_METRICS.index(metric)]
        return self.waves[metric].at(ts_ms, self.phase)

    def as_json(self, now_ms: int, metrics: frozenset[str] | None = None) -> Json:
        """Return the asset as the API shows it, with all metrics or only those given."""
        ts_ms = (self.frozen_ms or now_ms) // PERIOD_MS * PERIOD_MS
        readings: Json = {
            name: self._reading(name, ts_ms)
            for name in self.waves
            if metrics is None or name in metrics
        }
        angle = self._angle(ts_ms)
        if self.route_m is not None:
            heading = (-math.degrees(angle)) % 360
            readings["heading_deg"] = self._plain(round(heading, 1), "°", ts_ms)
            readings["speed_mps"] = self._plain(8.4, "m/s", ts_ms)
        age_s = (now_ms - ts_ms) / 1000
        connection = "online" if age_s <= 30 else "stale" if age_s <= 300 else "offline"
        return {
            "id": self.id,
            "site": SITE,
            "kind": self.kind,
            "name": self.id,
            "status": connection if self.status == "online" else self.status,
            "connection": connection,
            "ts": iso_utc(ts_ms),
            "age_s": age_s,
            "location": self._location(angle),
            "metrics": readings,
        }

    def _angle(self, ts_ms: int) -> float:
        return 2 * math.pi * (ts_ms / 1000 / self.lap_s) + self.phase

    def _reading(self, metric: str, ts_ms: int) -> Json:
        reading = self._plain(self.value(metric, ts_ms), quantity_of(metric).unit, ts_ms)
        return reading | {"quality": self.quality.get(metric, "good")}

    def _plain(self, value: object, unit: str, ts_ms: int) -> Json:
        return {"value": value, "unit": unit, "ts": iso_utc(ts_ms), "quality": "good"}

    def _point(self, angle: float) -> tuple[float, float]:
        east, north, radius_east, radius_north = self.route_m or (0.0, 0.0, 0.0, 0.0)
        north_m = north + radius_north * math.sin(angle)
        east_m = east + radius_east * math.cos(angle)
        lat = PIT_LAT_DEG + north_m * METRE_DEG
        return lat, PIT_LNG_DEG + east_m * METRE_DEG / math.cos(math.radians(PIT_LAT_DEG))

    def _location(self, angle: float) -> Json | None:
        if self.zone is None:
            return None
        lat, lng = self.fix or self._point(angle)
        coordinates = {"lat": lat, "lng": lng, "altitude_m": 612.0, "accuracy_m": 1.5}
        return {
            "coordinates": coordinates,
            "zone": self.zone,
            "level": self.level,
            "quality": self.fix_quality,
        }


def small_mine() -> list[Device]:
    """Return a mine of two dozen devices of every kind."""
    gas = {
        "ch4_pct": Wave(0.42, 0.16, 900, 0.02),
        "co_ppm": Wave(6.0, 2.5, 1300, 0.4),
        "air_velocity_mps": Wave(2.1, 0.4, 500, 0.06),
        "temp_c": Wave(27.5, 1.8, 3600, 0.05),
    }
    haul = {"payload_t": Wave(110.0, 90.0, 600, 0.5), "fuel_pct": Wave(62.0, 20.0, 9000, 0.1)}
    vitals = {
        "heart_rate_bpm": Wave(88.0, 14.0, 400, 2.0),
        "spo2_pct": Wave(97.2, 0.8, 700, 0.2),
        "core_temp_c": Wave(37.2, 0.2, 2000, 0.02),
    }
    pump = {"flow_l_min": Wave(820.0, 60.0, 800, 8.0), "bearing_temp_c": Wave(61, 6, 2400, 0.2)}
    radio = {"rsrp_dbm": Wave(-88.0, 9.0, 300, 1.0), "latency_ms": Wave(14.0, 4.0, 200, 1.5)}
    devices = [Device("sensor", f"gas-{name}", dict(gas)) for name in ("n1", "n2", "n3", "s1")]
    devices += [
        Device("vehicle", f"truck-{n:02d}", dict(haul), "running", "pit-north-2", "surface",
               (0.0, 40.0 * (n % 2), 420.0 - 12 * n, 260.0 - 9 * n), 280.0 + 7 * n)
        for n in range(1, 8)
    ]  # fmt: skip
    devices += [
        Device("worker", f"worker-{n:02d}", dict(vitals), "online", "stope-4", "level-320",
               (760.0, -120.0, 30.0 + 11 * n, 18.0 + 5 * n), 900.0)
        for n in range(1, 5)
    ]  # fmt: skip
    devices += [Device("equipment", f"pump-{n}", dict(pump), "running") for n in (1, 2)]
    devices += [Device("equipment", "fan-main", {"power_kw": Wave(310, 12, 700, 2)}, "fault")]
    devices += [Device("network", "cell-a", dict(radio)), Device("network", "cell-b", dict(radio))]
    devices[1].gappy = True
    pumps = [device for device in devices if device.id.startswith("pump")]
    pumps[0].words = ("running", "idle", "running", "fault")
    devices[2].quality["co_ppm"] = "out_of_range+gap_before"
    return devices


def is_sampled(device: Device, ts_ms: int, now_ms: int) -> bool:
    """Tell whether ``device`` took a sample at ``ts_ms``, a whole second."""
    if not now_ms - STORED_DAYS * 86_400_000 <= ts_ms <= (device.frozen_ms or now_ms):
        return False
    return not (device.gappy and ts_ms % GAP_EVERY_MS < GAP_MS)
