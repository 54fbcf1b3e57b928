"""Finds the rows of one batch that PostgreSQL will not take, and writes the others.

What the server refuses (SQLSTATE classes 22, 23 and their like) it refuses as a whole COPY. The
rows are halved, each half in a savepoint of its own, until those at fault stand alone.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.errors import DataRefusedError
from central.store.claims import Claim, EpochKey, Poison, Prepare, Prepared, RowSet, SeriesMap
from central.store.database import Connection
from central.store.failures import translated
from central.store.sample_writer import SampleWriter

# Parts refused before the rest of the search is given up: one bad row among 100,000 costs 18, a
# hundred of them 1,000. What is not found by then is kept aside with the bad rows around it.
REFUSED_PARTS_MAX: Final = 1_000


async def write_what_fits(
    connection: Connection,
    claim: Claim,
    maps: Mapping[EpochKey, SeriesMap],
    *,
    prepare: Prepare,
    writer: SampleWriter,
) -> Prepared:
    """Write all rows of ``claim`` that the server takes; return what came of the whole batch.

    Raises:
        StoreError: not now; nothing may be committed.
    """
    whole = await asyncio.to_thread(prepare, [claim], maps)
    waiting = [_good_rows(claim, whole)]
    refused = np.zeros(claim.n, np.bool_)
    detail, parts, written = "", 0, 0
    while waiting:
        rows = waiting.pop()
        part = await asyncio.to_thread(
            prepare, [replace(claim, rows=_row_set(rows, claim.n))], maps
        )
        try:
            with translated():
                async with connection.transaction():
                    await writer.write(connection, part)
            written += len(rows)
        except DataRefusedError as error:
            parts, detail = parts + 1, detail or str(error)
            if len(rows) == 1 or parts >= REFUSED_PARTS_MAX:
                refused[rows] = True
            else:
                waiting += np.array_split(rows, 2)[::-1]  # the first half is looked at first
    poison = (Poison(claim.key, "refused_by_database", detail, refused),) if refused.any() else ()
    return replace(whole, rows=written, poison=whole.poison + poison)


def _good_rows(claim: Claim, whole: Prepared) -> NDArray[np.intp]:
    """Return the numbers of the rows that `prepare` finds nothing wrong with."""
    if not whole.rows and not whole.records:
        return np.empty(0, np.intp)
    good = np.ones(claim.n, np.bool_) if claim.rows is None else claim.rows.copy()
    for poison in whole.poison:
        if poison.rows is not None:
            good &= ~poison.rows
    return np.flatnonzero(good)


def _row_set(rows: NDArray[np.intp], n: int) -> RowSet:
    found = np.zeros(n, np.bool_)
    found[rows] = True
    return found
