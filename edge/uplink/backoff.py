"""How long to wait before the next attempt. Pure: the caller throws the dice.

Full jitter: a time drawn evenly from zero to a ceiling that doubles with each attempt. After an
outage of the hub a hundred edges thus come back spread over the ceiling, not in step.
"""

from dataclasses import dataclass

DELAY_MIN_S = 0.05  # a draw near zero must not become a busy loop against a port that refuses
GOOD_TRAFFIC_S = 30.0  # a session this long was good: the next failure is a first one again
ATTEMPT_MAX = 32  # beyond any ceiling; keeps 2 ** attempt small


@dataclass(frozen=True, slots=True)
class Backoff:
    """The state between attempts. ``attempt`` counts failures in a row, this one included."""

    min_s: float
    max_s: float
    attempt: int = 0

    def delay_s(self, chance: float) -> float:
        """Return the wait in seconds for ``chance``, a number drawn evenly from [0, 1]."""
        ceiling_s = min(self.max_s, self.min_s * 2.0 ** max(self.attempt - 1, 0))
        return max(min(DELAY_MIN_S, self.max_s), ceiling_s * chance)

    def after_failure(self, good_traffic_s: float) -> "Backoff":
        """Return the state after an attempt whose session lasted ``good_traffic_s`` (0: none)."""
        before = 0 if good_traffic_s >= GOOD_TRAFFIC_S else self.attempt
        return Backoff(self.min_s, self.max_s, min(before + 1, ATTEMPT_MAX))
