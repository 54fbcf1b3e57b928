"""The durable inbox on PostgreSQL. Owns epochs, ranges and the promise behind every Ack.

Implements `central.inbox.ports.InboxStore`. What `store` returns as stored has been committed with
``synchronous_commit`` on; the ranges that stop duplicates change in the same transaction.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from central.errors import BatchRefusedError, DataRefusedError, StoreError
from central.metrics import StoreMetrics
from central.store.database import Connection, Database, fetch
from central.store.epochs import grant_epoch, hashes_of
from central.store.grants import SessionGrant, StoreResult
from central.store.instants import clamped
from central.store.partition_days import day_of
from central.store.partitions import DayPartitions, Partitioned
from central.store.queries import load_queries
from central.store.settlement import BatchKey, Settlement, key_of, settle
from central.store.text_escape import escape_text
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.frames import MARK_HASH_BYTES, Batch, Hello, Report, SeriesEntry
from shared.sync.ranges import Ranges

# Bodies of conflicts kept per edge: a cloned edge can send for days, and some show what happened.
CONFLICT_BODIES_MAX = 1_000
SESSION_BEAT_S = 5.0  # how often open sessions say that their process lives
SESSION_STALE_S = 20.0  # silent for longer: its process died; three beats may be lost
SESSION_KEEP_DAYS = 90

Row = dict[str, Any]

_log = get_log("inbox")


class PostgresInbox:
    """`InboxStore` on PostgreSQL; ``database`` must be a durable one."""

    def __init__(self, database: Database, clock: Clock, metrics: StoreMetrics) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._partitions = DayPartitions(database, Partitioned.BATCH)
        self._open: dict[str, int] = {}  # session id -> site key, of this process
        self._inbox_sql = load_queries("inbox")
        self._session_sql = load_queries("session")
        self._series_sql = load_queries("series")

    async def open_session(self, hello: Hello, now_ms: int) -> SessionGrant:
        """Register site and edge where new, grant the epoch, return what is held.

        Raises:
            StoreError: not now; the edge is told to come back.
        """
        del now_ms  # sessions are timed by the server: all processes must agree on them
        try:
            async with self._database.transaction() as connection:
                grant = await self._grant(connection, hello)
        except DataRefusedError as error:
            raise StoreError(f"session of {hello.site}/{hello.edge_id}: {error}") from error
        if grant.fenced is not None:
            self._metrics.fenced.inc()
            _log.error(
                "an edge's log is not the one whose batches are held: it goes on in a new epoch",
                site=hello.site,
                edge_id=hello.edge_id,
                epoch=grant.epoch,
                because=grant.fenced,
            )
        self._open[grant.session_id] = grant.site_key
        self._metrics.sessions.set(len(self._open))
        return grant

    async def store(
        self,
        grant: SessionGrant,
        series: Sequence[SeriesEntry],
        batches: Sequence[Batch],
        *,
        now_ms: int,
    ) -> StoreResult:
        """Commit series, batches and ranges in one transaction; return only after the commit.

        Raises:
            StoreError: nothing was committed, or it is not known; repeat the call.
            BatchRefusedError: nothing was committed because of something in this call.
        """
        started_s = self._clock.monotonic_s()
        try:
            await self._make_room(now_ms)
            async with self._database.transaction() as connection:
                await self._put_series(connection, grant, series)
                settlement = await self._put_batches(connection, grant, batches, now_ms)
        except DataRefusedError as error:
            self._metrics.store_failures.labels("refused").inc()
            raise BatchRefusedError(str(error)) from error
        except StoreError:
            self._partitions.forget()
            self._metrics.store_failures.labels("unavailable").inc()
            raise
        self._metrics.store_seconds.observe(self._clock.monotonic_s() - started_s)
        self._count(settlement)
        if settlement.fresh:
            await self._announce()
        return settlement.result()

    async def record_report(self, grant: SessionGrant, report: Report, now_ms: int) -> None:
        """Keep the newest report of the edge for the status page.

        Raises:
            StoreError: not now; the next report will do.
        """
        parameters = {
            "site_key": grant.site_key,
            "session_id": UUID(grant.session_id),
            "report": Jsonb(report_document(report, now_ms)),
        }
        await self._database.rows(self._session_sql["report"], parameters)

    async def session_closed(self, grant: SessionGrant, now_ms: int) -> None:
        """Note that the session ended; a newer session of the same edge is not affected.

        Raises:
            StoreError: not now; the session goes stale by itself within SESSION_STALE_S.
        """
        del now_ms
        self._open.pop(grant.session_id, None)
        self._metrics.sessions.set(len(self._open))
        parameters = {"site_key": grant.site_key, "session_id": UUID(grant.session_id)}
        await self._database.rows(self._session_sql["close"], parameters)

    async def beat(self) -> None:
        """Say of every open session of this process that it lives; call it each SESSION_BEAT_S.

        Raises:
            StoreError: not now; the next beat will do.
        """
        if self._open:
            parameters = {
                "site_keys": list(self._open.values()),
                "session_ids": [UUID(session_id) for session_id in self._open],
            }
            await self._database.rows(self._session_sql["beat"], parameters)

    async def _make_room(self, now_ms: int) -> None:
        """Make today's partition; a lock that is not free is no reason to refuse batches.

        They go to the default partition then, and move when the partition is made.
        """
        try:
            await self._partitions.ensure({day_of(now_ms)}, now_ms)
        except StoreError as error:
            _log.info("today's partition could not be made yet", error=str(error))

    async def _grant(self, connection: Connection, hello: Hello) -> SessionGrant:
        names: Row = {"site": hello.site, "edge_id": hello.edge_id}
        await connection.execute(self._session_sql["add_site"], names)
        await connection.execute(self._session_sql["add_edge"], names)
        site_key, edge_key = (await fetch(connection, self._session_sql["lock_edge"], names))[0]
        keys: Row = {"site_key": site_key, "edge_key": edge_key}
        granted = await grant_epoch(connection, keys, hello)
        keys["epoch"] = granted.epoch
        identity = await fetch(connection, load_queries("server")["central_uuid"], {})
        keys["session_id"] = uuid4()
        keys["boot_id"] = escape_text(hello.boot_id)
        keys["software"] = escape_text(hello.software)
        keys["role"] = hello.role.value
        await connection.execute(self._session_sql["supersede"], keys)
        await connection.execute(self._session_sql["open"], keys)
        return SessionGrant(
            session_id=str(keys["session_id"]),
            central_uuid=str(identity[0][0]),
            site=hello.site,
            edge_id=hello.edge_id,
            install_uuid=hello.install_uuid,
            epoch=granted.epoch,
            lanes=granted.lanes,
            series_known=granted.series_known,
            site_key=site_key,
            edge_key=edge_key,
            fenced=granted.fenced,
            ancestors=granted.ancestors,
            marks=granted.marks,
        )

    async def _put_series(
        self, connection: Connection, grant: SessionGrant, series: Sequence[SeriesEntry]
    ) -> None:
        if not series:
            return
        parameters = _keys(grant) | {
            "ixs": [entry.ix for entry in series],
            "kinds": [escape_text(entry.kind) for entry in series],
            "asset_ids": [escape_text(entry.asset_id) for entry in series],
            "metrics": [escape_text(entry.metric) for entry in series],
            "units": [escape_text(entry.unit) for entry in series],
            "value_types": [entry.value_type for entry in series],
        }
        await connection.execute(self._series_sql["add"], parameters)
        await connection.execute(self._series_sql["map"], parameters)
        wrong = await fetch(connection, self._series_sql["contradictions"], parameters)
        if wrong:
            raise DataRefusedError(
                f"series number {wrong[0][0]} of {grant.site}/{grant.edge_id} epoch {grant.epoch} "
                "came with another meaning than before"
            )

    async def _put_batches(
        self,
        connection: Connection,
        grant: SessionGrant,
        batches: Sequence[Batch],
        now_ms: int,
    ) -> Settlement:
        if not batches:
            return settle((), (), {})
        keys = _keys(grant) | {"received_at": clamped(now_ms)}
        keys["lanes"] = sorted({batch.lane for batch in batches})
        await connection.execute(self._inbox_sql["add_lane"], keys)
        await connection.execute(self._inbox_sql["lock_lanes"], keys)
        asked = keys | _identities(batches)
        fresh = {
            (lane, seq) for lane, seq in await fetch(connection, self._inbox_sql["fresh"], asked)
        }
        inherited = await self._inherited(connection, grant, batches, fresh)
        again = [batch for batch in batches if key_of(batch) not in fresh]
        held = await self._held_hashes(connection, keys, again)
        held |= {key_of(batch): batch.sha256 for batch in inherited}
        settlement = settle(batches, fresh - held.keys(), held)
        await self._put_fresh(connection, keys, settlement.fresh)
        if inherited:
            columns = keys | _columns(inherited)
            await connection.execute(self._inbox_sql["extend"], columns)
            await connection.execute(self._inbox_sql["know_inherited"], columns)
        for batch in settlement.conflicting:
            await connection.execute(self._inbox_sql["keep_conflict"], keys | _conflict(batch))
        return settlement

    async def _inherited(
        self,
        connection: Connection,
        grant: SessionGrant,
        batches: Sequence[Batch],
        fresh: Collection[BatchKey],
    ) -> list[Batch]:
        """Return the fresh batches that are the same as those an ancestor of the epoch holds."""
        wanted = [batch for batch in batches if key_of(batch) in fresh]
        found: list[Batch] = []
        for ancestor in grant.ancestors:
            asked = [
                batch for batch in wanted if batch.seq in ancestor.lanes.get(batch.lane, Ranges())
            ]
            hashes = await hashes_of(connection, _keys(grant), [ancestor.epoch], map(key_of, asked))
            found += [
                batch
                for batch in asked
                if hashes.get(key_of(batch)) == batch.sha256[:MARK_HASH_BYTES]
            ]
        return found

    async def _held_hashes(
        self, connection: Connection, keys: Row, again: Sequence[Batch]
    ) -> dict[BatchKey, bytes]:
        if not again:
            return {}
        query, asked = self._inbox_sql["held_hashes"], keys | _identities(again)
        rows = await fetch(connection, query, asked)
        return {(lane, seq): sha256 for lane, seq, sha256 in rows}

    async def _put_fresh(self, connection: Connection, keys: Row, fresh: Sequence[Batch]) -> None:
        if not fresh:
            return
        put = await fetch(connection, self._inbox_sql["put"], keys | _columns(fresh))
        if len(put) != len(fresh):
            # The ranges said under lock that these are new: somebody changed the tables by hand,
            # and nothing may be acknowledged on that.
            raise StoreError("inbox and ranges disagree about what is held")
        await connection.execute(self._inbox_sql["extend"], keys | _identities(fresh))

    def _count(self, settlement: Settlement) -> None:
        self._metrics.batches.labels("stored").inc(len(settlement.fresh))
        self._metrics.batches.labels("repeated").inc(len(settlement.repeated))
        self._metrics.batches.labels("conflict").inc(len(settlement.conflicting))
        self._metrics.samples.inc(sum(batch.n for batch in settlement.fresh))

    async def _announce(self) -> None:
        """Wake the unpackers. A lost call costs them one safety poll: no reason to fail."""
        try:
            await self._database.rows(self._inbox_sql["announce"], {})
        except StoreError:
            return


def report_document(report: Report, now_ms: int) -> Row:
    """Return ``report`` as it is kept in the session's row, with the time it arrived here."""
    return {
        "received_ms": now_ms,
        "sent_at_ms": report.sent_at_ms,
        "disk_free_bytes": report.disk_free_bytes,
        "rtt_ms": report.rtt_ms,
        "quarantined": report.quarantined,
        "broker_refused": report.broker_refused,
        "sent_today_bytes": report.sent_today_bytes,
        "held_up": report.held_up,
        "lanes": {str(lane): backlog._asdict() for lane, backlog in report.lanes.items()},
    }


def _keys(grant: SessionGrant) -> Row:
    return {"site_key": grant.site_key, "edge_key": grant.edge_key, "epoch": grant.epoch}


def _identities(batches: Sequence[Batch]) -> Row:
    return {
        "batch_lanes": [batch.lane for batch in batches],
        "seqs": [batch.seq for batch in batches],
    }


def _columns(batches: Sequence[Batch]) -> Row:
    return _identities(batches) | {
        "counts": [batch.n for batch in batches],
        "t_mins": [batch.t_min_ms for batch in batches],
        "t_maxs": [batch.t_max_ms for batch in batches],
        "recv_mins": [batch.recv_min_ms for batch in batches],
        "recv_maxs": [batch.recv_max_ms for batch in batches],
        "hashes": [batch.sha256 for batch in batches],
        "bodies": [batch.body for batch in batches],
    }


def _conflict(batch: Batch) -> Row:
    return {
        "lane": batch.lane,
        "seq": batch.seq,
        "sha256": batch.sha256,
        "n": batch.n,
        "t_min_ms": batch.t_min_ms,
        "t_max_ms": batch.t_max_ms,
        "body": batch.body,
        "bodies_max": CONFLICT_BODIES_MAX,
    }
