"""Rows of the series catalogue: in every segment, and a second copy in meta.db.

Each has a checksum. A changed letter in a name would put the samples of one sensor under another:
a row that is not what was written is as good as none.
"""

import zlib
from collections.abc import Iterable

from edge.log.database import Database, typed_row

SeriesRow = tuple[int, str, str, str, str, int]  # ix, kind, asset_id, metric, unit, value_type

SERIES_TABLE = """
CREATE TABLE series(ix INTEGER PRIMARY KEY, kind TEXT NOT NULL, asset_id TEXT NOT NULL,
    metric TEXT NOT NULL, unit TEXT NOT NULL, value_type INTEGER NOT NULL,
    crc32 INTEGER NOT NULL) STRICT;
"""
_TYPES = (int, str, str, str, str, int, int)


def insert_series(database: Database, rows: Iterable[SeriesRow]) -> None:
    """Add rows inside a transaction of the caller; what is there already stays."""
    database.execute_many(
        "INSERT OR IGNORE INTO series VALUES(?, ?, ?, ?, ?, ?, ?)",
        ((*row, _checksum(row)) for row in rows),
    )


def read_series(database: Database) -> list[SeriesRow]:
    """Return the rows that are what was written; errors as `Database`."""
    found: list[SeriesRow] = []
    for row in database.rows(
        "SELECT ix, kind, asset_id, metric, unit, value_type, crc32 FROM series ORDER BY ix"
    ):
        ix, kind, asset_id, metric, unit, value_type, crc32 = typed_row(database.file, row, _TYPES)
        series: SeriesRow = (ix, kind, asset_id, metric, unit, value_type)
        if _checksum(series) == crc32:
            found.append(series)
    return found


def _checksum(row: SeriesRow) -> int:
    return zlib.crc32("\0".join(map(str, row)).encode())
