"""What the uplink needs of the edge's log. Owns the interface, not the log."""

from collections.abc import Callable, Sequence
from typing import Protocol

from edge.log.records import Committed, Identity, LogState, StoredBatch
from shared.domain.samples import Series
from shared.sync.ranges import Ranges


class SyncedLog(Protocol):
    """What the uplink needs of the edge's log; see `edge.log.journal.Journal`."""

    async def read(
        self, lane: int, first_seq: int, last_seq: int, size_max_bytes: int
    ) -> list[StoredBatch]:
        """Return held batches of the range, ascending; at least one if there is any."""
        ...

    async def hashes(self, lane: int, seqs: Sequence[int]) -> dict[int, bytes]:
        """Return the sha256 of those of ``seqs`` that are held."""
        ...

    async def first_of_hour(self, lane: int, seq: int) -> int:
        """Return the first number of the hour in which batch ``seq`` was received."""
        ...

    async def read_series(self, first_ix: int) -> list[tuple[int, Series]]:
        """Return the catalogue from ``first_ix`` on."""
        ...

    async def acknowledge(self, lane: int, ranges: Ranges) -> None:
        """Note, durably, that central holds these batches too."""
        ...

    async def reconcile(self, lane: int, held: Ranges) -> None:
        """Note, durably, that central holds exactly these."""
        ...

    async def set_session(self, epoch: int, central_uuid: str) -> None:
        """Keep what central granted, durably."""
        ...

    def identity(self) -> Identity:
        """Return who this installation is."""
        ...

    def state(self) -> LogState:
        """Return how the log stands."""
        ...

    def on_commit(self, callback: Callable[[Committed], None]) -> None:
        """Have ``callback`` called on the loop after each commit."""
        ...
