"""Pumps and the main fan: level control, load and wear. Pure.

A pump works between two sump levels; flow and pressure follow a quadratic pump curve, the motor
current the hydraulic power, vibration and bearing temperature the wear.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

SUMP_AREA_M2 = 60.0
LEVEL_START_M = 2.6
LEVEL_STOP_M = 0.9
FLOW_NOMINAL_M3_S = 0.055
HEAD_STATIC_KPA = 620.0
HEAD_FRICTION_KPA = 240.0  # at nominal flow
PUMP_EFFICIENCY = 0.68
MOTOR_VOLTAGE_V = 690.0
MOTOR_POWER_FACTOR = 0.86
SQRT_3 = 1.7320508
AMBIENT_C = 29.0
BEARING_RISE_C = 34.0
BEARING_TIME_CONSTANT_S = 900.0
VIBRATION_RUNNING_MM_S = 1.9


class PumpStatus(StrEnum):
    """As the contract names the states of equipment."""

    RUNNING = "running"
    IDLE = "idle"


@dataclass(slots=True)
class Pump:
    """One dewatering pump over its sump."""

    name: str
    inflow_m3_s: float
    wear: float  # 0 new, 1 worn out
    chance: random.Random
    level_m: float = 1.7
    status: PumpStatus = PumpStatus.RUNNING
    operating_hours: float = 0.0
    bearing_temp_c: float = AMBIENT_C

    def step(self, dt_s: float) -> None:
        """Advance sump, wear and temperature by ``dt_s`` seconds."""
        self.level_m += (self.inflow_m3_s - self.flow_m3_s) * dt_s / SUMP_AREA_M2
        self.level_m = max(0.0, self.level_m)
        if self.level_m <= LEVEL_STOP_M:
            self.status = PumpStatus.IDLE
        elif self.level_m >= LEVEL_START_M:
            self.status = PumpStatus.RUNNING
        running = self.status is PumpStatus.RUNNING
        self.operating_hours += dt_s / 3600.0 if running else 0.0
        goal_c = AMBIENT_C + (BEARING_RISE_C * (1.0 + self.wear) if running else 0.0)
        self.bearing_temp_c += (goal_c - self.bearing_temp_c) * min(
            1.0, dt_s / BEARING_TIME_CONSTANT_S
        )

    @property
    def flow_m3_s(self) -> float:
        """Delivered flow; a worn impeller leaks inside."""
        if self.status is not PumpStatus.RUNNING:
            return 0.0
        return FLOW_NOMINAL_M3_S * (1.0 - 0.25 * self.wear)

    @property
    def discharge_kpa(self) -> float:
        """Discharge pressure: static head and friction with the square of the flow."""
        share = self.flow_m3_s / FLOW_NOMINAL_M3_S
        return HEAD_STATIC_KPA + HEAD_FRICTION_KPA * share * share

    @property
    def motor_current_a(self) -> float:
        """Motor current from hydraulic power over efficiency, three phases."""
        hydraulic_w = self.discharge_kpa * 1000.0 * self.flow_m3_s
        apparent_v = SQRT_3 * MOTOR_VOLTAGE_V * MOTOR_POWER_FACTOR
        return hydraulic_w / PUMP_EFFICIENCY / apparent_v

    def readings(self) -> dict[str, float]:
        """Return what its instruments show now, with their noise and resolution."""
        running = self.status is PumpStatus.RUNNING
        vibration = VIBRATION_RUNNING_MM_S * (1.0 + 2.0 * self.wear) if running else 0.1
        gauss = self.chance.gauss
        return {
            "sump_level_m": round(self.level_m, 2),
            "flow_l_min": round(max(0.0, self.flow_m3_s * 60_000.0 * gauss(1.0, 0.004)), 1),
            "discharge_kpa": round(self.discharge_kpa * gauss(1.0, 0.003), 1),
            "motor_current_a": round(max(0.0, self.motor_current_a * gauss(1.0, 0.005)), 2),
            "bearing_temp_c": round(gauss(self.bearing_temp_c, 0.1), 1),
            "vibration_mm_s": round(max(0.0, vibration * gauss(1.0, 0.05)), 2),
        }


def make_pumps(count: int, chance: random.Random) -> list[Pump]:
    """Return ``count`` pumps of different age over sumps of different inflow."""
    pumps = [
        Pump(
            f"pump-{number:02d}",
            FLOW_NOMINAL_M3_S * chance.uniform(0.4, 0.75),
            chance.uniform(0.0, 0.6),
            chance,
            level_m=chance.uniform(LEVEL_STOP_M, LEVEL_START_M),
            operating_hours=chance.uniform(200.0, 9_000.0),
        )
        for number in range(1, count + 1)
    ]
    for pump in pumps:
        pump.operating_hours = round(pump.operating_hours, 1)
    return pumps


@dataclass(slots=True)
class Fan:
    """The main fan; its flow is the section's, its pressure the square of it."""

    name: str
    chance: random.Random
    operating_hours: float = 31_400.0

    def step(self, dt_s: float, flow_m3_s: float) -> None:
        """Count operating time while air moves."""
        self.operating_hours += dt_s / 3600.0 if flow_m3_s > 1.0 else 0.0

    def readings(self, flow_m3_s: float) -> dict[str, float]:
        """Return airflow, static pressure, current and vibration at ``flow_m3_s``."""
        share = flow_m3_s / 26.0
        gauss = self.chance.gauss
        return {
            "airflow_m3_s": round(flow_m3_s * gauss(1.0, 0.003), 2),
            "static_pa": round(1_850.0 * share * share * gauss(1.0, 0.004), 0),
            "motor_current_a": round(142.0 * max(0.15, share**3) * gauss(1.0, 0.005), 1),
            "vibration_mm_s": round(max(0.0, 1.4 * share * gauss(1.0, 0.06)), 2),
        }
