"""When to wait for company before a commit, and when the broker is waiting for us. Pure.

A broker delivers only so many messages before it wants acknowledgements; MQTT 3.1.1 does not say
how many (mosquitto: 20 by default). Once it waits, lingering only adds delay: with a window of 20
and a linger of 20 ms no more than 1,000 messages a second would pass.

A broker that waits shows itself: it falls silent before the commit, and it speaks at once after the
acknowledgement. After two such rounds the linger is cut short at the first silence. A site that is
merely quiet does not answer an acknowledgement, and keeps its few large commits.
"""

from typing import Final

SILENCE_S: Final = 0.001  # brokers write what they have in one go; on a site's network this is long
ANSWER_S: Final = 0.003  # acknowledgement out, next message in, on a busy node
ROUNDS_TO_BELIEVE: Final = 2
ROUNDS_MAX: Final = 6  # what was believed for long is doubted by as many rounds, not by one


class Pace:
    """Learns from the rhythm of arrivals and acknowledgements; times are monotonic seconds."""

    __slots__ = ("_acknowledged_s", "_ended_silent", "_is_committing", "_rounds")

    def __init__(self) -> None:
        self._rounds = 0
        self._ended_silent = False
        self._is_committing = False
        self._acknowledged_s: float | None = None  # until the next arrival

    @property
    def broker_waits(self) -> bool:
        """Tell whether silence means that the broker waits for acknowledgements."""
        return self._rounds >= ROUNDS_TO_BELIEVE

    def arrived(self, now_s: float) -> None:
        """Messages arrived."""
        if self._is_committing:
            self._rounds = 0  # it sends without being answered: there is room in its window
        elif self._acknowledged_s is not None:
            answered = now_s - self._acknowledged_s <= ANSWER_S
            change = 1 if answered and self._ended_silent else -1
            self._rounds = min(max(self._rounds + change, 0), ROUNDS_MAX)
            self._acknowledged_s = None

    def closed(self, *, silent_s: float) -> None:
        """A group was closed for its commit, ``silent_s`` after the last arrival."""
        self._ended_silent = silent_s >= SILENCE_S
        self._is_committing = True

    def acknowledged(self, now_s: float) -> None:
        """The group was committed and acknowledged."""
        self._is_committing = False
        self._acknowledged_s = now_s
