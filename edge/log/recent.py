"""The bytes of the deduplication tail: which device messages were seen lately. Pure.

Three columns of int64 (source, sequence number or hash, device time), each as differences to the
one before, bytes transposed so that equal high bytes stand together, then zstd. About 4 bytes a
message instead of 24.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import zstandard
from numpy.typing import NDArray

from edge.errors import LogDamagedError

MESSAGES_MIN = 200_000  # 40 s at 5,000 messages a second: longer than any broker's redelivery
MESSAGES_MAX = 250_000  # pruned back to the minimum when reached, so not at every commit

Columns = NDArray[np.int64]  # shape (3, n): source_ix, mark, ts_ms

_FORMAT = 1
_HEAD = struct.Struct("<BII")  # format, number of messages, crc32 of it and what follows
_COLUMNS = 3
_ITEM_BYTES = 8
_COMPRESSION_LEVEL = 1  # the bytes live for a minute; higher levels gain 3 % for twice the time


NOTHING_SEEN: Columns = np.zeros((_COLUMNS, 0), np.int64)


def columns_of(seen: Sequence[tuple[int, int, int]]) -> Columns:
    """Return the messages as columns.

    Raises:
        ValueError: if an entry is not three int64.
    """
    try:
        columns = np.array(seen, dtype=np.int64).reshape(len(seen), _COLUMNS).T
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"seen: expected (source_ix, mark, ts_ms) as int64: {error}") from error
    return np.ascontiguousarray(columns)


def encode_tail(columns: Columns) -> bytes:
    """Return the bytes of ``columns``."""
    differences = np.diff(columns, axis=1, prepend=np.int64(0))
    planes = np.ascontiguousarray(differences).view(np.uint8).reshape(-1, _ITEM_BYTES).T
    packed = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(planes.tobytes())
    count = columns.shape[1]
    return _HEAD.pack(_FORMAT, count, zlib.crc32(packed, count)) + packed


def decode_tail(encoded: bytes) -> Columns:
    """Return the columns of `encode_tail`.

    Raises:
        LogDamagedError: if ``encoded`` is not what `encode_tail` gave.
    """
    try:
        form, count, crc32 = _HEAD.unpack_from(encoded)
        packed = encoded[_HEAD.size :]
        size_bytes = count * _COLUMNS * _ITEM_BYTES
        if form != _FORMAT or count > MESSAGES_MAX * 2 or zlib.crc32(packed, count) != crc32:
            raise LogDamagedError("deduplication tail: checksum or format is wrong")
        raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size_bytes)
        planes = np.frombuffer(raw, dtype=np.uint8).reshape(_ITEM_BYTES, _COLUMNS * count)
    except (struct.error, zstandard.ZstdError, ValueError) as error:
        raise LogDamagedError(f"deduplication tail: {error}") from error
    differences = np.ascontiguousarray(planes.T).view(np.int64).reshape(_COLUMNS, count)
    return np.cumsum(differences, axis=1, dtype=np.int64)


def merge_tails(parts: Sequence[Columns]) -> Columns:
    """Return the messages of all parts in order; no parts give no messages."""
    return np.concatenate([NOTHING_SEEN, *parts], axis=1)
