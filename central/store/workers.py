"""Which unpacking workers live. Owns their heartbeat rows."""

from dataclasses import dataclass
from uuid import UUID

from central.store.claims import Applied
from central.store.database import Database
from central.store.queries import load_queries

WORKER_BEAT_S = 5.0
WORKER_STALE_S = 20.0  # three beats may be lost


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """One worker process."""

    worker_id: UUID
    host: str
    process_id: int


@dataclass(frozen=True, slots=True)
class WorkTotal:
    """What a worker has done since it started."""

    batches: int = 0
    samples: int = 0
    quarantined: int = 0

    def plus(self, applied: Applied) -> "WorkTotal":
        """Return the total after one more call of the unpacker."""
        return WorkTotal(
            self.batches + applied.batches,
            self.samples + applied.rows,
            self.quarantined + len(applied.quarantined),
        )


class WorkerRows:
    """Writes and reads heartbeats; every method raises StoreError while the server is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_queries("worker")

    async def beat(self, worker: WorkerIdentity, total: WorkTotal) -> None:
        """Say that ``worker`` lives and what it has done in all."""
        parameters = {
            "worker_id": worker.worker_id,
            "host": worker.host,
            "process_id": worker.process_id,
            "batches": total.batches,
            "samples": total.samples,
            "quarantined": total.quarantined,
        }
        await self._database.rows(self._sql["beat"], parameters)

    async def stop(self, worker: WorkerIdentity) -> None:
        """Say that ``worker`` stops on purpose."""
        await self._database.rows(self._sql["stop"], {"worker_id": worker.worker_id})

    async def running(self) -> int:
        """Return how many workers live."""
        rows = await self._database.rows(self._sql["running"], {"stale_s": WORKER_STALE_S})
        count: int = rows[0][0]
        return count

    async def last_seen_ms(self) -> int | None:
        """Return when a worker was last alive, or None if there never was one."""
        rows = await self._database.rows(self._sql["last_seen"], {})
        last_seen_ms: int | None = rows[0][0]
        return last_seen_ms

    async def unpacked_samples(self) -> int:
        """Return what all workers that are remembered have unpacked."""
        samples: int = (await self._database.rows(self._sql["unpacked"], {}))[0][0]
        return samples
