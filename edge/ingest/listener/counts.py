"""What the listener has counted since the process started. Pure; read when somebody asks."""

from dataclasses import dataclass, field

from edge.ingest.listener.endings import ORDINARY, SUBSCRIPTION_NOT_PERMITTED, Ending


@dataclass(slots=True)
class ListenerCounts:
    """Connections, how they ended, and what was refused."""

    accepted: int = 0  # publishers that were let in
    messages: int = 0
    redelivered: int = 0  # copies of messages on their way, dropped
    wills: int = 0  # last wills published
    pauses: int = 0  # times all publishers had to wait for the log
    endings: dict[str, int] = field(default_factory=dict[str, int])
    subscriptions_refused: int = 0

    def end(self, ending: Ending) -> None:
        """Count the end of a connection."""
        self.endings[ending.value] = self.endings.get(ending.value, 0) + 1

    @property
    def refused(self) -> dict[str, int]:
        """Return what was refused, by reason: shown with what a broker refuses."""
        found = {e.value: self.endings.get(e.value, 0) for e in Ending if e not in ORDINARY}
        found[SUBSCRIPTION_NOT_PERMITTED] = self.subscriptions_refused
        return {reason: count for reason, count in found.items() if count}
