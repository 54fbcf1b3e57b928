"""The hash chain over a lane: each batch vouches for the whole of the one before it. Pure."""

import hashlib
import struct
import zlib
from dataclasses import dataclass

CHAIN_START = bytes(32)  # what the first batch of a lane, or after a loss, has before it
_LINK = struct.Struct(">16sBQIqqqqI32s32s")


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
    sha256: bytes
    prev_hash: bytes
    crc32: int
    body: bytes


def link(install_uuid: str, lane: int, row: BatchRow) -> bytes:
    """Return the hash that the batch after ``row`` carries: over identity, facts and contents."""
    packed = _LINK.pack(
        bytes.fromhex(install_uuid),
        lane,
        row.seq,
        row.n,
        row.t_min_ms,
        row.t_max_ms,
        row.recv_min_ms,
        row.recv_max_ms,
        row.series_count,
        row.prev_hash,
        row.sha256,
    )
    return hashlib.sha256(packed).digest()


def is_intact(row: BatchRow) -> bool:
    """Tell whether the body is what was written, by checksum and by hash."""
    return zlib.crc32(row.body) == row.crc32 and hashlib.sha256(row.body).digest() == row.sha256
