"""Haul trucks doing load-haul-dump cycles: a table of phases and the physics between them. Pure.

Speed on a grade is what the engine's power allows against rolling and grade resistance
(m g (c_r + grade) v = P, the usual rimpull balance), never above the site's limits; fuel follows
from the power drawn (specific consumption) plus idling.
"""

import random
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.sim.terrain import PLACES, Point, between, distance_m, grade, heading_deg, route

GRAVITY_M_S2 = 9.81
EMPTY_MASS_KG = 74_000.0  # a rigid truck of the 90 t class
PAYLOAD_NOMINAL_T = 91.0
PAYLOAD_SPREAD_T = 4.0  # bucket fill varies; one standard deviation
WHEEL_POWER_W = 600_000.0
ROLLING_RESISTANCE = 0.025  # well-kept gravel haul road
SPEED_EMPTY_MAX_MPS = 13.5
SPEED_LOADED_MAX_MPS = 9.0
SPEED_DOWNHILL_LOADED_MAX_MPS = 6.5
ACCELERATION_MPS2 = 0.45
FUEL_TANK_L = 1_000.0
FUEL_IDLE_L_H = 18.0
FUEL_L_PER_KWH = 0.25  # at the wheel, drive train included
FUEL_LOW_FRACTION = 0.15
REFUEL_L_S = 4.0
BUCKET_PASSES = 5
BUCKET_PASS_S = 34.0
DUMP_S = 55.0
SPOTTING_S = 25.0


class Phase(StrEnum):
    """What a truck is doing; shown as its status."""

    RETURNING = "returning"
    QUEUED = "queued"
    SPOTTING = "spotting"
    LOADING = "loading"
    HAULING = "hauling"
    DUMPING = "dumping"
    TO_FUEL = "to-fuel"
    REFUELLING = "refuelling"


DRIVING = frozenset({Phase.RETURNING, Phase.HAULING, Phase.TO_FUEL})

# What follows when a phase is over. Two choices hang on the truck: fuel after dumping, and a free
# loader after arriving; `Fleet` makes them.
NEXT_PHASE: dict[Phase, Phase] = {
    Phase.RETURNING: Phase.QUEUED,
    Phase.QUEUED: Phase.SPOTTING,
    Phase.SPOTTING: Phase.LOADING,
    Phase.LOADING: Phase.HAULING,
    Phase.HAULING: Phase.DUMPING,
    Phase.DUMPING: Phase.RETURNING,
    Phase.TO_FUEL: Phase.REFUELLING,
    Phase.REFUELLING: Phase.RETURNING,
}


@dataclass(slots=True)
class Truck:
    """The state of one truck; stepped by the fleet."""

    name: str
    loader: str
    dump: str
    phase: Phase = Phase.RETURNING
    path: tuple[str, ...] = ("parking",)
    leg: int = 0
    leg_done_m: float = 0.0
    phase_s: float = 0.0
    speed_mps: float = 0.0
    payload_t: float = 0.0
    payload_target_t: float = 0.0
    fuel_l: float = FUEL_TANK_L
    fuel_rate_l_h: float = FUEL_IDLE_L_H
    engine_temp_c: float = 78.0
    cycles: int = 0
    hauled_t: float = 0.0
    heading: float = 0.0

    @property
    def position(self) -> Point:
        """Where the truck is."""
        if self.leg + 1 >= len(self.path):
            return PLACES[self.path[-1]].point
        start, end = self._leg_points()
        return between(start, end, min(1.0, self.leg_done_m / distance_m(start, end)))

    @property
    def zone(self) -> str:
        """The zone of the nearer end of the present leg."""
        if self.leg + 1 >= len(self.path):
            return PLACES[self.path[-1]].zone
        start, end = self._leg_points()
        near_end = self.leg_done_m * 2 > distance_m(start, end)
        return PLACES[self.path[self.leg + int(near_end)]].zone

    def drive(self, dt_s: float) -> bool:
        """Move along the path for ``dt_s``; return whether its end has been reached."""
        if self.leg + 1 >= len(self.path):
            self._stand(dt_s)
            return True
        start, end = self._leg_points()
        slope = grade(start, end)
        target_mps = allowed_speed_mps(self.payload_t, slope)
        step_mps = ACCELERATION_MPS2 * dt_s
        self.speed_mps += max(-2 * step_mps, min(step_mps, target_mps - self.speed_mps))
        self.heading = heading_deg(start, end)
        self._burn(dt_s, power_w(self.payload_t, slope, self.speed_mps))
        self.leg_done_m += self.speed_mps * dt_s
        while self.leg + 1 < len(self.path):
            start, end = self._leg_points()
            length_m = distance_m(start, end)
            if self.leg_done_m < length_m:
                return False
            self.leg_done_m -= length_m
            self.leg += 1
        self.leg_done_m = 0.0
        self.speed_mps = 0.0
        return True

    def work(self, dt_s: float) -> bool:
        """Stand and do what the phase is about; return whether it is over."""
        self._stand(dt_s)
        match self.phase:
            case Phase.LOADING:
                share = min(1.0, self.phase_s / (BUCKET_PASSES * BUCKET_PASS_S))
                passes = int(share * BUCKET_PASSES)
                self.payload_t = self.payload_target_t * passes / BUCKET_PASSES
                return share >= 1.0
            case Phase.DUMPING:
                self.payload_t = self.payload_target_t * max(0.0, 1.0 - self.phase_s / DUMP_S)
                return self.phase_s >= DUMP_S
            case Phase.REFUELLING:
                self.fuel_l = min(FUEL_TANK_L, self.fuel_l + REFUEL_L_S * dt_s)
                return self.fuel_l >= FUEL_TANK_L
            case _:
                return self.phase_s >= SPOTTING_S

    def _leg_points(self) -> tuple[Point, Point]:
        return PLACES[self.path[self.leg]].point, PLACES[self.path[self.leg + 1]].point

    def _stand(self, dt_s: float) -> None:
        self.speed_mps = 0.0
        self._burn(dt_s, 0.0)

    def _burn(self, dt_s: float, drawn_w: float) -> None:
        self.fuel_rate_l_h = FUEL_IDLE_L_H + FUEL_L_PER_KWH * drawn_w / 1000.0
        self.fuel_l = max(0.0, self.fuel_l - self.fuel_rate_l_h * dt_s / 3600.0)
        warm_c = 78.0 + 20.0 * drawn_w / WHEEL_POWER_W
        self.engine_temp_c += (warm_c - self.engine_temp_c) * min(1.0, dt_s / 120.0)


def power_w(payload_t: float, slope: float, speed_mps: float) -> float:
    """Return the wheel power in watts to hold ``speed_mps``; 0 where gravity does the work."""
    mass_kg = EMPTY_MASS_KG + payload_t * 1000.0
    return max(0.0, mass_kg * GRAVITY_M_S2 * (ROLLING_RESISTANCE + slope) * speed_mps)


def allowed_speed_mps(payload_t: float, slope: float) -> float:
    """Return the speed the engine and the site's limits allow on this grade."""
    loaded = payload_t > PAYLOAD_NOMINAL_T / 2
    limit_mps = SPEED_LOADED_MAX_MPS if loaded else SPEED_EMPTY_MAX_MPS
    if loaded and slope < -0.02:
        limit_mps = SPEED_DOWNHILL_LOADED_MAX_MPS
    resistance = ROLLING_RESISTANCE + slope
    if resistance <= 0:
        return limit_mps
    mass_kg = EMPTY_MASS_KG + payload_t * 1000.0
    return min(limit_mps, WHEEL_POWER_W / (mass_kg * GRAVITY_M_S2 * resistance))


@dataclass(slots=True)
class Fleet:
    """All trucks; at each loader one is served and the others queue."""

    trucks: list[Truck]
    chance: random.Random
    busy_loaders: dict[str, str] = field(default_factory=dict[str, str])

    def step(self, dt_s: float) -> None:
        """Advance every truck by ``dt_s`` seconds."""
        for truck in self.trucks:
            truck.phase_s += dt_s
            if truck.phase in DRIVING:
                over = truck.drive(dt_s)
            elif truck.phase is Phase.QUEUED:
                truck.work(dt_s)
                over = self._takes_loader(truck)
            else:
                over = truck.work(dt_s)
            if over:
                self._enter(truck, self._following(truck))

    def _takes_loader(self, truck: Truck) -> bool:
        return self.busy_loaders.setdefault(truck.loader, truck.name) == truck.name

    def _following(self, truck: Truck) -> Phase:
        if truck.phase is Phase.DUMPING and truck.fuel_l < FUEL_LOW_FRACTION * FUEL_TANK_L:
            return Phase.TO_FUEL
        return NEXT_PHASE[truck.phase]

    def _enter(self, truck: Truck, phase: Phase) -> None:
        here = truck.path[-1]
        if phase is Phase.LOADING:
            truck.payload_target_t = self.chance.gauss(PAYLOAD_NOMINAL_T, PAYLOAD_SPREAD_T)
        elif phase is Phase.HAULING:
            self.busy_loaders.pop(truck.loader, None)
            truck.dump = "waste-dump" if self.chance.random() < 0.3 else "crusher"
        elif phase is Phase.RETURNING:
            truck.payload_t = 0.0
            if truck.phase is Phase.DUMPING:
                truck.cycles += 1
                truck.hauled_t += truck.payload_target_t
        goals = {
            Phase.HAULING: truck.dump,
            Phase.RETURNING: truck.loader,
            Phase.TO_FUEL: "fuel-bay",
        }
        if phase in goals:
            truck.path, truck.leg, truck.leg_done_m = route(here, goals[phase]), 0, 0.0
        truck.phase, truck.phase_s = phase, 0.0


def make_fleet(count: int, chance: random.Random) -> Fleet:
    """Return ``count`` trucks spread over the cycle, so that they do not all arrive at once."""
    trucks: list[Truck] = []
    for number in range(1, count + 1):
        loader = "loader-1" if number % 2 else "loader-2"
        truck = Truck(f"truck-{number:02d}", loader, "crusher")
        truck.path = route("crusher", loader)
        truck.leg = chance.randrange(len(truck.path) - 1)
        truck.fuel_l = FUEL_TANK_L * chance.uniform(0.3, 1.0)
        trucks.append(truck)
    return Fleet(trucks, chance)
