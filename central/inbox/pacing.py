"""How much an unpacker takes at once, and how long it pauses. Pure.

After a failure one batch is tried alone, so that a transaction that was too large for the server's
time or memory cannot fail for ever; each success doubles what is taken, up to the limit.
"""

from dataclasses import dataclass

PAUSE_FIRST_S = 0.1  # a server that restarts is back within a second or two
PAUSE_MAX_S = 5.0  # a person who started PostgreSQL waits no longer than this for the rest


@dataclass(frozen=True, slots=True)
class Pace:
    """What to do next: unpack up to ``batches`` after a pause of ``pause_s``."""

    batches: int
    pause_s: float = 0.0

    def after_failure(self) -> "Pace":
        """Return the pace after a transaction that failed for now."""
        return Pace(1, min(max(self.pause_s * 2, PAUSE_FIRST_S), PAUSE_MAX_S))

    def after_success(self, batches_max: int) -> "Pace":
        """Return the pace after a transaction that was committed."""
        return Pace(min(self.batches * 2, batches_max))
