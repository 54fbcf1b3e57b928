"""Moves batches from the inbox into partitions. Owns the unpacking transaction.

Claim, copy, newest values, the flip to `applied` and the notification are one transaction: after
a crash of anyone at any moment a batch has either been unpacked or is there as before.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any, Final

import numpy as np

from central.errors import DataRefusedError, StoreError
from central.store.claims import (
    Applied,
    Claim,
    ClaimKey,
    EpochKey,
    LatestRow,
    Poison,
    Prepare,
    Prepared,
    SeriesMap,
)
from central.store.database import Connection, Database, fetch
from central.store.instants import Instant
from central.store.live_notice import live_payloads
from central.store.partitions import DayPartitions, Partitioned
from central.store.queries import load_queries
from central.store.record_rows import RecordRows
from central.store.text_escape import escape_text
from shared.clock import Clock
from shared.logs import get_log

# Samples of one transaction: a few tenths of a second. Live values behind a backlog wait no longer,
# and DDL that needs the inbox for a moment gets its turn. A larger batch goes alone.
SAMPLES_PER_TRANSACTION_MAX: Final = 100_000
# After a day's partition could not be made: each attempt may wait for a lock, and others behind it.
# Twice as long each time: a day with more rows than can be moved in time must not stop the others.
PARTITION_RETRY_S: Final = 10.0
PARTITION_RETRY_MAX_S: Final = 640.0
# One call makes no further partition after this long.
ROOM_TIME_MAX_S: Final = 5.0

Row = dict[str, Any]
_EMPTY_MAP = SeriesMap(np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.uint8))
Claimed = list[tuple[ClaimKey, int]]  # key and number of samples

_log = get_log("unpacking")


class Unpacking:
    """The database side of one unpacker; any number may work on one inbox."""

    def __init__(self, database: Database, clock: Clock, prepare: Prepare) -> None:
        self._database = database
        self._clock = clock
        self._prepare = prepare
        self._partitions = DayPartitions(database, Partitioned.SAMPLE)
        self._owed_days: set[int] = set()  # their rows went to the default partition
        self._make_room_at_s = 0.0
        self._room_pause_s = PARTITION_RETRY_S
        self._claims = cycle(("claim_newest", "claim_oldest"))
        self._records = RecordRows()
        self._maps: dict[EpochKey, SeriesMap] = {}
        self._sql = load_queries("unpack")
        self._series_sql = load_queries("series")

    async def apply_next(self, *, batches_max: int) -> Applied:
        """Unpack up to ``batches_max`` batches; empty when nothing is waiting.

        What is urgent first. Then by turns those that their edges have taken in last and those that
        came here first: what is recorded now is shown at once, and no clock that runs ahead keeps
        the past from its turn.
        A batch that can never be unpacked goes to quarantine, the others of the call are applied.

        Raises:
            StoreError: nothing of the last transaction was done; try again.
        """
        claimed: Claimed = []
        try:
            try:
                limit = {"batches_max": batches_max}
                urgent = await self._transact("claim_urgent", limit, claimed)
                if urgent:
                    return replace(urgent, more=True)  # nobody looked behind them
                return await self._transact(next(self._claims), limit, claimed)
            except DataRefusedError:
                # One holds what PostgreSQL will not take: alone, each shows whether it is it.
                return await self._apply_each([key for key, _ in claimed])
        except StoreError:
            self._partitions.forget()
            raise

    async def _apply_each(self, keys: Sequence[ClaimKey]) -> Applied:
        done = Applied(more=True)  # nobody looked behind them
        for key in keys:
            try:
                done += await self._transact("claim_one", _key_parameters(key), [])
            except DataRefusedError as error:
                poison = Poison(key, "refused_by_database", str(error))
                done += await self._quarantine(poison)
        return done

    async def _quarantine(self, poison: Poison) -> Applied:
        async with self._database.transaction() as connection:
            parameters = _key_parameters(poison.key)
            if not await fetch(connection, self._sql["claim_one"], parameters):
                return Applied()  # another unpacker was faster
            await self._keep_poison(connection, [poison])
        return Applied(quarantined=(poison,))

    async def _transact(self, claim: str, parameters: Row, claimed: Claimed) -> Applied:
        """Claim by the query ``claim``, fill ``claimed``, apply; one transaction."""
        async with self._database.transaction() as connection:
            rows = await fetch(connection, self._sql[claim], parameters)
            claimed += _within_limit([(_claim_key(row), row[6]) for row in rows])
            if not claimed:
                return Applied()
            claims = await self._read(connection, claimed)
            maps = {key: await self._map(connection, key) for key in _epochs(claims)}
            # Decoding holds the processor, not the loop: heartbeats and listening go on.
            prepared = await asyncio.to_thread(self._prepare, claims, maps)
            await self._write(connection, claims, prepared)
        return Applied(
            len(claims) - len(prepared.poison),
            prepared.rows,
            quarantined=prepared.poison,
            more=len(claimed) < len(rows) or len(rows) == parameters.get("batches_max"),
        )

    async def _read(self, connection: Connection, claimed: Claimed) -> list[Claim]:
        keys = [key for key, _ in claimed]
        rows = await fetch(connection, self._sql["bodies"], _keys_parameters(keys))
        return [
            Claim(key, n, recv_max_ms, body)
            for (key, n), (recv_max_ms, body) in zip(claimed, rows, strict=True)
        ]

    async def _map(self, connection: Connection, key: EpochKey) -> SeriesMap:
        """Return the map of ``key`` with what was added since the last time."""
        known = self._maps.get(key, _EMPTY_MAP)
        parameters = {
            "site_key": key.site_id,
            "edge_key": key.edge_node_id,
            "epoch": key.epoch,
            "after_ix": _contiguous_until(known),
        }
        rows = await fetch(connection, self._series_sql["meanings"], parameters)
        if rows:
            known = _extended(known, rows)
            self._maps[key] = known
        return known

    async def _write(
        self, connection: Connection, claims: Sequence[Claim], prepared: Prepared
    ) -> None:
        await self._make_room(prepared.days)
        if prepared.rows:
            async with connection.cursor().copy(self._sql["copy"]) as copy:
                for piece in prepared.copy:
                    await copy.write(piece)
        await self._raise_latest(connection, prepared.latest)
        await self._records.write(connection, prepared.records)
        await self._keep_poison(connection, prepared.poison)
        poisoned = {poison.key for poison in prepared.poison}
        applied = [claim.key for claim in claims if claim.key not in poisoned]
        await self._settle(connection, applied, "applied")

    async def _make_room(self, days: frozenset[int]) -> None:
        """Make the partitions of ``days``; a lock that is not free is no reason to unpack nothing.

        Rows go to the default partition then, and move when the partition is made. What takes long
        is spread over the transactions that follow: this one's claims wait meanwhile.
        """
        self._owed_days |= days
        now_s = self._clock.monotonic_s()
        if now_s < self._make_room_at_s:
            return
        try:
            for day in sorted(self._owed_days, reverse=True):
                await self._partitions.ensure({day}, self._clock.utc_ms())
                self._owed_days.discard(day)
                if self._clock.monotonic_s() - now_s >= ROOM_TIME_MAX_S:
                    break
        except StoreError as error:
            self._make_room_at_s = now_s + self._room_pause_s
            self._room_pause_s = min(self._room_pause_s * 2, PARTITION_RETRY_MAX_S)
            _log.warning("no partition for a day yet: its rows go to the default", error=str(error))
        else:
            self._room_pause_s = PARTITION_RETRY_S

    async def _raise_latest(self, connection: Connection, latest: Sequence[LatestRow]) -> None:
        if not latest:
            return
        rows = await fetch(connection, self._sql["raise_latest"], _latest_parameters(latest))
        payloads = list(live_payloads(series_id for (series_id,) in rows))
        if payloads:
            await connection.execute(self._sql["notify_live"], {"payloads": payloads})

    async def _keep_poison(self, connection: Connection, poison: Sequence[Poison]) -> None:
        for each in poison:
            reason = {"reason": each.reason, "detail": escape_text(each.detail)[:2000]}
            await connection.execute(self._sql["keep_poison"], _key_parameters(each.key) | reason)
        await self._settle(connection, [each.key for each in poison], "quarantined")

    async def _settle(self, connection: Connection, keys: Sequence[ClaimKey], state: str) -> None:
        if keys:
            parameters = _keys_parameters(keys) | {"state": state}
            await connection.execute(self._sql["settle"], parameters)


def _claim_key(row: Sequence[Any]) -> ClaimKey:
    site_id, edge_node_id, epoch, lane, seq, received_ms, _ = row
    return ClaimKey(EpochKey(site_id, edge_node_id, epoch), lane, seq, received_ms)


def _within_limit(claimed: Claimed) -> Claimed:
    """Return the first of ``claimed`` that fit one transaction; at least one if there is any."""
    samples = 0
    for count, (_, n) in enumerate(claimed):
        samples += n
        if count and samples > SAMPLES_PER_TRANSACTION_MAX:
            return claimed[:count]
    return claimed


def _epochs(claims: Sequence[Claim]) -> set[EpochKey]:
    return {claim.key.epoch_key for claim in claims}


def _contiguous_until(known: SeriesMap) -> int:
    """Return the number up to which nothing is missing, or 0 where that is not plain."""
    return len(known.ix) if len(known.ix) and known.ix[-1] == len(known.ix) else 0


def _extended(known: SeriesMap, rows: Sequence[Sequence[Any]]) -> SeriesMap:
    """Return ``known`` up to where the rows begin, then the rows."""
    kept = _contiguous_until(known)
    ix, series_id, value_type = zip(*rows, strict=True)
    return SeriesMap(
        np.concatenate([known.ix[:kept], np.array(ix, np.uint32)]),
        np.concatenate([known.series_id[:kept], np.array(series_id, np.int32)]),
        np.concatenate([known.value_type[:kept], np.array(value_type, np.uint8)]),
    )


def _key_parameters(key: ClaimKey) -> Row:
    return {
        "site_id": key.epoch_key.site_id,
        "edge_node_id": key.epoch_key.edge_node_id,
        "epoch": key.epoch_key.epoch,
        "lane": key.lane,
        "seq": key.seq,
        "received_at": Instant(key.received_ms),
    }


def _keys_parameters(keys: Sequence[ClaimKey]) -> Row:
    received = [Instant(key.received_ms) for key in keys]
    return {
        "site_ids": [key.epoch_key.site_id for key in keys],
        "edge_node_ids": [key.epoch_key.edge_node_id for key in keys],
        "epochs": [key.epoch_key.epoch for key in keys],
        "lanes": [key.lane for key in keys],
        "seqs": [key.seq for key in keys],
        "received_ats": received,
        "received_first": min(received),
        "received_last": max(received),
    }


def _latest_parameters(latest: Sequence[LatestRow]) -> Row:
    values = [row.value for row in latest]
    return {
        "site_ids": [row.site_id for row in latest],
        "series_ids": [row.series_id for row in latest],
        "ts": [Instant(row.ts_ms) for row in latest],
        "ranked_at": [Instant(row.ranked_ms) for row in latest],
        "v": [value if isinstance(value, float) else None for value in values],
        "i": [int(value) if isinstance(value, int) else None for value in values],
        "q": [row.quality - 65_536 if row.quality > 32_767 else row.quality for row in latest],
        "s": [escape_text(value) if isinstance(value, str) else None for value in values],
    }
