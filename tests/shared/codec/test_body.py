"""Bodies give back what went in, bit for bit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from shared.codec.body import FORMAT, SAMPLES_PER_BODY_MAX, decode_body, encode_body
from shared.codec.columns import SampleColumns
from shared.domain.samples import TEXT_LENGTH_MAX, ValueType
from tests.support.sample_columns import Row, columns_of, number_columns_of, sample_rows

NUMBER, INTEGER, FLAG, TEXT = ValueType


def _comes_back(columns: SampleColumns) -> bool:
    decoded = decode_body(encode_body(columns))
    types = [each.dtype for each in dataclasses.astuple(decoded)[:-1]]
    expected = [each.dtype for each in dataclasses.astuple(columns)[:-1]]
    return types == expected and decoded.same_samples(columns)


@settings(max_examples=500)
@given(sample_rows())
def test_any_samples_come_back_bit_for_bit(rows: list[Row]) -> None:
    assert _comes_back(columns_of(rows))


def test_no_samples_come_back() -> None:
    assert _comes_back(columns_of([]))


def test_begins_with_the_format_byte() -> None:
    assert encode_body(columns_of([]))[0] == FORMAT == 1


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_of_float_comes_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    any_bits = rng.integers(0, 2**64, size=(50, 4), dtype=np.uint64).view(np.float64)
    nans = (rng.integers(0, 2**64, size=(50, 1), dtype=np.uint64) | 0x7FF0 << 48).view(np.float64)
    subnormals = rng.integers(0, 2**40, size=(50, 1), dtype=np.uint64).view(np.float64)
    decimals = rng.integers(-(10**6), 10**6, size=(50, 4)) / [1, 10, 1000, 1e6]
    shorts = rng.normal(size=(50, 1)).astype(np.float32).astype(np.float64)
    short_decimals = np.round(decimals, 1).astype(np.float32).astype(np.float64)
    table = np.hstack([any_bits, nans, subnormals, decimals, shorts, short_decimals])
    assert _comes_back(number_columns_of(table))


def test_a_few_odd_values_do_not_spoil_a_decimal_series() -> None:
    level = np.round(np.random.default_rng(1).normal(20, 1, size=(600, 1)), 1)
    odd = level.copy()
    odd[[0, 5, 17, 18, 599], 0] = [np.nan, -0.0, np.inf, 0.1 + 0.2, 1e300]
    assert _comes_back(number_columns_of(odd))
    # 5 exceptions at 8 bytes and a position of at most 2 bytes each, plus their own headers
    extra = len(encode_body(number_columns_of(odd))) - len(encode_body(number_columns_of(level)))
    assert extra < 5 * 10 + 40


def test_values_that_gain_places_late_come_back() -> None:
    table = np.full((200, 2), 20.5)
    table[101:, 0] = np.arange(99) / 1000 + 3.001
    table[150, 1] = 20.123456
    assert _comes_back(number_columns_of(table))


@pytest.mark.parametrize("integers", [[-(2**63), 2**63 - 1, -(2**63), 0, 1], [7] * 9, [5]])
def test_differences_that_leave_64_bits_come_back(integers: list[int]) -> None:
    rows: list[Row] = [(1, INTEGER, number, number, 0) for number in integers]
    rows += [(2, INTEGER, -number - 1, -number - 1, 0) for number in integers]
    assert _comes_back(columns_of(rows))


def test_series_that_share_times_and_series_that_do_not_come_back() -> None:
    times = {1: [1, 2, 3], 2: [1, 2, 3], 3: [1, 2], 4: [3, 2, 1], 5: [1, 2, 3], 9: [1, 2]}
    rows: list[Row] = [(ix, FLAG, ts, True, 0) for ix, each in times.items() for ts in each]
    assert _comes_back(columns_of(rows))


def test_shared_times_are_stored_once() -> None:
    one, many = np.zeros((600, 1)), np.zeros((600, 200))
    jitter = np.random.default_rng(3).integers(0, 1000, size=600)
    sizes: list[int] = []
    for table in (one, many):
        columns = number_columns_of(table)
        times = columns.ts_ms + np.tile(jitter, table.shape[1])
        sizes.append(len(encode_body(dataclasses.replace(columns, ts_ms=times))))
    assert sizes[0] > 600  # ten bits of jitter each
    assert sizes[1] - sizes[0] < 100


def test_refuses_a_lone_surrogate() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        encode_body(columns_of([(1, TEXT, 0, "\ud800", 0)]))


def test_refuses_a_text_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="longer than 256"):
        encode_body(columns_of([(1, TEXT, 0, "x" * (TEXT_LENGTH_MAX + 1), 0)]))


def test_refuses_more_bytes_than_one_frame_carries() -> None:
    table = np.random.default_rng(4).random((1000, 200))  # 200,000 values of nearly 8 bytes
    with pytest.raises(ValueError, match="split the batch"):
        encode_body(number_columns_of(table))


def test_refuses_more_samples_than_the_limit() -> None:
    with pytest.raises(ValueError, match=str(SAMPLES_PER_BODY_MAX)):
        encode_body(number_columns_of(np.zeros((1001, 1000))))


@pytest.mark.parametrize(
    "wrong",
    [
        {"series_ix": np.array([2, 1], dtype=np.uint32)},
        {"series_ix": np.array([1], dtype=np.uint32)},
        {"count": np.array([4, 0], dtype=np.uint32)},
        {"ts_ms": np.zeros(3, dtype=np.int64)},
        {"quality": np.zeros(5, dtype=np.uint16)},
        {"number": np.zeros(5)},
        {"value_type": np.array([1, 9], dtype=np.uint8), "number": np.zeros(2)},
        {"text": ("one too many",)},
    ],
)
def test_refuses_columns_that_do_not_fit_together(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        encode_body(dataclasses.replace(number_columns_of(np.zeros((2, 2))), **wrong))
