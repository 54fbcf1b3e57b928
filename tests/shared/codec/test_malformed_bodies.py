"""Whatever bytes arrive, decoding ends quickly with columns or a CodecError, in bounded memory."""

import random
import tracemalloc

import numpy as np
import pytest
import zstandard

from shared.codec.body import FORMAT, PAYLOAD_SIZE_MAX_BYTES, decode_body, encode_body
from shared.codec.packing import Writer
from shared.domain.samples import ValueType
from shared.errors import CodecError
from tests.support.sample_columns import Row, columns_of, number_columns_of


def _body(payload: bytes) -> bytes:
    return bytes([FORMAT]) + zstandard.ZstdCompressor().compress(payload)


def _payload(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(body[1:])


def _samples() -> list[bytes]:
    rng = np.random.default_rng(5)
    rows: list[Row] = []
    for ix in range(12):
        value_type = list(ValueType)[ix % 4]
        values = [(rng.normal(), 2**60 - ix, ix % 3 == 0, f"state-{ix}")[ix % 4]] * 5
        rows += [(ix, value_type, 10**12 + i * ix, each, i % 2) for i, each in enumerate(values)]
    mixed = np.hstack([rng.random((9, 3)), np.round(rng.random((9, 3)), 2)])
    mixed[4, 4] = np.nan
    return [_payload(encode_body(each)) for each in (columns_of(rows), number_columns_of(mixed))]


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_payload_is_refused_or_read_and_nothing_else(seed: int) -> None:
    # pytest names the seed in the id of a failing test
    rng = random.Random(seed)
    for payload in _samples() * 50:
        damaged = bytearray(payload)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.choice(
                (0, 1, 8, 127, 128, 255, rng.randrange(256))
            )
        del damaged[rng.choice((len(damaged), rng.randrange(len(damaged)))) :]
        damaged += rng.randbytes(rng.choice((0, 0, 3)))
        try:
            columns = decode_body(_body(bytes(damaged)))
        except CodecError:
            continue
        assert int(columns.count.sum()) == len(columns.ts_ms) == len(columns.quality)
        encode_body(columns)


def test_every_shortened_payload_is_refused() -> None:
    for payload in _samples():
        for size in range(len(payload)):
            with pytest.raises(CodecError):
                decode_body(_body(payload[:size]))


def test_trailing_bytes_are_refused() -> None:
    body = encode_body(number_columns_of(np.zeros((3, 3))))
    with pytest.raises(CodecError, match="too many"):
        decode_body(_body(_payload(body) + b"\0"))
    with pytest.raises(CodecError, match="decompressed"):
        decode_body(body + b"\0")


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"\x02" + b"x" * 20, b"{}", bytes([FORMAT]), b"\x01junk"]
)
def test_foreign_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(CodecError):
        decode_body(body)


def test_a_frame_that_hides_its_size_is_refused() -> None:
    payload = _payload(encode_body(number_columns_of(np.zeros((3, 3)))))
    hidden = zstandard.ZstdCompressor(write_content_size=False).compress(payload)
    with pytest.raises(CodecError, match="declare"):
        decode_body(bytes([FORMAT]) + hidden)


def test_a_payload_that_grows_too_large_is_refused_before_it_is_unpacked() -> None:
    bomb = _body(bytes(4 * PAYLOAD_SIZE_MAX_BYTES))
    tracemalloc.start()
    with pytest.raises(CodecError, match="declare"):
        decode_body(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


def _constant_series(series: int, count: int) -> Writer:
    out = Writer()
    out.varint(series)
    out.stream(np.zeros(series, dtype=np.int64))
    out.stream(np.full(series, ValueType.NUMBER, dtype=np.int64))
    out.stream(np.full(series, count, dtype=np.int64))
    return out


@pytest.mark.parametrize(
    ("series", "count"), [(1, 2**40), (1_000_000, 1_000_000), (2, 2**63 - 1), (3, 0), (2, -1)]
)
def test_impossible_counts_are_refused_before_anything_is_allocated(
    series: int, count: int
) -> None:
    body = _body(_constant_series(series, count).payload())
    with pytest.raises(CodecError, match=r"count|samples"):
        decode_body(body)


def test_counts_whose_sum_wraps_around_are_refused() -> None:
    with pytest.raises(CodecError, match="count"):
        decode_body(_body(_constant_series(4, 2**62).payload()))


def test_too_many_series_are_refused() -> None:
    out = Writer()
    out.varint(2**40)
    with pytest.raises(CodecError, match="limit"):
        decode_body(_body(out.payload()))


def test_an_endless_number_is_refused() -> None:
    with pytest.raises(CodecError, match="64 bits"):
        decode_body(_body(b"\xff" * 30))
