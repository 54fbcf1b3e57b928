"""Threshold rules: when a value raises an alert and when it clears it. Pure."""

from dataclasses import dataclass
from enum import Enum, auto

from shared.domain.samples import Quality, Value
from shared.sync.records import Severity


class Finding(Enum):
    """What one sample says about a rule."""

    ABOVE = auto()  # at the limit or beyond: raise
    BELOW = auto()  # below the limit of clearing: clear
    BETWEEN = auto()  # neither: what is, stays


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRule:
    """``metric`` of any asset at ``raise_at`` or more raises, below ``clear_below`` clears."""

    name: str
    metric: str
    raise_at: float
    clear_below: float
    severity: Severity

    def judge(self, value: Value, quality: int) -> Finding:
        """Return what a sample says.

        A value that is physically impossible may raise, as a sensor beyond its range may well
        stand in gas; it never clears.
        """
        if isinstance(value, str | bool):
            return Finding.BETWEEN
        if value >= self.raise_at:
            return Finding.ABOVE
        if value < self.clear_below and not quality & Quality.OUT_OF_RANGE:
            return Finding.BELOW
        return Finding.BETWEEN
