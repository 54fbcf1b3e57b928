"""What central keeps aside, as people see it. Owns listing and showing, no change."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from central.store.database import Database
from central.store.keeping import unpacked
from central.store.queries import load_queries
from shared.codec.body import decode_body
from shared.codec.columns import SampleColumns
from shared.domain.samples import Value, ValueType
from shared.errors import CodecError

ENTRIES_MAX = 10_000  # of one listing


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """Rows of one batch, or all of it, that are not in `sample`, and why."""

    entry_id: str  # a number, or site/edge/epoch/lane/seq of a parked batch
    state: str  # held, released or parked
    site: str
    edge: str
    epoch: int
    lane: int
    seq: int
    reason: str
    detail: str
    rows: int  # how many of the batch it concerns
    batch_rows: int
    since_ms: int
    judged_by: str | None  # version of the program


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One sample that is kept aside."""

    series: str  # kind/id/metric, or the edge's number where that was never declared
    ts_ms: int
    value: Value
    quality: int


@dataclass(frozen=True, slots=True)
class HeldBody:
    """Everything that is kept of one entry."""

    body: bytes  # of the whole batch, verbatim
    rows: list[HeldRow]  # those that the entry concerns; empty where the body cannot be read


class Quarantine:
    """Reads `sync_quarantine` and the parked part of the inbox.

    Every method raises StoreError while the server is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_queries("quarantine")

    async def entries(
        self,
        *,
        site: str | None = None,
        reason: str | None = None,
        with_released: bool = False,
        limit: int = ENTRIES_MAX,
    ) -> list[HeldEntry]:
        """Return what is kept aside, then what is parked; the newest of each first."""
        asked: dict[str, Any] = {
            "site": site,
            "reason": reason,
            "with_released": with_released,
            "ids": None,
            "limit": limit,
        }
        rows = await self._database.rows(self._sql["held"], asked)
        rows += await self._database.rows(self._sql["parked"], asked)
        return [_entry(row) for row in rows]

    async def entry(self, quarantine_id: int) -> HeldEntry | None:
        """Return one entry that is or was kept aside; None if there is no such number."""
        asked: dict[str, Any] = {
            "site": None,
            "reason": None,
            "with_released": True,
            "ids": [quarantine_id],
            "limit": 1,
        }
        rows = await self._database.rows(self._sql["held"], asked)
        return _entry(rows[0]) if rows else None

    async def body(self, quarantine_id: int, *, rows_max: int) -> HeldBody | None:
        """Return what is kept of an entry, at most ``rows_max`` of its rows; None if unknown."""
        found = await self._database.rows(self._sql["body"], {"quarantine_id": quarantine_id})
        if not found:
            return None
        n, bits, body, names = found[0]
        try:
            columns = decode_body(body, strict_text=False)
        except CodecError:
            return HeldBody(body, [])
        chosen = unpacked(bits, n)
        picked = range(len(columns.ts_ms)) if chosen is None else np.flatnonzero(chosen).tolist()
        return HeldBody(body, [_row(columns, at, names or {}) for at in picked[:rows_max]])


def _entry(row: Any) -> HeldEntry:
    number, state, site, edge, epoch, lane, seq, reason, detail, rows, n, since_ms, judged_by = row
    entry_id = f"{site}/{edge}/{epoch}/{lane}/{seq}" if number is None else str(number)
    return HeldEntry(
        entry_id, state, site, edge, epoch, lane, seq, reason, detail, rows, n, since_ms, judged_by
    )


def _row(columns: SampleColumns, at: int, names: dict[str, str]) -> HeldRow:
    series = int(np.searchsorted(np.cumsum(columns.count), at, side="right"))
    value_type = ValueType(columns.value_type[series])
    # How many values of the same type stand before it, whatever series they are of.
    before = columns.value_type[: series + 1] == value_type
    first = int(columns.count[:series].sum())
    place = int(columns.count[: series + 1][before].sum()) - int(columns.count[series])
    ix = int(columns.series_ix[series])
    return HeldRow(
        series=names.get(str(ix), f"number {ix}"),
        ts_ms=int(columns.ts_ms[at]),
        value=_value(columns, value_type, place + at - first),
        quality=int(columns.quality[at]),
    )


def _value(columns: SampleColumns, value_type: ValueType, place: int) -> Value:
    match value_type:
        case ValueType.NUMBER:
            return float(columns.number[place])
        case ValueType.INTEGER:
            return int(columns.integer[place])
        case ValueType.FLAG:
            return bool(columns.flag[place])
        case ValueType.TEXT:
            return columns.text[place]
