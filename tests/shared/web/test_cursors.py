"""Cursors come back as they were given, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ApiError
from shared.web.cursors import CURSOR_LENGTH_MAX, decode_cursor, encode_cursor

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=64)


@given(listing=TEXT, name=TEXT, number=st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_gives_back_its_key(listing: str, name: str, number: int) -> None:
    cursor = encode_cursor(listing, (name, number))
    assert decode_cursor(listing, cursor, (str, int)) == (name, number)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?# ")  # goes into an address as it is


@given(st.text(max_size=200))
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        decode_cursor("vehicle@kaduna", text, (str,))
    assert (refused.value.status, refused.value.mistakes[0].field) == (400, "cursor")


@pytest.mark.parametrize(
    "cursor",
    [
        encode_cursor("worker@kaduna", ("a",)),
        encode_cursor("vehicle@kaduna", ()),
        encode_cursor("vehicle@kaduna", ("a", "b")),
        encode_cursor("vehicle@kaduna", (7,)),
        "W3siYSI6MX1d",  # [{"a":1}]
        "bnVsbA",  # null
        encode_cursor("vehicle@kaduna", ("a" * CURSOR_LENGTH_MAX,)),
    ],
)
def test_a_cursor_of_another_list_or_shape_is_refused(cursor: str) -> None:
    with pytest.raises(ApiError):
        decode_cursor("vehicle@kaduna", cursor, (str,))
