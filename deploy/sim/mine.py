"""The whole simulated mine: steps its parts together and turns their state into messages. Pure.

Every random number comes from one seeded source, so the same seed and the same steps give the
same mine to the last bit.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.sim.haulage import DRIVING, FUEL_TANK_L, Fleet, Truck, make_fleet
from deploy.sim.machines import Fan, Pump, make_pumps
from deploy.sim.scenarios import Lever, Scenario
from deploy.sim.terrain import Point, latitude_longitude
from deploy.sim.ventilation import Section
from deploy.sim.workers import Worker, make_workers

PHYSICS_STEP_MAX_S = 1.0
SENSOR_RATE_MAX_HZ = 10.0  # no instrument is read faster; higher rates add stations instead
AIRWAY_START = Point(300.0, -250.0, 470.0)
AIRWAY_END = Point(960.0, -400.0, 466.0)

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each there are."""

    trucks: int = 8
    pumps: int = 4
    workers: int = 12
    gas_stations: int = 9

    def for_rate(self, messages_per_s: float) -> "Size":
        """Return a mine large enough that no device is read faster than SENSOR_RATE_MAX_HZ."""
        topics = 2 * self.trucks + 2 * self.pumps + 2 * self.workers + 2 + self.gas_stations
        needed = int(messages_per_s / SENSOR_RATE_MAX_HZ) + 1
        extra = max(0, needed - topics)
        return Size(self.trucks, self.pumps, self.workers, self.gas_stations + extra)


@dataclass(frozen=True, slots=True)
class Source:
    """A topic and the payload it would publish now, without time and sequence number."""

    topic: str
    payload: Callable[[], Payload]


class Mine:
    """The mine of one site and seed."""

    def __init__(self, site: str, seed: int, size: Size, scenario: Scenario) -> None:
        chance = random.Random(seed)  # noqa: S311 -- physics, not secrets
        self._site = site
        self._scenario = scenario
        self._chance = chance
        self.section = Section(chance)
        self.fleet: Fleet = make_fleet(size.trucks, chance)
        self.pumps = make_pumps(size.pumps, chance)
        self.fan = Fan("fan-main", chance)
        self.workers = make_workers(size.workers, chance)
        self.time_s = 0.0
        self.levers = scenario.values_at(0.0)
        self.sources: tuple[Source, ...] = tuple(self._make_sources(size))
        self.section.step(1_800.0)  # start with air that has found its balance, not with none

    def step(self, dt_s: float) -> None:
        """Advance everything by ``dt_s`` seconds of simulated time."""
        remaining_s = dt_s
        while remaining_s > 1e-9:
            part_s = min(remaining_s, PHYSICS_STEP_MAX_S)
            self._step_part(part_s)
            remaining_s -= part_s

    def _step_part(self, dt_s: float) -> None:
        self.time_s += dt_s
        self.levers = self._scenario.values_at(self.time_s)
        self.section.inflow_factor = self.levers[Lever.METHANE_INFLOW]
        self.section.fan_share = self.levers[Lever.FAN_SHARE]
        self.section.step(dt_s)
        self.fleet.step(dt_s)
        self.fan.step(dt_s, self.section.flow_m3_s)
        for part in (*self.pumps, *self.workers):
            part.step(dt_s)

    def _make_sources(self, size: Size) -> list[Source]:
        found: list[Source] = []

        def add(path: str, payload: Callable[[], Payload]) -> None:
            found.append(Source(f"mine/v1/{self._site}/{path}", payload))

        for truck in self.fleet.trucks:
            add(f"vehicle/{truck.name}/position", _bind(_truck_position, truck))
            add(f"vehicle/{truck.name}/telemetry", _bind(_truck_telemetry, truck))
        for worker in self.workers:
            add(f"worker/{worker.name}/position", _bind(_worker_position, worker))
            add(f"worker/{worker.name}/vitals", _bind(_worker_vitals, worker))
        for pump in self.pumps:
            add(f"equipment/{pump.name}/telemetry", _bind(_pump_telemetry, pump))
            add(f"equipment/{pump.name}/state", _bind(_pump_state, pump))
        add("equipment/fan-main/telemetry", self._fan_telemetry)
        add("equipment/fan-main/state", self._fan_state)
        for number in range(1, size.gas_stations + 1):
            at = number / (size.gas_stations + 1)
            add(f"sensor/gas-{number:02d}/telemetry", self._station(number, at))
        return found

    def _station(self, number: int, at: float) -> Callable[[], Payload]:
        def payload() -> Payload:
            gauss, section = self._chance.gauss, self.section
            metrics = {
                "ch4_pct": round(max(0.0, section.ch4_pct(at) + gauss(0.0, 0.008)), 2),
                "co_ppm": round(max(0.0, section.co_ppm(at) + gauss(0.0, 0.2)), 1),
                "o2_pct": round(section.o2_pct(at) + gauss(0.0, 0.02), 2),
                "air_velocity_mps": round(section.air_velocity_mps() * gauss(1.0, 0.02), 2),
            }
            if number % 3 == 0:
                dust = section.dust_at_mg_m3(at) * gauss(1.0, 0.06)
                metrics["dust_mg_m3"] = round(max(0.0, dust), 2)
            if number == 1:
                metrics["pressure_hpa"] = round(section.pressure_hpa, 1)
            return {"metrics": metrics}

        return payload

    def _fan_telemetry(self) -> Payload:
        return {"metrics": self.fan.readings(self.section.flow_m3_s)}

    def _fan_state(self) -> Payload:
        status = "running" if self.section.flow_m3_s > 1.0 else "stopped"
        return {"status": status, "operating_hours": round(self.fan.operating_hours, 2)}


def _bind(build: Callable[[Any], Payload], part: Any) -> Callable[[], Payload]:
    return lambda: build(part)


def _location(point: Point, zone: str, level: str, accuracy_m: float) -> Payload:
    lat_deg, lng_deg = latitude_longitude(point)
    coordinates = {
        "lat": round(lat_deg, 7),
        "lng": round(lng_deg, 7),
        "altitude_m": round(point.altitude_m, 1),
        "accuracy_m": accuracy_m,
    }
    return {"coordinates": coordinates, "zone": zone, "level": level}


def _truck_position(truck: Truck) -> Payload:
    return {
        "location": _location(truck.position, truck.zone, "surface", 1.5),
        "speed_mps": round(truck.speed_mps, 2),
        "heading_deg": round(truck.heading, 1) % 360.0,
    }


def _truck_telemetry(truck: Truck) -> Payload:
    driving = truck.phase in DRIVING
    return {
        "metrics": {
            "status": truck.phase.value,
            "payload_t": round(truck.payload_t, 1),
            "fuel_pct": round(100.0 * truck.fuel_l / FUEL_TANK_L, 2),
            "fuel_rate_l_h": round(truck.fuel_rate_l_h, 1),
            "engine_temp_c": round(truck.engine_temp_c, 1),
            "engine_rpm": 750.0 if not driving else round(1_250.0 + 55.0 * truck.speed_mps),
            "cycles": truck.cycles,
            "hauled_t": round(truck.hauled_t, 1),
        }
    }


def _worker_position(worker: Worker) -> Payload:
    place = worker.place
    accuracy_m = 3.0 if place.level == "surface" else 8.0
    return {
        "location": _location(worker.position, place.zone, place.level, accuracy_m),
        "speed_mps": 1.2 if worker.is_walking else 0.0,
    }


def _worker_vitals(worker: Worker) -> Payload:
    return {"metrics": worker.vitals()}


def _pump_telemetry(pump: Pump) -> Payload:
    return {"metrics": pump.readings()}


def _pump_state(pump: Pump) -> Payload:
    return {"status": pump.status.value, "operating_hours": round(pump.operating_hours, 3)}
