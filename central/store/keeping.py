"""What becomes of claimed batches that are not simply applied: kept aside, or parked.

Owns the rows of `sync_quarantine` and the state of `sync_batch`, within the caller's transaction.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from central.store.claims import Claim, ClaimKey, Parked, Poison, Prepared, RowSet
from central.store.database import Connection
from central.store.instants import Instant
from central.store.queries import load_queries
from central.store.text_escape import escape_text
from shared.version import installed_version

DETAIL_LENGTH_MAX = 2_000

Row = dict[str, Any]


def packed(rows: RowSet | None) -> bytes | None:
    """Return ``rows`` as `sync_quarantine` holds them: a bit a row, lowest first."""
    return None if rows is None else np.packbits(rows, bitorder="little").tobytes()


def unpacked(bits: bytes | None, n: int) -> RowSet | None:
    """Return what `packed` was given; ``n`` is how many samples the batch has."""
    if bits is None:
        return None
    found = np.unpackbits(np.frombuffer(bits, np.uint8), count=n, bitorder="little")
    return found.astype(np.bool_)


async def settle(connection: Connection, claims: Sequence[Claim], prepared: Prepared) -> int:
    """Keep poison, park what waits, flip every claim's state; return how many were applied.

    A batch of which some rows are good is applied; its bad rows are kept beside it.
    """
    await keep_poison(connection, prepared.poison)
    for parked in prepared.parked:
        await connection.execute(load_queries("unpack")["park"], _parked_parameters(parked))
    lost = _wholly_bad(prepared.poison)
    waiting = {parked.key for parked in prepared.parked}
    applied = [claim.key for claim in claims if claim.key not in lost | waiting]
    await _flip(connection, applied, "applied")
    await _flip(connection, sorted(lost), "quarantined")
    return len(applied)


def _wholly_bad(poison: Sequence[Poison]) -> set[ClaimKey]:
    """Return the batches of which no row is good."""
    good: dict[ClaimKey, RowSet] = {}
    lost = {each.key for each in poison if each.rows is None}
    for each in poison:
        if each.rows is not None:
            good[each.key] = good.get(each.key, np.ones_like(each.rows)) & ~each.rows
    return lost | {key for key, rows in good.items() if not rows.any()}


async def keep_poison(connection: Connection, poison: Sequence[Poison]) -> None:
    """Put entries into the quarantine, from the inbox, verbatim."""
    for each in poison:
        rows = None if each.rows is None else int(np.count_nonzero(each.rows))
        parameters = key_parameters(each.key) | {
            "reason": each.reason,
            "detail": escape_text(each.detail)[:DETAIL_LENGTH_MAX],
            "bad_rows": packed(each.rows),
            "bad_count": rows,
            "judged_by": installed_version(),
        }
        await connection.execute(load_queries("unpack")["keep_poison"], parameters)


async def _flip(connection: Connection, keys: Sequence[ClaimKey], state: str) -> None:
    if keys:
        parameters = keys_parameters(keys) | {"state": state}
        await connection.execute(load_queries("unpack")["settle"], parameters)


def _parked_parameters(parked: Parked) -> Row:
    return key_parameters(parked.key) | {
        "reason": parked.reason,
        "detail": escape_text(parked.detail)[:DETAIL_LENGTH_MAX],
        "series_ix": parked.series_ix,
        "judged_by": installed_version(),
    }


def key_parameters(key: ClaimKey) -> Row:
    """Return ``key`` as the queries name its parts."""
    return {
        "site_id": key.epoch_key.site_id,
        "edge_node_id": key.epoch_key.edge_node_id,
        "epoch": key.epoch_key.epoch,
        "lane": key.lane,
        "seq": key.seq,
        "received_at": Instant(key.received_ms),
    }


def keys_parameters(keys: Sequence[ClaimKey]) -> Row:
    """Return ``keys``, at least one, as the queries name their columns."""
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
