"""A ventilated underground section: air, methane, carbon monoxide and dust along one airway. Pure.

The airway is cut into cells; fresh air enters at the intake, gas at the face, and each cell is
mixed perfectly: V dC/dt = Q (C_upstream - C) + inflow (mass balance of a stirred tank).
"""

import math
import random
from dataclasses import dataclass, field

AIRWAY_LENGTH_M = 1_200.0
AIRWAY_AREA_M2 = 16.0
CELL_COUNT = 48
FACE_CELL = 24  # the longwall face lies half way; what comes after it is return air
FAN_FLOW_M3_S = 26.0
METHANE_INFLOW_M3_S = 0.14  # of pure gas at the face while cutting: 0.54 % in the return
METHANE_INFLOW_IDLE = 0.35  # share of it that seeps in while nothing is cut
CO_INFLOW_M3_S = 1.1e-4  # diesel equipment near the face: about 4 ppm in the return
DUST_SOURCE_MG_S = 62.0  # about 2.4 mg/m3 behind the shearer
DUST_SETTLING_PER_S = 0.0015
CUTTING_S = 1_500.0  # a cut lasts this long, then the shearer stands for IDLE_S
IDLE_S = 600.0
PRESSURE_MEAN_HPA = 1_077.0  # deep workings lie under more than an atmosphere
PRESSURE_SWING_HPA = 4.0
DAY_S = 86_400.0
OXYGEN_FRESH_PCT = 20.9


@dataclass(slots=True)
class Section:
    """The air of the section; ``fan_share`` and ``inflow_factor`` are what scenarios move."""

    chance: random.Random
    fan_share: float = 1.0
    inflow_factor: float = 1.0
    time_s: float = 0.0
    flow_m3_s: float = FAN_FLOW_M3_S
    turbulence: float = 0.0
    methane: list[float] = field(default_factory=lambda: [0.0] * CELL_COUNT)  # volume fraction
    co: list[float] = field(default_factory=lambda: [0.0] * CELL_COUNT)  # volume fraction
    dust_mg_m3: list[float] = field(default_factory=lambda: [0.05] * CELL_COUNT)

    @property
    def is_cutting(self) -> bool:
        """Whether the shearer cuts now."""
        return self.time_s % (CUTTING_S + IDLE_S) < CUTTING_S

    @property
    def pressure_hpa(self) -> float:
        """Barometric pressure; it falls in the afternoon, when the goaf breathes out."""
        return PRESSURE_MEAN_HPA + PRESSURE_SWING_HPA * math.sin(math.tau * self.time_s / DAY_S)

    def step(self, dt_s: float) -> None:
        """Advance the section by ``dt_s`` seconds, in parts short enough to be stable."""
        cell_m3 = AIRWAY_LENGTH_M / CELL_COUNT * AIRWAY_AREA_M2
        part_max_s = 0.5 * cell_m3 / FAN_FLOW_M3_S
        parts = max(1, math.ceil(dt_s / part_max_s))
        for _ in range(parts):
            self._step_part(dt_s / parts, cell_m3)

    def _step_part(self, dt_s: float, cell_m3: float) -> None:
        self.time_s += dt_s
        # An Ornstein-Uhlenbeck wander of a few percent: doors, vehicles, weather.
        self.turbulence += -self.turbulence * dt_s / 30.0
        self.turbulence += self.chance.gauss(0.0, 0.02) * math.sqrt(dt_s / 30.0)
        goal_m3_s = FAN_FLOW_M3_S * self.fan_share * (1.0 + self.turbulence)
        self.flow_m3_s += (max(0.0, goal_m3_s) - self.flow_m3_s) * min(1.0, dt_s / 8.0)
        share = min(1.0, self.flow_m3_s * dt_s / cell_m3)
        working = 1.0 if self.is_cutting else METHANE_INFLOW_IDLE
        breathing = 1.0 - 0.02 * (self.pressure_hpa - PRESSURE_MEAN_HPA)
        methane_m3_s = METHANE_INFLOW_M3_S * working * breathing * self.inflow_factor
        _advect(self.methane, share, 0.0, FACE_CELL, methane_m3_s * dt_s / cell_m3)
        co_m3_s = CO_INFLOW_M3_S * (1.0 if self.is_cutting else 0.3)
        _advect(self.co, share, 0.0, FACE_CELL, co_m3_s * dt_s / cell_m3)
        dust_mg_s = DUST_SOURCE_MG_S if self.is_cutting else 2.0
        _advect(self.dust_mg_m3, share, 0.05, FACE_CELL, dust_mg_s * dt_s / cell_m3)
        settled = 1.0 - DUST_SETTLING_PER_S * dt_s
        self.dust_mg_m3 = [dust * settled for dust in self.dust_mg_m3]

    def ch4_pct(self, at: float) -> float:
        """Return methane in volume percent at ``at``, 0 (intake) to 1 (end of the return)."""
        return min(100.0, 100.0 * _interpolate(self.methane, at))

    def co_ppm(self, at: float) -> float:
        """Return carbon monoxide in ppm at ``at``."""
        return 1e6 * _interpolate(self.co, at)

    def o2_pct(self, at: float) -> float:
        """Return oxygen in percent at ``at``: fresh air displaced by methane."""
        return OXYGEN_FRESH_PCT * (1.0 - _interpolate(self.methane, at))

    def dust_at_mg_m3(self, at: float) -> float:
        """Return respirable dust in mg/m3 at ``at``."""
        return _interpolate(self.dust_mg_m3, at)

    def air_velocity_mps(self) -> float:
        """Return the mean air velocity in the airway in m/s."""
        return self.flow_m3_s / AIRWAY_AREA_M2


def _advect(cells: list[float], share: float, fresh: float, source: int, added: float) -> None:
    upstream = fresh
    for index, here in enumerate(cells):
        cells[index] = here + share * (upstream - here)
        upstream = here
    cells[source] += added


def _interpolate(cells: list[float], at: float) -> float:
    place = min(max(at, 0.0), 1.0) * (len(cells) - 1)
    index = min(int(place), len(cells) - 2)
    fraction = place - index
    return cells[index] * (1.0 - fraction) + cells[index + 1] * fraction
