"""Figures from many measurements. Pure: how a median or a p99 is defined, and nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Distribution:
    """What ``n`` measurements say; all in the unit of the measurements."""

    n: int
    minimum: float
    median: float
    p95: float
    p99: float
    maximum: float


def distribution(measured: Sequence[float] | NDArray[np.float64]) -> Distribution | None:
    """Return the figures of ``measured``, or None where nothing was measured."""
    ordered = np.sort(np.asarray(measured, dtype=np.float64))
    if not len(ordered):
        return None
    return Distribution(
        n=len(ordered),
        minimum=float(ordered[0]),
        median=nearest_rank(ordered, 50.0),
        p95=nearest_rank(ordered, 95.0),
        p99=nearest_rank(ordered, 99.0),
        maximum=float(ordered[-1]),
    )


def nearest_rank(ordered: NDArray[np.float64], percent: float) -> float:
    """Return the smallest measurement that at least ``percent`` of all do not exceed.

    ``ordered`` is ascending and not empty; ``percent`` in (0, 100]. Nearest rank, never
    interpolated: a figure that is printed was really measured.
    """
    assert len(ordered)
    assert 0.0 < percent <= 100.0
    return float(ordered[max(0, math.ceil(len(ordered) * percent / 100.0) - 1)])
