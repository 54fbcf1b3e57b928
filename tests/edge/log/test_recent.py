"""The bytes of the deduplication tail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import LogDamagedError
from edge.log.recent import columns_of, decode_tail, encode_tail, merge_tails

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(INT64, INT64, INT64), max_size=50))
def test_every_int64_comes_back(seen: list[tuple[int, int, int]]) -> None:
    columns = columns_of(seen)
    assert np.array_equal(decode_tail(encode_tail(columns)), columns)


def test_a_steady_stream_takes_few_bytes_a_message() -> None:
    # 100 sources in turn, each counting, a message each 200 us: three numbers that hardly change.
    seen = [(n % 100, 5_000 + n // 100, 1_700_000_000_000 + n // 5) for n in range(10_000)]
    assert len(encode_tail(columns_of(seen))) < 4 * len(seen)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_as_damage(noise: bytes) -> None:
    with pytest.raises(LogDamagedError):
        decode_tail(noise)


@given(st.integers(0, 199), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    encoded = bytearray(encode_tail(columns_of([(n, n * n, n + 7) for n in range(100)])))
    encoded[place % len(encoded)] ^= change
    with pytest.raises(LogDamagedError):
        decode_tail(bytes(encoded))


def test_parts_are_put_together_in_order() -> None:
    first, second = columns_of([(1, 2, 3)]), columns_of([(4, 5, 6)])
    assert merge_tails([first, second]).T.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert merge_tails([]).shape == (3, 0)


@pytest.mark.parametrize("entry", [(1, 2**63, 3), (1, 2), ("a", 1, 2), (1, 2, 3, 4)])
def test_an_entry_that_is_not_three_int64_is_an_error(entry: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="seen"):
        columns_of([entry])  # pyright: ignore[reportArgumentType] that is the point
