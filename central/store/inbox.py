"""The durable inbox on PostgreSQL. Owns epochs, ranges and the promise behind every Ack.

Implements `central.inbox.ports.InboxStore`. What `store` returns as stored has been committed with
``synchronous_commit`` on; the ranges that stop duplicates change in the same transaction.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange

from central.errors import BatchRefusedError, DataRefusedError, StoreError
from central.metrics import StoreMetrics
from central.store.database import Connection, Database, fetch
from central.store.grants import SessionGrant, StoreResult
from central.store.instants import clamped
from central.store.partition_days import day_of
from central.store.partitions import DayPartitions, Partitioned
from central.store.queries import load_queries
from central.store.settlement import BatchKey, Settlement, key_of, settle
from central.store.text_escape import escape_text
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.frames import Batch, Hello, Report, SeriesEntry
from shared.sync.ranges import Ranges

# An epoch only ever grows by one for a new installation: a claim beyond this is a broken edge's,
# and following it would use up the numbers.
EPOCH_CLAIM_MAX = 1_000_000
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
        keys: Row = {
            "site_key": site_key,
            "edge_key": edge_key,
            "install_uuid": UUID(hello.install_uuid),
            "claimed_epoch": hello.epoch if hello.epoch <= EPOCH_CLAIM_MAX else 0,
        }
        await connection.execute(self._session_sql["grant_epoch"], keys)
        keys["epoch"] = (await fetch(connection, self._session_sql["epoch_of"], keys))[0][0]
        held = await fetch(connection, self._session_sql["held"], keys)
        known = await fetch(connection, self._session_sql["series_known"], keys)
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
            epoch=keys["epoch"],
            lanes={lane: ranges_of(multirange) for lane, multirange in held},
            series_known=known[0][0],
            site_key=site_key,
            edge_key=edge_key,
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
        again = [batch for batch in batches if key_of(batch) not in fresh]
        held = await self._held_hashes(connection, keys, again)
        settlement = settle(batches, fresh, held)
        await self._put_fresh(connection, keys, settlement.fresh)
        for batch in settlement.conflicting:
            await connection.execute(self._inbox_sql["keep_conflict"], keys | _conflict(batch))
        return settlement

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


def ranges_of(multirange: Multirange[int]) -> Ranges:
    """Return a multirange of PostgreSQL, half open, as inclusive ranges."""
    spans: list[tuple[int, int]] = []
    for part in multirange:
        assert part.lower is not None
        assert part.upper is not None
        spans.append((part.lower, part.upper - 1))
    return Ranges.of(*spans)


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
