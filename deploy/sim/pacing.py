"""How many messages are due: an even rate, and an account of what could not be kept. Pure."""

from dataclasses import dataclass

DEBT_MAX_S = 2.0  # a debt older than this is given up: data of the past would only look live


@dataclass(slots=True)
class Pace:
    """An even pace of ``rate_per_s`` messages from ``start_s`` on (monotonic seconds)."""

    rate_per_s: float
    start_s: float
    granted: int = 0
    given_up: int = 0

    def due(self, now_s: float) -> int:
        """Return how many messages are to be sent now, and count them as granted."""
        owed = int((now_s - self.start_s) * self.rate_per_s) - self.granted - self.given_up
        debt_max = max(1, int(DEBT_MAX_S * self.rate_per_s))
        if owed > debt_max:
            self.given_up += owed - debt_max
            owed = debt_max
        self.granted += max(0, owed)
        return max(0, owed)

    def next_due_s(self) -> float:
        """Return the moment at which the next message falls due."""
        return self.start_s + (self.granted + self.given_up + 1) / self.rate_per_s
