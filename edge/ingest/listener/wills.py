"""Last wills that wait for their delay, as MQTT 5 lets a publisher ask. Pure."""

from typing import Final

from edge.ingest.listener.session_book import SessionKey
from edge.ingest.stream import Publish

WILLS_MAX: Final = 10_000  # then the one that is due first is published early, not forgotten


class PendingWills:
    """At most one for each session; times are monotonic seconds."""

    def __init__(self) -> None:
        self._pending: dict[SessionKey, tuple[float, Publish]] = {}

    def add(self, key: SessionKey, will: Publish, due_s: float) -> list[Publish]:
        """Keep a will until it is due; return what must make room for it."""
        self._pending[key] = (due_s, will)
        if len(self._pending) <= WILLS_MAX:
            return []
        first = min(self._pending, key=lambda each: self._pending[each][0])
        return [self._pending.pop(first)[1]]

    def withdraw(self, key: SessionKey) -> None:
        """Forget the will of a publisher that is back in time."""
        self._pending.pop(key, None)

    def due(self, now_s: float) -> list[Publish]:
        """Return the wills that are due, once."""
        if not self._pending:
            return []
        keys = [key for key, (due_s, _) in self._pending.items() if due_s <= now_s]
        return [self._pending.pop(key)[1] for key in keys]
