"""Recorded data of real machines comes back exactly and small."""

from collections.abc import Callable

import pytest

from shared.codec.body import decode_body, encode_body
from tests.support.recorded_data import Table, methane_table, skab_table, zema_table
from tests.support.sample_columns import number_columns_of

ROWS = 6000


@pytest.mark.parametrize(
    ("table_of", "rows", "bytes_per_sample_max"),
    [
        # What a block may take is the goal of docs/wire-format.md, not what it takes today.
        (methane_table, 10, 1.4),
        (methane_table, 60, 0.55),
        (methane_table, 600, 0.30),
        (zema_table, 10, 2.5),
        (zema_table, 60, 1.45),
        (zema_table, 600, 1.10),
        (skab_table, 10, 3.5),
        (skab_table, 60, 2.4),
        (skab_table, 600, 1.90),
    ],
)
def test_recorded_blocks_are_small_and_exact(
    table_of: Callable[[int], Table], rows: int, bytes_per_sample_max: float
) -> None:
    table = table_of(ROWS)
    size_bytes = 0
    for first in range(0, ROWS, rows):
        columns = number_columns_of(table[first : first + rows])
        body = encode_body(columns)
        size_bytes += len(body)
        assert decode_body(body).same_samples(columns)
    assert size_bytes / table.size <= bytes_per_sample_max


def test_a_live_batch_of_one_sample_per_series_is_small() -> None:
    table = skab_table(50)[:, :1].T  # 50 series, one value of seven significant digits each
    assert len(encode_body(number_columns_of(table))) / table.size < 6
