"""Rows of `sample` in PostgreSQL's binary COPY format, built as whole arrays. Pure numpy.

Source: PostgreSQL documentation, COPY, "Binary Format". A row is the number of its fields (16
bits), then each field as its length in bytes (32 bits, -1 for NULL) and its bytes; big-endian
throughout. The fields are those of `COPY_COLUMNS`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from central.inbox.sample_table import SampleTable
from central.store.instants import POSTGRES_EPOCH_MS
from central.store.text_escape import escape_text
from shared.domain.samples import ValueType

COPY_START = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # signature, no flags, no header extension
COPY_END = b"\xff\xff"  # a row of -1 fields
COPY_COLUMNS = ("site_id", "series_id", "ts", "v", "i", "q", "s")
_NULL = -1

_HEAD = [
    ("fields", ">i2"),
    ("site_id_size", ">i4"),
    ("site_id", ">i4"),
    ("series_id_size", ">i4"),
    ("series_id", ">i4"),
    ("ts_size", ">i4"),
    ("ts", ">i8"),
]
_QUALITY = [("q_size", ">i4"), ("q", ">i2"), ("s_size", ">i4")]
_OF_NUMBER = np.dtype([*_HEAD, ("v_size", ">i4"), ("bits", ">i8"), ("i_size", ">i4"), *_QUALITY])
_OF_INTEGER = np.dtype([*_HEAD, ("v_size", ">i4"), ("i_size", ">i4"), ("bits", ">i8"), *_QUALITY])
_OF_TEXT = np.dtype([*_HEAD, ("v_size", ">i4"), ("i_size", ">i4"), *_QUALITY])


def copy_pieces(table: SampleTable) -> tuple[bytes, ...]:
    """Return one binary COPY of ``table``: all numbers, then integers and flags, then text."""
    return (
        COPY_START,
        _number_rows(table.where(ValueType.NUMBER)),
        _integer_rows(table.where(ValueType.INTEGER, ValueType.FLAG)),
        *_text_rows(table.where(ValueType.TEXT)),
        COPY_END,
    )


def _number_rows(table: SampleTable) -> bytes:
    rows = _filled(_OF_NUMBER, table)
    rows["v_size"], rows["bits"], rows["i_size"] = 8, table.bits, _NULL
    rows["s_size"] = _NULL
    return rows.tobytes()


def _integer_rows(table: SampleTable) -> bytes:
    rows = _filled(_OF_INTEGER, table)
    rows["v_size"], rows["i_size"], rows["bits"] = _NULL, 8, table.bits
    rows["s_size"] = _NULL
    return rows.tobytes()


def _text_rows(table: SampleTable) -> list[bytes]:
    """Return the rows and their texts in turn: what has no fixed size cannot be one array."""
    rows = _filled(_OF_TEXT, table)
    indices: list[int] = table.bits.tolist()
    texts = [escape_text(table.texts[index]).encode() for index in indices]
    rows["v_size"], rows["i_size"] = _NULL, _NULL
    rows["s_size"] = [len(text) for text in texts]
    heads, size = rows.tobytes(), _OF_TEXT.itemsize
    return [
        piece
        for index, text in enumerate(texts)
        for piece in (heads[index * size : (index + 1) * size], text)
    ]


def _filled(dtype: np.dtype[Any], table: SampleTable) -> NDArray[Any]:
    rows = np.empty(table.rows, dtype)
    rows["fields"] = len(COPY_COLUMNS)
    rows["site_id_size"], rows["site_id"] = 4, table.site_id
    rows["series_id_size"], rows["series_id"] = 4, table.series_id
    rows["ts_size"], rows["ts"] = 8, (table.ts_ms - POSTGRES_EPOCH_MS) * 1000
    rows["q_size"], rows["q"] = 2, table.quality.view(np.int16)  # 16 bits, whatever they mean
    return rows
