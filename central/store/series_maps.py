"""What series numbers mean, remembered by epoch. Owns the unpacker's memory of the catalogue."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from central.store.claims import EpochKey, SeriesMap
from central.store.database import Connection, fetch
from central.store.queries import load_queries

_EMPTY = SeriesMap(np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.uint8))


class SeriesMaps:
    """The maps of all epochs asked for so far; they only grow, as the catalogue does."""

    def __init__(self) -> None:
        self._maps: dict[EpochKey, SeriesMap] = {}
        self._sql = load_queries("series")

    async def of(self, connection: Connection, keys: set[EpochKey]) -> dict[EpochKey, SeriesMap]:
        """Return the maps of ``keys`` with what was added since the last time.

        Raises:
            StoreError: not now.
        """
        return {key: await self._map(connection, key) for key in keys}

    async def _map(self, connection: Connection, key: EpochKey) -> SeriesMap:
        known = self._maps.get(key, _EMPTY)
        parameters = {
            "site_key": key.site_id,
            "edge_key": key.edge_node_id,
            "epoch": key.epoch,
            "after_ix": _contiguous_until(known),
        }
        rows = await fetch(connection, self._sql["meanings"], parameters)
        if rows:
            known = _extended(known, rows)
            self._maps[key] = known
        return known


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
