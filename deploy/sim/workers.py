"""Workers with wearables, walking between zones on the surface and underground. Pure.

Heart rate and core temperature follow exertion with the delays of a body; a fall shows as a spike
of motion.
"""

import math
import random
from dataclasses import dataclass

from deploy.sim.terrain import PLACES, Point, between, distance_m

WALKING_MPS = 1.2
STAY_MEAN_S = 420.0
HEART_REST_BPM = 68.0
HEART_EFFORT_BPM = 62.0
HEART_TIME_CONSTANT_S = 45.0
CORE_REST_C = 36.9
CORE_EFFORT_C = 0.9
CORE_TIME_CONSTANT_S = 1_800.0


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """Where people work: a point, the zone and level shown, and how hard the work is (0 to 1)."""

    point: Point
    zone: str
    level: str
    effort: float


WORK_PLACES: tuple[WorkPlace, ...] = (
    WorkPlace(PLACES["parking"].point, "yard", "surface", 0.2),
    WorkPlace(PLACES["crusher"].point, "crusher", "surface", 0.5),
    WorkPlace(PLACES["loader-1"].point, "pit-north-1", "surface", 0.4),
    WorkPlace(PLACES["portal"].point, "portal", "surface", 0.3),
    WorkPlace(Point(380.0, -320.0, 470.0), "intake-airway", "level-170", 0.4),
    WorkPlace(Point(620.0, -430.0, 468.0), "longwall-face", "level-170", 0.9),
    WorkPlace(Point(860.0, -380.0, 466.0), "return-airway", "level-170", 0.6),
    WorkPlace(Point(520.0, -560.0, 468.0), "workshop-170", "level-170", 0.5),
)


@dataclass(slots=True)
class Worker:
    """One person: between two places, or staying at one."""

    name: str
    chance: random.Random
    origin: WorkPlace
    goal: WorkPlace
    walked_m: float = 0.0
    stay_s: float = 0.0
    heart_rate_bpm: float = HEART_REST_BPM
    core_temp_c: float = CORE_REST_C

    @property
    def is_walking(self) -> bool:
        """Whether the person is on the way to the goal."""
        return self.stay_s <= 0.0

    @property
    def position(self) -> Point:
        """Where the person is."""
        if not self.is_walking:
            return self.goal.point
        length_m = distance_m(self.origin.point, self.goal.point)
        return between(self.origin.point, self.goal.point, min(1.0, self.walked_m / length_m))

    @property
    def place(self) -> WorkPlace:
        """The work place whose zone the person is in: the nearer end of the way."""
        length_m = distance_m(self.origin.point, self.goal.point)
        return self.goal if not self.is_walking or self.walked_m * 2 > length_m else self.origin

    def step(self, dt_s: float) -> None:
        """Walk or stay for ``dt_s`` seconds; the body follows the effort."""
        if self.is_walking:
            self.walked_m += WALKING_MPS * dt_s
            if self.walked_m >= distance_m(self.origin.point, self.goal.point):
                self.stay_s = self.chance.expovariate(1.0 / STAY_MEAN_S) + 30.0
        else:
            self.stay_s -= dt_s
            if self.stay_s <= 0.0:
                self._choose_goal()
        effort = 0.55 if self.is_walking else self.goal.effort
        goal_bpm = HEART_REST_BPM + HEART_EFFORT_BPM * effort
        self.heart_rate_bpm += (goal_bpm - self.heart_rate_bpm) * min(
            1.0, dt_s / HEART_TIME_CONSTANT_S
        )
        goal_c = CORE_REST_C + CORE_EFFORT_C * effort
        self.core_temp_c += (goal_c - self.core_temp_c) * min(1.0, dt_s / CORE_TIME_CONSTANT_S)

    def vitals(self) -> dict[str, float]:
        """Return what the wearable measures now."""
        gauss = self.chance.gauss
        motion_g = 1.0 + (0.35 if self.is_walking else 0.12) * abs(gauss(0.0, 1.0))
        return {
            "heart_rate_bpm": float(round(gauss(self.heart_rate_bpm, 1.5))),
            "spo2_pct": float(min(100, round(gauss(97.5, 0.6)))),
            "core_temp_c": round(gauss(self.core_temp_c, 0.03), 2),
            "motion_g": round(motion_g, 2),
        }

    def _choose_goal(self) -> None:
        # Most ways stay on one level: the cage is a rare trip, not every second one.
        same = [p for p in WORK_PLACES if p.level == self.goal.level and p is not self.goal]
        anywhere = [p for p in WORK_PLACES if p is not self.goal]
        self.origin = self.goal
        self.goal = self.chance.choice(same if self.chance.random() < 0.85 else anywhere)
        self.walked_m, self.stay_s = 0.0, 0.0


def make_workers(count: int, chance: random.Random) -> list[Worker]:
    """Return ``count`` workers spread over the work places."""
    workers: list[Worker] = []
    for number in range(1, count + 1):
        goal = WORK_PLACES[number % len(WORK_PLACES)]
        origin = WORK_PLACES[(number + 1) % len(WORK_PLACES)]
        stay_s = chance.uniform(5.0, STAY_MEAN_S) * math.sqrt(2.0)
        workers.append(Worker(f"worker-{number:02d}", chance, origin, goal, stay_s=stay_s))
    return workers
