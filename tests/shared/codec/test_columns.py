"""Rows become columns."""

import pytest
from hypothesis import given

from shared.codec.columns import columns_from_rows
from shared.domain.samples import ValueType
from tests.support.sample_columns import Row, columns_of, sample_rows

NUMBER, INTEGER, FLAG, TEXT = ValueType


def test_groups_rows_by_series_and_keeps_their_order() -> None:
    columns = columns_of(
        [
            (7, NUMBER, 100, 1.5, 0),
            (2, FLAG, 101, True, 0),
            (7, NUMBER, 90, -2.0, 4),
            (9, TEXT, 102, "idle", 0),
            (3, INTEGER, 103, 2**60, 1),
        ]
    )
    assert columns.series_ix.tolist() == [2, 3, 7, 9]
    assert columns.count.tolist() == [1, 1, 2, 1]
    assert columns.ts_ms.tolist() == [101, 103, 100, 90, 102]
    assert columns.quality.tolist() == [0, 1, 0, 4, 0]
    assert columns.number.tolist() == [1.5, -2.0]
    assert columns.integer.tolist() == [2**60]
    assert columns.flag.tolist() == [True]
    assert columns.text == ("idle",)


def test_no_rows_are_empty_columns() -> None:
    assert columns_of([]).series_ix.tolist() == []


@given(sample_rows())
def test_every_row_is_in_its_column(rows: list[Row]) -> None:
    columns = columns_of(rows)
    ordered = sorted(rows, key=lambda row: row[0])  # sorted() is stable, as the columns must be
    assert columns.ts_ms.tolist() == [row[2] for row in ordered]
    assert columns.quality.tolist() == [row[4] for row in ordered]
    assert columns.integer.tolist() == [row[3] for row in ordered if row[1] == INTEGER]
    assert columns.text == tuple(row[3] for row in ordered if row[1] == TEXT)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ((2**32, NUMBER, 0, 1.0, 0), "series_ix"),
        ((-1, NUMBER, 0, 1.0, 0), "series_ix"),
        ((1, 5, 0, 1.0, 0), "value_type"),
        ((1, NUMBER, 2**63, 1.0, 0), "ts_ms"),
        ((1, NUMBER, 0, 1.0, 2**16), "quality"),
        ((1, NUMBER, 0, True, 0), "value"),
        ((1, NUMBER, 0, "1", 0), "value"),
        ((1, NUMBER, 0, 2**53 + 1, 0), "value"),
        ((1, INTEGER, 0, 2**63, 0), "value"),
        ((1, INTEGER, 0, 1.5, 0), "value"),
        ((1, FLAG, 0, 1, 0), "value"),
        ((1, TEXT, 0, 1, 0), "value"),
    ],
)
def test_refuses_what_does_not_fit_and_names_the_field(row: Row, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        columns_of([row])


def test_refuses_one_series_with_two_types() -> None:
    with pytest.raises(ValueError, match="two types"):
        columns_of([(1, NUMBER, 0, 1.0, 0), (1, FLAG, 1, True, 0)])


def test_refuses_rows_of_unlike_length() -> None:
    with pytest.raises(ValueError, match="same length"):
        columns_from_rows([1], [1], [0, 1], [1.0], [0])


def test_integers_that_float64_holds_may_stand_in_a_number_series() -> None:
    assert columns_of([(1, NUMBER, 0, 2**53, 0)]).number.tolist() == [float(2**53)]


def test_the_same_floats_with_other_bits_are_not_the_same_samples() -> None:
    zero, minus_zero = columns_of([(1, NUMBER, 0, 0.0, 0)]), columns_of([(1, NUMBER, 0, -0.0, 0)])
    assert zero.same_samples(zero)
    assert not zero.same_samples(minus_zero)
