"""Tries again what was kept aside or parked. Owns the transaction that applies it after all.

The rows, the state of the entry and the state of the batch change in one transaction: whatever
dies at whatever moment, each row is in `sample` once or kept aside.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from central.store.claims import Claim, ClaimKey, EpochKey, Prepare, Prepared
from central.store.database import Connection, Database, fetch
from central.store.instants import Instant
from central.store.keeping import DETAIL_LENGTH_MAX, key_parameters, packed, unpacked
from central.store.queries import load_queries
from central.store.sample_writer import SampleWriter
from central.store.series_maps import SeriesMaps
from central.store.sifting import write_what_fits
from central.store.text_escape import escape_text
from shared.clock import Clock
from shared.version import installed_version

# Entries of another version's that one call tries: a moment's work, then others get their turn.
SECOND_LOOK_ENTRIES_MAX: Final = 20

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Released:
    """What one call did; all of it is committed."""

    rows: int = 0  # now in `sample`
    still_held: int = 0  # rows that were tried and are still refused
    unparked: int = 0  # batches that the unpackers will take up again

    def __add__(self, other: "Released") -> "Released":
        return Released(
            self.rows + other.rows,
            self.still_held + other.still_held,
            self.unparked + other.unparked,
        )


class Releasing:
    """Releases entries; any number may do so at once."""

    def __init__(self, database: Database, clock: Clock, prepare: Prepare) -> None:
        self._database = database
        self._clock = clock
        self._prepare = prepare
        self._sql = load_queries("quarantine")
        self._started: Instant | None = None

    async def release(self, entry_ids: Iterable[str]) -> Released:
        """Try these entries again, each in a transaction of its own; unknown ones do nothing.

        Raises:
            StoreError: not now; what was done stays done.
            ValueError: if an id is neither a number nor site/edge/epoch/lane/seq.
        """
        done = Released()
        for entry_id in entry_ids:
            if entry_id.isdecimal():
                done += await self._release(int(entry_id))
            else:
                done += await self._unpark("unpark_one", _parked_parameters(entry_id))
        return done

    async def second_look(self) -> Released:
        """Try again what may be understood by now.

        What a program of another version refused or parked, once in the life of this one; and what
        waited for a series that is known.

        Raises:
            StoreError: not now; what was done stays done.
        """
        if self._started is None:
            self._started = Instant((await self._database.rows(self._sql["now"], {}))[0][0])
        asked: Row = {
            "started_at": self._started,
            "version": installed_version(),
            "limit": SECOND_LOOK_ENTRIES_MAX,
        }
        done = await self._unpark("unpark", asked)
        for (quarantine_id,) in await self._database.rows(self._sql["judged_by_others"], asked):
            done += await self._release(quarantine_id)
        return done

    async def _unpark(self, query: str, asked: Row) -> Released:
        found = await self._database.rows(self._sql[query], asked)
        if found:
            await self._database.rows(load_queries("inbox")["announce"], {})
        return Released(unparked=len(found))

    async def _release(self, quarantine_id: int) -> Released:
        entry: Row = {"quarantine_id": quarantine_id, "judged_by": installed_version()}
        async with self._database.transaction() as connection:
            found = await fetch(connection, self._sql["claim"], entry)
            if not found:
                return Released()  # released already, or another one has it in hand
            claim = _claim(found[0])
            # The catalogue is read anew: repairing it may be what is to help.
            maps = await SeriesMaps().of(connection, {claim.key.epoch_key})
            prepared = await write_what_fits(
                connection,
                claim,
                maps,
                prepare=self._prepare,
                writer=SampleWriter(self._database, self._clock),
            )
            return await self._settle(connection, entry, claim, prepared)

    async def _settle(
        self, connection: Connection, entry: Row, claim: Claim, prepared: Prepared
    ) -> Released:
        if prepared.rows:
            await connection.execute(self._sql["applied_after_all"], key_parameters(claim.key))
        if not prepared.poison and not prepared.parked:
            await connection.execute(self._sql["released"], entry)
            return Released(prepared.rows)
        left = entry | _left(claim, prepared)
        await connection.execute(self._sql["still_held"], left)
        asked = claim.n if claim.rows is None else int(np.count_nonzero(claim.rows))
        return Released(prepared.rows, asked - prepared.rows)


def _left(claim: Claim, prepared: Prepared) -> Row:
    """Return what is left of an entry: all that is still refused, under the first reason."""
    first = (*prepared.poison, *prepared.parked)[0]
    rows = claim.rows
    if not prepared.parked and all(poison.rows is not None for poison in prepared.poison):
        sets = [poison.rows for poison in prepared.poison if poison.rows is not None]
        rows = np.logical_or.reduce(sets)
    return {
        "reason": first.reason,
        "detail": escape_text(first.detail)[:DETAIL_LENGTH_MAX],
        "bad_rows": packed(rows),
        "bad_count": None if rows is None else int(np.count_nonzero(rows)),
    }


def _claim(row: Any) -> Claim:
    site_id, edge_node_id, epoch, lane, seq, received_ms, n, recv_max_ms, body, bits = row
    key = ClaimKey(EpochKey(site_id, edge_node_id, epoch), lane, seq, received_ms)
    return Claim(key, n, recv_max_ms, body, unpacked(bits, n))


def _parked_parameters(entry_id: str) -> Row:
    parts = entry_id.split("/")
    if len(parts) != 5 or not all(number.isdecimal() for number in parts[2:]):
        raise ValueError(f"expected a number or site/edge/epoch/lane/seq, got {entry_id[:200]!r}")
    site, edge = parts[:2]
    epoch, lane, seq = map(int, parts[2:])
    return {"site": site, "edge": edge, "epoch": epoch, "lane": lane, "seq": seq}
