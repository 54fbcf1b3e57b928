"""From the live snapshot to the sockets: what has changed since it was asked last."""

from edge.live.snapshot import LiveSnapshot
from shared.ids import Kind
from shared.web.site_data import LiveSink

# The sockets send at most every 50 ms; asking twice as often adds 25 ms at most, and an unchanged
# snapshot answers by comparing one number.
POLL_INTERVAL_S = 0.025

_ALL_KINDS = frozenset(Kind)


class LiveFeed:
    """Hands changed values on; the snapshot holds only what is on disk."""

    def __init__(self, site: str, snapshot: LiveSnapshot, sink: LiveSink) -> None:
        self._site = site
        self._snapshot = snapshot
        self._sink = sink
        self._revision = 0

    async def run(self) -> None:
        """Hand on changes until cancelled."""
        while True:
            self.step()
            await self._sink.pause(POLL_INTERVAL_S)

    def step(self) -> None:
        """Hand on what changed since the last step; at the first, everything."""
        if self._snapshot.revision == self._revision:
            return
        self._revision, changed = self._snapshot.changed_since(self._revision, _ALL_KINDS)
        if changed:
            self._sink.publish(self._site, changed)
