"""Finding batches in the raw pages of a damaged segment, past any damage to SQLite's structures.

Every batch carries the hash of its body, so a row found anywhere can be trusted or not on its own.
Follows https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (records) and 4
(the write-ahead log). Reads files; writes nothing.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.log.chain import BatchRow, is_intact
from edge.log.database import PAGE_SIZE_BYTES
from edge.log.layout import wal_of

_FILE_HEADER_BYTES = 100  # at the start of page 1, before its b-tree header
_LEAF_TABLE_PAGE = 0x0D
_LEAF_HEADER_BYTES = 8
_WAL_HEADER_BYTES = 32
_FRAME_HEADER = struct.Struct(">II8s8x")  # page number, commit size, salts, checksums
_LOCAL_MAX_BYTES = PAGE_SIZE_BYTES - 35  # 1.6: what a leaf cell keeps without overflow
_LOCAL_MIN_BYTES = (PAGE_SIZE_BYTES - 12) * 32 // 255 - 23
_OVERFLOW_DATA_BYTES = PAGE_SIZE_BYTES - 4
_PAYLOAD_MAX_BYTES = 2_097_152  # a body of the largest size and all other columns
_COLUMNS = 11
_HASH_BYTES = 32
_INTEGER_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # 2.1: serial types of integers


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a database file and of the committed part of its write-ahead log."""

    file: Path
    frames: Sequence[tuple[int, int]]  # (page number, place in the write-ahead log), oldest first

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Yield every version of every page with its number."""
        if self.frames:
            with wal_of(self.file).open("rb") as wal:
                for number, place in self.frames:
                    wal.seek(place)
                    yield number, wal.read(PAGE_SIZE_BYTES)
        with self.file.open("rb") as stream:
            number = 1
            while page := stream.read(PAGE_SIZE_BYTES):
                yield number, page
                number += 1

    def newest(self, number: int) -> bytes:
        """Return the newest version of a page; empty when there is none."""
        for framed, place in reversed(self.frames):
            if framed == number:
                return _read_at(wal_of(self.file), place)
        return _read_at(self.file, (number - 1) * PAGE_SIZE_BYTES)


def carved_batches(file: Path) -> Iterator[BatchRow]:
    """Yield the intact batches found in a segment file; the same one may come more than once."""
    pages = Pages(file, _committed_frames(wal_of(file)))
    for number, page in pages.all():
        for cell in _cells(page, _FILE_HEADER_BYTES if number == 1 else 0):
            row = _row(_payload(page, cell, pages), cell.rowid)
            if row is not None and is_intact(row):
                yield row


def _read_at(file: Path, place: int) -> bytes:
    with file.open("rb") as stream:
        stream.seek(place)
        return stream.read(PAGE_SIZE_BYTES)


def _committed_frames(wal: Path) -> list[tuple[int, int]]:
    """Return the frames of the write-ahead log up to the last commit, wherever they are damaged.

    Checksums are not looked at: the frames after a damaged one are as good as those before it.
    Frames of an earlier round, which have other salts than the first, are in the file already.
    """
    committed: list[tuple[int, int]] = []
    if not wal.exists():
        return committed
    with wal.open("rb") as stream:
        stream.seek(_WAL_HEADER_BYTES)
        salts: bytes | None = None
        pending: list[tuple[int, int]] = []
        while len(head := stream.read(_FRAME_HEADER.size)) == _FRAME_HEADER.size:
            number, committed_pages, frame_salts = _FRAME_HEADER.unpack(head)
            salts = salts or frame_salts
            if frame_salts == salts:
                pending.append((number, stream.tell()))
                if committed_pages:
                    committed += pending
                    pending = []
            stream.seek(PAGE_SIZE_BYTES, 1)
    return committed


@dataclass(frozen=True, slots=True)
class _Cell:
    rowid: int
    size_bytes: int
    place: int  # of its first byte of payload in the page


def _cells(page: bytes, offset: int) -> Iterator[_Cell]:
    if len(page) != PAGE_SIZE_BYTES or page[offset] != _LEAF_TABLE_PAGE:
        return
    (count,) = struct.unpack_from(">H", page, offset + 3)
    first = offset + _LEAF_HEADER_BYTES
    for place in range(first, min(first + 2 * count, PAGE_SIZE_BYTES - 1), 2):
        (pointer,) = struct.unpack_from(">H", page, place)
        size_bytes, position = _varint(page, pointer)
        rowid, position = _varint(page, position)
        if 0 < size_bytes <= _PAYLOAD_MAX_BYTES and rowid > 0:
            yield _Cell(rowid, size_bytes, position)


def _payload(page: bytes, cell: _Cell, pages: Pages) -> bytes:
    """Return the cell's payload, its overflow pages included; shorter when they are not there."""
    if cell.size_bytes <= _LOCAL_MAX_BYTES:
        return page[cell.place : cell.place + cell.size_bytes]
    local = _LOCAL_MIN_BYTES + (cell.size_bytes - _LOCAL_MIN_BYTES) % _OVERFLOW_DATA_BYTES
    if local > _LOCAL_MAX_BYTES:
        local = _LOCAL_MIN_BYTES
    payload = bytearray(page[cell.place : cell.place + local])
    following = page[cell.place + local : cell.place + local + 4]
    while len(payload) < cell.size_bytes and len(following) == 4 and any(following):
        overflow = pages.newest(int.from_bytes(following, "big"))
        if not overflow:
            break
        following = overflow[:4]
        payload += overflow[4 : 4 + cell.size_bytes - len(payload)]
    return bytes(payload)


def _row(payload: bytes, rowid: int) -> BatchRow | None:
    """Return the batch in a record, or None when it is a record of another table or damaged."""
    head_size, position = _varint(payload, 0)
    types: list[int] = []
    while position < min(head_size, len(payload)):
        serial_type, position = _varint(payload, position)
        types.append(serial_type)
    hash_type = _HASH_BYTES * 2 + 12
    if len(types) != _COLUMNS or types[7:9] != [hash_type, hash_type] or types[10] < 12:
        return None
    columns = [_column(payload, *place) for place in _places(types, head_size)]
    numbers = [column for column in (*columns[1:7], columns[9]) if isinstance(column, int)]
    sha256, prev_hash, body = columns[7], columns[8], columns[10]
    if len(numbers) != 7 or not isinstance(body, bytes):
        return None
    assert isinstance(sha256, bytes), "its serial type was looked at"
    assert isinstance(prev_hash, bytes), "its serial type was looked at"
    n, t_min, t_max, recv_min, recv_max, series_count, crc32 = numbers
    return BatchRow(
        seq=rowid,
        n=n,
        t_min_ms=t_min,
        t_max_ms=t_max,
        recv_min_ms=recv_min,
        recv_max_ms=recv_max,
        series_count=series_count,
        sha256=sha256,
        prev_hash=prev_hash,
        crc32=crc32,
        body=body,
    )


def _places(types: list[int], first: int) -> Iterator[tuple[int, int, int]]:
    """Yield (serial type, place, size) of each column."""
    place = first
    for serial_type in types:
        size = (serial_type - 12) // 2 if serial_type >= 12 else _INTEGER_SIZES.get(serial_type, 0)
        yield serial_type, place, size
        place += size


def _column(payload: bytes, serial_type: int, place: int, size: int) -> int | bytes | None:
    if serial_type in {8, 9}:
        return serial_type - 8
    if serial_type in _INTEGER_SIZES:
        return int.from_bytes(payload[place : place + size], "big", signed=True)
    if serial_type >= 12 and serial_type % 2 == 0:
        return payload[place : place + size]
    return None


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return the number at ``place`` and where the next begins; (0, …) past the end of the data."""
    value = 0
    for index, byte in enumerate(data[place : place + 8]):
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + index + 1
    last = data[place + 8 : place + 9]
    return (value << 8 | last[0], place + 9) if last else (0, len(data))
