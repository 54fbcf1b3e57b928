"""What waits together becomes one batch, cut where it must be, and loses nothing."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.log.grouping import (
    SAMPLES_PER_BATCH_MAX,
    EncodedBatch,
    encode_group,
    unstorable_rows,
)
from edge.log.history import samples_of
from edge.log.records import PendingBatch
from shared.codec.body import BODY_SIZE_MAX_BYTES, decode_body
from shared.domain.samples import Value, ValueType
from tests.support.edge_log import T0_MS, make_batch

TYPES = [int(ValueType.NUMBER), int(ValueType.FLAG), int(ValueType.TEXT), int(ValueType.INTEGER)]
VALUE_OF_TYPE: dict[int, st.SearchStrategy[Value]] = {
    1: st.floats(),
    2: st.booleans(),
    3: st.text(max_size=20),
    4: st.integers(-(2**63), 2**63 - 1),
}
ROWS = st.lists(
    st.integers(1, 4).flatmap(
        lambda ix: st.tuples(
            st.just(ix), st.integers(-(2**63), 2**63 - 1), VALUE_OF_TYPE[ix], st.integers(0, 255)
        )
    ),
    max_size=12,
)


def batch_of_rows(rows: Sequence[tuple[int, int, Value, int]], recv_ms: int) -> PendingBatch:
    return PendingBatch(
        series_ix=[row[0] for row in rows],
        value_type=[TYPES[row[0] - 1] for row in rows],
        ts_ms=[row[1] for row in rows],
        value=[row[2] for row in rows],
        quality=[row[3] for row in rows],
        recv_min_ms=recv_ms,
        recv_max_ms=recv_ms,
    )


def rows_of(encoded: list[EncodedBatch], series_ix: int) -> list[tuple[int, int, str]]:
    """Samples of a series in stored order; values as text, because NaN equals nothing."""
    return [
        (ts_ms, quality, repr(value))
        for batch in encoded
        for ts_ms, quality, value in samples_of(decode_body(batch.body), series_ix)
    ]


@given(st.lists(ROWS, max_size=5))
def test_every_sample_of_every_caller_is_there_in_order(
    groups: list[list[tuple[int, int, Value, int]]],
) -> None:
    batches = [batch_of_rows(rows, recv_ms=at) for at, rows in enumerate(groups)]
    encoded = encode_group(batches, TYPES)
    for ix in (1, 2, 3, 4):
        given_rows = [(r[1], r[3], repr(r[2])) for rows in groups for r in rows if r[0] == ix]
        assert rows_of(encoded, ix) == given_rows
    assert len(encoded) == (1 if any(groups) else 0)


def test_facts_of_a_batch_cover_all_that_was_merged() -> None:
    (only,) = encode_group(
        [make_batch(1.0, at_ms=T0_MS + 9_000), make_batch(2.0, 3.0, at_ms=T0_MS)], [1]
    )
    assert (only.n, only.t_min_ms, only.t_max_ms) == (3, T0_MS, T0_MS + 9_000)
    assert (only.recv_min_ms, only.recv_max_ms) == (T0_MS, T0_MS + 9_000)
    assert only.sha256 == hashlib.sha256(only.body).digest()


def test_cuts_where_a_batch_would_hold_too_many_samples() -> None:
    values = [float(n) for n in range(2 * SAMPLES_PER_BATCH_MAX + 1)]
    encoded = encode_group([make_batch(*values)], [1])
    assert [one.n for one in encoded] == [SAMPLES_PER_BATCH_MAX, SAMPLES_PER_BATCH_MAX, 1]


def test_cuts_where_a_body_would_not_fit_its_frame() -> None:
    # 256 random characters of 2.5 bytes on average: 8,000 of them cannot be packed into 1 MB.
    dice = random.Random(1)
    texts = ["".join(map(chr, dice.choices(range(0x20, 0xD800), k=256))) for _ in range(8_000)]
    rows = [(3, n, text, 0) for n, text in enumerate(texts)]
    encoded = encode_group([batch_of_rows(rows, recv_ms=0)], TYPES)
    assert len(encoded) > 1
    assert all(len(one.body) <= BODY_SIZE_MAX_BYTES for one in encoded)
    assert [row[2] for row in rows_of(encoded, 3)] == [repr(text) for text in texts]


@pytest.mark.parametrize(
    ("rows", "types", "word"),
    [
        ([(2, 0, 1.0, 0)], [1], "not in the catalogue"),
        ([(1, 0, 1.0, 0)], [2], "series 1 is of type 2"),
        ([(1, 2**63, 1.0, 0)], [1], "ts_ms"),
        ([(1, 0, "text", 0)], [1], "expected a number"),
        ([(1, 0, 1.0, 65_536)], [1], "quality"),
    ],
)
def test_a_row_that_cannot_be_stored_is_named(
    rows: list[tuple[int, int, Value, int]], types: list[int], word: str
) -> None:
    batch = batch_of_rows(rows, recv_ms=0)
    with pytest.raises(ValueError, match=word):
        encode_group([replace(batch, value_type=[1])], types)


BAD_ROW = st.sampled_from(
    [(1, 0, "text", 0), (1, 2**70, 1.0, 0), (3, 0, "a" * 257, 0), (3, 0, "\ud800", 0), (2, 0, 7, 0)]
)


@given(ROWS, st.lists(st.tuples(st.integers(0, 12), BAD_ROW), min_size=1, max_size=3))
def test_rows_that_cannot_be_stored_are_found_among_those_that_can(
    rows: list[tuple[int, int, Value, int]], bad: list[tuple[int, tuple[int, int, Value, int]]]
) -> None:
    for position, row in bad:
        rows.insert(position, row)
    found = unstorable_rows(batch_of_rows(rows, T0_MS), TYPES)
    positions = {position for position, _ in found}
    assert positions == {at for at, row in enumerate(rows) if row in [row for _, row in bad]}
    assert all(why for _, why in found)
    kept = [row for at, row in enumerate(rows) if at not in positions]
    encode_group([batch_of_rows(kept, T0_MS)], TYPES)
