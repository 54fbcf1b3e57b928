"""The hash chain over a lane: each batch vouches for the whole of the one before it. Pure."""

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace

from edge.log.grouping import EncodedBatch

HASH_BYTES = 32
CHAIN_START = bytes(HASH_BYTES)  # what the first batch of a lane, or after a loss, has before it
_FACTS = struct.Struct(">QIqqqqI32s32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One row of a segment, body included.

    ``series_count`` is the size of the catalogue when it was written, so that what is left of a
    damaged log still knows which series numbers were given away.
    """

    seq: int
    n: int
    t_min_ms: int
    t_max_ms: int
    recv_min_ms: int
    recv_max_ms: int
    series_count: int
    sha256: bytes  # of the body
    prev_hash: bytes
    crc32: int  # of all of the row, see `checksum`
    body: bytes


def chained_row(batch: EncodedBatch, *, seq: int, series_count: int, prev_hash: bytes) -> BatchRow:
    """Return the row that stores ``batch`` in its place."""
    row = BatchRow(
        seq=seq,
        n=batch.n,
        t_min_ms=batch.t_min_ms,
        t_max_ms=batch.t_max_ms,
        recv_min_ms=batch.recv_min_ms,
        recv_max_ms=batch.recv_max_ms,
        series_count=series_count,
        sha256=batch.sha256,
        prev_hash=prev_hash,
        crc32=0,
        body=batch.body,
    )
    return replace(row, crc32=checksum(row))


def link(install_uuid: str, lane: int, row: BatchRow) -> bytes:
    """Return the hash that the batch after ``row`` carries: over identity, facts and contents."""
    return hashlib.sha256(bytes.fromhex(install_uuid) + bytes([lane]) + _facts(row)).digest()


def checksum(row: BatchRow) -> int:
    """Return the CRC-32 over every column of the row but ``crc32`` itself."""
    return zlib.crc32(row.body, zlib.crc32(_facts(row)))


def is_intact(row: BatchRow) -> bool:
    """Tell whether the row is what was written, by checksum and by the body's hash."""
    return checksum(row) == row.crc32 and hashlib.sha256(row.body).digest() == row.sha256


def _facts(row: BatchRow) -> bytes:
    return _FACTS.pack(
        row.seq,
        row.n,
        row.t_min_ms,
        row.t_max_ms,
        row.recv_min_ms,
        row.recv_max_ms,
        row.series_count,
        row.sha256,
        row.prev_hash,
    )
