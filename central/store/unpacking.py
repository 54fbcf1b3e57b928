"""Moves batches from the inbox into partitions. Owns the unpacking transaction.

Claim, copy, newest values, the flip to `applied` and the notification are one transaction: after
a crash of anyone at any moment a batch has either been unpacked or is there as before.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any, Final

from central.errors import DataRefusedError, StoreError
from central.store.claims import Applied, Claim, ClaimKey, EpochKey, Prepare, Prepared
from central.store.database import Connection, Database, fetch
from central.store.keeping import key_parameters, keys_parameters, settle
from central.store.queries import load_queries
from central.store.sample_writer import SampleWriter
from central.store.series_maps import SeriesMaps
from central.store.sifting import write_what_fits
from central.store.turns import EdgeKey, Round, dealt, next_round
from shared.clock import Clock

# Samples of one transaction: a few tenths of a second. Live values behind a backlog wait no longer,
# and DDL that needs the inbox for a moment gets its turn. A larger batch goes alone.
SAMPLES_PER_TRANSACTION_MAX: Final = 100_000

Claimed = list[tuple[ClaimKey, int]]  # key and number of samples


class Unpacking:
    """The database side of one unpacker; any number may work on one inbox."""

    def __init__(self, database: Database, clock: Clock, prepare: Prepare) -> None:
        self._database = database
        self._prepare = prepare
        self._writer = SampleWriter(database, clock)
        self._maps = SeriesMaps()
        self._claims = cycle(("claim_newest", "claim_oldest"))
        self._last_served: EdgeKey | None = None
        self._sql = load_queries("unpack")

    async def apply_next(self, *, batches_max: int) -> Applied:
        """Unpack up to ``batches_max`` batches; empty when nothing is waiting.

        What is urgent first. Then every edge that has something waiting gets its part, in turns:
        of each by turns those that it has taken in last and those that came here first. What is
        recorded now is shown at once, and no clock that runs ahead keeps the past from its turn.
        What can never be applied goes to quarantine, row by row where that is possible, and stops
        nothing.

        Raises:
            StoreError: nothing of the last transaction was done; try again.
        """
        claimed: Claimed = []
        try:
            try:
                urgent = await self._apply_urgent(claimed, batches_max)
                if urgent:
                    return replace(urgent, more=True)  # nobody looked behind them
                return await self._apply_round(claimed, batches_max)
            except DataRefusedError:
                # One holds what PostgreSQL will not take: alone, each shows whether it is it.
                return await self._apply_each([key for key, _ in claimed])
        except StoreError:
            self._writer.forget()
            raise

    async def _apply_urgent(self, claimed: Claimed, batches_max: int) -> Applied:
        """Claim what is urgent, fill ``claimed``, apply; one transaction."""
        async with self._database.transaction() as connection:
            limit = {"batches_max": batches_max}
            rows = await fetch(connection, self._sql["claim_urgent"], limit)
            claimed += _within_limit([_claimed(row) for row in rows])
            if not claimed:
                return Applied()
            prepared, applied = await self._apply(connection, claimed)
        return Applied(applied, prepared.rows, prepared.poison, prepared.parked)

    async def _apply_round(self, claimed: Claimed, batches_max: int) -> Applied:
        """Claim in turns, fill ``claimed``, apply; one transaction."""
        async with self._database.transaction() as connection:
            waiting = await fetch(connection, self._sql["edges_waiting"], {})
            edges = [EdgeKey(*row) for row in waiting]
            turns = next_round(edges, self._last_served, batches_max)
            rows = await self._claim(connection, turns)
            claimed += _within_limit(rows)
            if not claimed:
                return Applied()
            prepared, applied = await self._apply(connection, claimed)
        last = claimed[-1][0].epoch_key
        self._last_served = EdgeKey(last.site_id, last.edge_node_id)
        return Applied(
            applied,
            prepared.rows,
            quarantined=prepared.poison,
            parked=prepared.parked,
            more=turns.is_partial or len(claimed) < len(rows) or _is_any_cut(rows, turns),
        )

    async def _claim(self, connection: Connection, turns: Round) -> Claimed:
        if not turns.edges:
            return []
        parameters = {
            "site_ids": [edge.site_id for edge in turns.edges],
            "edge_node_ids": [edge.edge_node_id for edge in turns.edges],
            "batches_each": turns.batches_each,
        }
        rows = await fetch(connection, self._sql[next(self._claims)], parameters)
        return [row for _, row in dealt([(EdgeKey(*row[:2]), _claimed(row)) for row in rows])]

    async def _apply(self, connection: Connection, claimed: Claimed) -> tuple[Prepared, int]:
        claims = await self._read(connection, claimed)
        maps = await self._maps.of(connection, {claim.key.epoch_key for claim in claims})
        # Decoding holds the processor, not the loop: heartbeats and listening go on.
        prepared = await asyncio.to_thread(self._prepare, claims, maps)
        await self._writer.write(connection, prepared)
        return prepared, await settle(connection, claims, prepared)

    async def _apply_each(self, keys: Sequence[ClaimKey]) -> Applied:
        done = Applied(more=True)  # nobody looked behind them
        for key in keys:
            try:
                done += await self._apply_one(key, sift=False)
            except DataRefusedError:
                done += await self._apply_one(key, sift=True)
        return done

    async def _apply_one(self, key: ClaimKey, *, sift: bool) -> Applied:
        """Apply one batch; with ``sift`` those of its rows that the server takes."""
        async with self._database.transaction() as connection:
            rows = await fetch(connection, self._sql["claim_one"], key_parameters(key))
            if not rows:
                return Applied()  # another unpacker was faster
            if sift:
                (claim,) = await self._read(connection, [_claimed(rows[0])])
                maps = await self._maps.of(connection, {key.epoch_key})
                prepared = await write_what_fits(
                    connection, claim, maps, prepare=self._prepare, writer=self._writer
                )
                applied = await settle(connection, [claim], prepared)
            else:
                prepared, applied = await self._apply(connection, [_claimed(rows[0])])
        return Applied(applied, prepared.rows, prepared.poison, prepared.parked)

    async def _read(self, connection: Connection, claimed: Claimed) -> list[Claim]:
        keys = [key for key, _ in claimed]
        rows = await fetch(connection, self._sql["bodies"], keys_parameters(keys))
        return [
            Claim(key, n, recv_max_ms, body)
            for (key, n), (recv_max_ms, body) in zip(claimed, rows, strict=True)
        ]


def _claimed(row: Sequence[Any]) -> tuple[ClaimKey, int]:
    site_id, edge_node_id, epoch, lane, seq, received_ms, n = row
    return ClaimKey(EpochKey(site_id, edge_node_id, epoch), lane, seq, received_ms), n


def _within_limit(claimed: Claimed) -> Claimed:
    """Return the first of ``claimed`` that fit one transaction; at least one if there is any."""
    samples = 0
    for count, (_, n) in enumerate(claimed):
        samples += n
        if count and samples > SAMPLES_PER_TRANSACTION_MAX:
            return claimed[:count]
    return claimed


def _is_any_cut(rows: Claimed, turns: Round) -> bool:
    """Tell whether an edge had as many as it may claim: more of it may be waiting."""
    counts: dict[EpochKey, int] = {}
    for key, _ in rows:
        counts[key.epoch_key] = counts.get(key.epoch_key, 0) + 1
    return any(count >= turns.batches_each for count in counts.values())
