"""What the inbox needs from whoever keeps the data. Owns the interface, not the storing.

`central.store` implements `InboxStore` on PostgreSQL; tests have one in memory. Every method
raises `central.errors.StoreError` for what may pass (no connection, lock or statement timeout,
disk full, shutting down): the caller retries and the edge's session stays.
"""

from collections.abc import Sequence
from typing import Protocol

from central.store.grants import BatchRefusal, SessionGrant, StoreResult
from shared.sync.frames import Batch, Hello, Report, SeriesEntry

__all__ = ["BatchRefusal", "InboxStore", "SessionGrant", "StoreResult"]


class InboxStore(Protocol):
    """Durable storage behind the sync session; safe for concurrent calls of several sessions."""

    async def open_session(self, hello: Hello, now_ms: int) -> SessionGrant:
        """Register site and edge where new, grant the epoch, and return what is held.

        One epoch per (site, edge_id, install_uuid), strictly increasing per (site, edge_id). An
        install_uuid not seen before gets max(newest epoch + 1, hello.epoch): an edge whose epoch
        this database has forgotten (restored from an old backup) keeps its own. Only what is
        committed may appear in ``lanes`` and ``series_known``.

        Raises:
            StoreError: not now; the edge is told to come back.
        """
        ...

    async def store(
        self,
        grant: SessionGrant,
        series: Sequence[SeriesEntry],
        batches: Sequence[Batch],
        *,
        now_ms: int,
    ) -> StoreResult:
        """Commit series, batches and ranges in one transaction; return only after the commit.

        ``series`` continue the catalogue (entries already held are ignored); ``batches`` come in
        the order they were received and may repeat what is held. A batch held with another
        sha256 is kept as a conflict and refused; one that can never be applied is quarantined
        and refused. Either counts as held from then on: it is in ``lanes`` of later grants.

        Raises:
            StoreError: nothing was committed, or it is not known; the same call is repeated.
            BatchRefusedError: nothing was committed because of something in this call; it is
                repeated in halves until the one batch is found.
        """
        ...

    async def record_report(self, grant: SessionGrant, report: Report, now_ms: int) -> None:
        """Keep the newest report of the edge for the status page."""
        ...

    async def session_closed(self, grant: SessionGrant, now_ms: int) -> None:
        """Note that the session ended; a newer session of the same edge is not affected."""
        ...
