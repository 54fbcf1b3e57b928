"""The body of a batch: all columns in one compressed, versioned, self-contained piece of bytes.

Format in docs/wire-format.md. A body that was ever written must stay readable: a new layout takes
a new format byte and leaves the old reader in place.
"""

import numpy as np
import zstandard

from shared.codec.columns import SampleColumns
from shared.codec.integer_columns import (
    read_differences,
    read_heads,
    write_differences,
    write_heads,
)
from shared.codec.number_columns import read_numbers, write_numbers
from shared.codec.packing import Reader, Writer
from shared.codec.segments import I64, starts_of
from shared.codec.text_columns import read_texts, write_texts
from shared.codec.time_columns import read_times, write_times
from shared.domain.samples import ValueType
from shared.errors import CodecError, UnknownFormatError

FORMAT = 1
# An edge may be two versions ahead of who reads. Any other first byte is no body at all.
FORMATS_AHEAD_MAX = 2

# A body travels in one sync frame of at most 1 MiB; 4 KiB are left for the frame's own fields.
BODY_SIZE_MAX_BYTES = 1_044_480
# 60 s of 15,000 samples/s, the design's longest block at three times its rate; decoding one such
# body takes about 60 MB.
SAMPLES_PER_BODY_MAX = 1_000_000
# What the compressed part may expand to: 18 bytes a sample of incompressible numbers, and texts.
PAYLOAD_SIZE_MAX_BYTES = 33_554_432
_COMPRESSION_LEVEL = 3
_SERIES_IX_MAX = 2**32 - 1
_QUALITY_MAX = 2**16 - 1


def encode_body(columns: SampleColumns) -> bytes:
    """Return ``columns`` as bytes that ``decode_body`` gives back bit for bit.

    Raises:
        ValueError: if the columns do not fit together, a text cannot be encoded, or there are
            more samples or bytes than SAMPLES_PER_BODY_MAX and BODY_SIZE_MAX_BYTES allow.
    """
    count = columns.count.astype(np.int64)
    _check_columns(columns, count)
    out = Writer()
    out.varint(len(count))
    out.stream(np.diff(columns.series_ix.astype(np.int64), prepend=-1) - 1)
    out.stream(columns.value_type.astype(np.int64))
    out.stream(count)
    write_times(out, columns.ts_ms, count)
    out.stream(columns.quality.astype(np.int64))
    write_numbers(out, columns.number, count[columns.value_type == ValueType.NUMBER])
    _write_integers(out, columns.integer, count[columns.value_type == ValueType.INTEGER])
    out.raw(np.packbits(columns.flag, bitorder="little").tobytes())
    write_texts(out, columns.text)
    return _seal(out.payload())


def decode_body(body: bytes, *, strict_text: bool = True) -> SampleColumns:
    """Return the columns of a body; memory is bounded by the limits above, whatever it claims.

    Not ``strict_text``, texts that are not fit are returned as they are (see text_columns): then
    the others of the body can be saved.

    Raises:
        UnknownFormatError: if ``body`` has a format that a newer program may know.
        CodecError: if ``body`` is not exactly what ``encode_body`` writes.
    """
    source = Reader(_unseal(body))
    size = source.varint(SAMPLES_PER_BODY_MAX)
    series_ix = np.cumsum(_bounded(source.stream(size), "series gap", 0, _SERIES_IX_MAX) + 1) - 1
    _bounded(series_ix[-1:], "series_ix", 0, _SERIES_IX_MAX)
    value_type = _bounded(source.stream(size), "value type", min(ValueType), max(ValueType))
    count = _bounded(source.stream(size), "count", 1, SAMPLES_PER_BODY_MAX)
    n = int(_bounded(count.sum(keepdims=True), "samples", 0, SAMPLES_PER_BODY_MAX)[0])
    count_of = {each: count[value_type == each] for each in ValueType}
    columns = SampleColumns(
        series_ix=series_ix.astype(np.uint32),
        value_type=value_type.astype(np.uint8),
        count=count.astype(np.uint32),
        ts_ms=read_times(source, count),
        quality=_bounded(source.stream(n), "quality", 0, _QUALITY_MAX).astype(np.uint16),
        number=read_numbers(source, count_of[ValueType.NUMBER]),
        integer=_read_integers(source, count_of[ValueType.INTEGER]),
        flag=_read_flags(source, int(count_of[ValueType.FLAG].sum())),
        text=read_texts(source, int(count_of[ValueType.TEXT].sum()), strict=strict_text),
    )
    source.end()
    return columns


def _check_columns(columns: SampleColumns, count: I64) -> None:
    n = int(count.sum())
    if n > SAMPLES_PER_BODY_MAX:
        raise ValueError(f"a body holds at most {SAMPLES_PER_BODY_MAX} samples, got {n}")
    if not len(columns.series_ix) == len(columns.value_type) == len(count):
        raise ValueError("series_ix, value_type and count must have the same length")
    if len(count) and (count.min() < 1 or np.any(columns.series_ix[1:] <= columns.series_ix[:-1])):
        raise ValueError("series_ix must ascend strictly and every count be at least 1")
    if not n == len(columns.ts_ms) == len(columns.quality):
        raise ValueError("ts_ms and quality must hold one entry per sample")
    values = (columns.number, columns.integer, columns.flag, columns.text)
    for value_type, column in zip(ValueType, values, strict=True):
        if int(count[columns.value_type == value_type].sum()) != len(column):
            raise ValueError(f"{value_type.name} values must be as many as their series count")
    if sum(map(len, values)) != n:
        raise ValueError("value_type must be one of 1..4")


def _write_integers(out: Writer, values: I64, count: I64) -> None:
    if len(count):
        write_heads(out, values[starts_of(count)])
        write_differences(out, values, count)


def _read_integers(source: Reader, count: I64) -> I64:
    return read_differences(source, read_heads(source, len(count)), count)


def _read_flags(source: Reader, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    packed = np.frombuffer(source.raw((count + 7) // 8), dtype=np.uint8)
    return np.unpackbits(packed, count=count, bitorder="little").astype(np.bool_)


def _bounded(numbers: I64, field: str, low: int, high: int) -> I64:
    if len(numbers) and not low <= int(numbers.min()) <= int(numbers.max()) <= high:
        raise CodecError(f"{field} must be {low}..{high}")
    return numbers


def _seal(payload: bytes) -> bytes:
    if len(payload) > PAYLOAD_SIZE_MAX_BYTES:
        raise ValueError(f"the columns take {len(payload)} bytes, split the batch")
    body = bytes([FORMAT]) + zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(payload)
    if len(body) > BODY_SIZE_MAX_BYTES:
        raise ValueError(
            f"the body takes {len(body)} bytes, at most {BODY_SIZE_MAX_BYTES}: split the batch"
        )
    return body


def _unseal(body: bytes) -> bytes:
    if body and FORMAT < body[0] <= FORMAT + FORMATS_AHEAD_MAX:
        raise UnknownFormatError(f"format of the body is {body[0]}, known are formats to {FORMAT}")
    if not body or body[0] != FORMAT:
        raise CodecError(f"format of the body must be {FORMAT}, got {body[:1].hex() or 'nothing'}")
    if len(body) > BODY_SIZE_MAX_BYTES:
        raise CodecError(f"body of {len(body)} bytes, at most {BODY_SIZE_MAX_BYTES}")
    try:
        # The declared size is what the decompressor allocates, so it is judged first; a frame
        # without one is not ours.
        declared = zstandard.get_frame_parameters(body[1:]).content_size
        if declared > PAYLOAD_SIZE_MAX_BYTES:
            raise CodecError(f"payload must declare at most {PAYLOAD_SIZE_MAX_BYTES} bytes")
        return zstandard.ZstdDecompressor().decompress(body[1:], allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CodecError(f"body cannot be decompressed: {error}") from error
