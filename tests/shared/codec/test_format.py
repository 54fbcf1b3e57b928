"""Format 1 stays what docs/wire-format.md says, and spends bytes only where data need them."""

import math

import numpy as np

from shared.codec.body import decode_body, encode_body
from shared.codec.columns import SampleColumns
from shared.domain.samples import ValueType
from tests.support.sample_columns import Row, columns_of, number_columns_of

NUMBER, INTEGER, FLAG, TEXT = ValueType
T0_MS = 1_700_000_000_000

# Written by the first release of format 1 from the rows below. Logs in the field hold such bodies:
# if this test fails, the change needs a new format byte, not a new text here.
FIRST_BODY = bytes.fromhex(
    "0128b52ffd20df85040022091c239029e9bfbd74e180f77f553b573742bf78ae7be5aed47fb5de7cfcf8c8b6fd4d"
    "b69429e44f84745030128d8844ba0c7b0240a19f07bf53212f1f94c25cdc16db96f3212184f285e3b9dcca364db3"
    "4cd6ef40dcc0e9a7897a8aaabeaaa28fa2bbef02ccd2b667cb9b999576f97332010c00b8a180694c051c1c820525"
    "340060e176c50844f6bc7f37c4c06901"
)


def _first_rows() -> list[Row]:
    rows: list[Row] = [(6, NUMBER, -5, -0.0, 0), (7, NUMBER, 2**62, math.nan, 0)]
    for i in range(4):
        ts = T0_MS + 1000 * i
        rows.append((1, NUMBER, ts, 20.5 + i / 10, 0))
        rows.append((2, NUMBER, ts, float(np.float32(0.1)), 0))
        rows.append((3, INTEGER, ts, 2**60 + i * i, 0))
        rows.append((5, FLAG, T0_MS + 7 * i, i % 2 == 0, i))
        rows.append((9, TEXT, ts, ("läuft", "idle")[i // 2], 0))
    values = (1.1, 1.2, 1.1, 1.3, 1.1, math.inf, 1.0, 1.2)
    return rows + [(8, NUMBER, T0_MS + i, value, 0) for i, value in enumerate(values)]


def test_a_body_of_the_first_release_is_still_read() -> None:
    assert decode_body(FIRST_BODY).same_samples(columns_of(_first_rows()))


def test_equal_samples_make_equal_bytes() -> None:
    # One hash names a batch in the log, on the link and at central.
    rows = _first_rows()
    assert encode_body(columns_of(rows)) == encode_body(columns_of(rows))


def _bytes_per_sample(columns: SampleColumns) -> float:
    return len(encode_body(columns)) / len(columns.ts_ms)


def test_a_constant_series_costs_nothing_per_sample() -> None:
    assert len(encode_body(number_columns_of(np.full((100_000, 1), 21.5)))) < 60


def test_reals_of_32_bits_cost_at_most_four_bytes() -> None:
    noise = np.random.default_rng(1).normal(size=(600, 4)).astype(np.float32)
    assert _bytes_per_sample(number_columns_of(noise.astype(np.float64))) < 4.0


def test_decimals_that_came_through_32_bits_cost_like_decimals() -> None:
    steps = np.random.default_rng(2).integers(-3, 4, size=(600, 4)).cumsum(axis=0)
    decimal = (200 + steps) / 10
    short = decimal.astype(np.float32).astype(np.float64)
    # 7 equally likely steps carry log2(7) = 2.8 bits = 0.35 bytes, coded 0.46
    assert _bytes_per_sample(number_columns_of(decimal)) < 0.5
    assert _bytes_per_sample(number_columns_of(short)) < 0.5


def test_incompressible_numbers_cost_little_more_than_their_eight_bytes() -> None:
    bits = np.random.default_rng(3).integers(0, 2**64, size=(600, 4), dtype=np.uint64)
    assert _bytes_per_sample(number_columns_of(bits.view(np.float64))) < 8.1


def test_counters_cost_nothing_per_sample() -> None:
    rows: list[Row] = [(1, INTEGER, T0_MS + 100 * i, 2**55 + 17 * i, 0) for i in range(10_000)]
    assert len(encode_body(columns_of(rows))) < 100


def test_repeated_texts_are_stored_once() -> None:
    rows: list[Row] = [(1, TEXT, T0_MS + i, f"zone-{i % 2}" * 40, 0) for i in range(1000)]
    assert len(encode_body(columns_of(rows))) < 150
