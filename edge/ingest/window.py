"""How many unacknowledged messages the broker sends before it waits for us. Pure.

MQTT 3.1.1 does not say: mosquitto sends 20, others thousands. Lingering for company when the broker
is itself waiting for our acknowledgement only adds delay: with a window of 20 and a linger of 20 ms
no more than 1,000 messages a second would pass. So the window is guessed from silence.
"""

from typing import Final

# A linger whose second half was silent met a broker that waits (or a site with nothing to say,
# where committing at once costs no more commits than lingering does).
SILENT_PART: Final = 0.5


class WindowGuess:
    """The broker's window, learned from its silences; ``None`` while it shows none."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size: int | None = None

    def arrived(self, in_flight: int) -> None:
        """Learn that ``in_flight`` messages are unacknowledged: a smaller guess was wrong."""
        if self.size is not None and in_flight > self.size:
            self.size = None

    def lingered(self, *, in_flight: int, silent_s: float, linger_s: float) -> None:
        """Learn from a whole linger after which the broker had been silent for ``silent_s``."""
        if in_flight and silent_s >= linger_s * SILENT_PART:
            self.size = in_flight

    def is_reached(self, in_flight: int) -> bool:
        """Tell whether the broker sends nothing more until something is acknowledged."""
        return self.size is not None and in_flight >= self.size
