"""Bodies become rows: order, newest values, and what is poison. No database."""

import struct

import numpy as np
import pytest
import zstandard

from central.inbox.unpack import prepare
from central.store.claims import (
    Claim,
    ClaimKey,
    EpochKey,
    LatestRow,
    Poison,
    Prepared,
    RowSet,
    SeriesMap,
)
from central.store.instants import INSTANT_MS_MAX, INSTANT_MS_MIN
from shared.domain.samples import ValueType
from tests.support.edge_data import LANE, NOW_MS, Sample, batch

EPOCH = EpochKey(site_id=1, edge_node_id=1, epoch=1)
# Numbers 1 to 4 have the four types in turn; central calls them 11 to 14.
KNOWN = SeriesMap(
    np.array([1, 2, 3, 4], np.uint32),
    np.array([11, 12, 13, 14], np.int32),
    np.array([1, 2, 3, 4], np.uint8),
)


def claim(seq: int, samples: list[Sample], **differences: object) -> Claim:
    sent = batch(seq, samples)
    fields: dict[str, object] = {
        "key": ClaimKey(EPOCH, LANE, seq, NOW_MS),
        "n": sent.n,
        "recv_max_ms": NOW_MS,
        "body": sent.body,
    }
    return Claim(**(fields | differences))  # pyright: ignore[reportArgumentType] a test's shorthand


def prepared(*claims: Claim) -> Prepared:
    return prepare(claims, {EPOCH: KNOWN})


def rows_of(poison: Poison) -> RowSet:
    assert poison.rows is not None
    return poison.rows


def series_and_times(result: Prepared) -> list[tuple[int, int]]:
    """Read a binary COPY as its documentation says; return (series, microseconds since 2000)."""
    data, found = b"".join(result.copy)[19:], list[tuple[int, int]]()
    while True:
        (fields,) = struct.unpack_from(">h", data)
        data = data[2:]
        if fields == -1:
            assert not data
            return found
        row: list[bytes | None] = []
        for _ in range(fields):
            (size,) = struct.unpack_from(">i", data)
            row.append(data[4 : 4 + size] if size >= 0 else None)
            data = data[4 + max(size, 0) :]
        assert row[1] is not None
        assert row[2] is not None
        found.append((int.from_bytes(row[1]), int.from_bytes(row[2], signed=True)))


def test_rows_of_many_batches_are_put_together_by_series_and_time() -> None:
    first = claim(1, [Sample(1, NOW_MS + 2, 0.1), Sample(2, NOW_MS, 2**60)])
    second = claim(
        2,
        [Sample(1, NOW_MS + 1, 0.2), Sample(4, NOW_MS, "on")],
        key=ClaimKey(EPOCH, LANE, 2, NOW_MS + 9),
        recv_max_ms=NOW_MS + 9,
    )
    result = prepared(first, second)
    base_us = (NOW_MS - 946_684_800_000) * 1000
    assert result.rows == 4
    # The second sample ranks as of its own time, the first as of its arrival, which is earlier.
    assert series_and_times(result) == [
        (11, base_us + 2_000),
        (11, base_us + 1_000),
        (12, base_us),
        (14, base_us),
    ]


def test_the_newest_of_each_series_is_found_across_batches() -> None:
    first = claim(1, [Sample(1, NOW_MS, 0.1), Sample(3, NOW_MS, True), Sample(4, NOW_MS, "a")])
    second = claim(2, [Sample(1, NOW_MS - 5, 0.2), Sample(4, NOW_MS, "b", 3)])
    assert prepared(first, second).latest == (
        LatestRow(1, 11, NOW_MS, NOW_MS, 0.1, 0),
        LatestRow(1, 13, NOW_MS, NOW_MS, True, 0),
        LatestRow(1, 14, NOW_MS, NOW_MS, "b", 3),
    )


def test_a_sample_from_the_future_ranks_as_of_its_arrival() -> None:
    (latest,) = prepared(claim(1, [Sample(1, NOW_MS + 60_000, 1.0)])).latest
    assert (latest.ts_ms, latest.ranked_ms) == (NOW_MS + 60_000, NOW_MS)


def test_an_edge_that_is_a_day_ahead_ranks_as_of_the_arrival_at_central() -> None:
    day_ms = 86_400_000
    ahead = claim(1, [Sample(1, NOW_MS + day_ms, 1.0)], recv_max_ms=NOW_MS + day_ms)
    (latest,) = prepared(ahead).latest
    assert latest.ranked_ms == ahead.key.received_ms


def test_an_arrival_time_that_makes_no_sense_does_no_harm() -> None:
    for recv_max_ms in (-(2**63), 2**63 - 1):
        (latest,) = prepared(claim(1, [Sample(1, NOW_MS, 1.0)], recv_max_ms=recv_max_ms)).latest
        assert INSTANT_MS_MIN <= latest.ranked_ms <= latest.ts_ms


def test_days_are_those_of_the_samples() -> None:
    samples = [Sample(1, 0, 1.0), Sample(1, 86_400_000, 1.0), Sample(1, -1, 1.0)]
    assert prepared(claim(1, samples)).days == {-1, 0, 1}


def test_the_servers_whole_range_of_times_is_taken() -> None:
    samples = [Sample(1, INSTANT_MS_MIN, 1.0), Sample(1, INSTANT_MS_MAX, 1.0)]
    result = prepared(claim(1, samples))
    assert (result.rows, result.poison) == (2, ())


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        ("bad_body", claim(2, [], body=b"rubbish", n=0)),
        ("bad_count", claim(2, [Sample(1, NOW_MS, 1.0)], n=2)),
        ("bad_ts", claim(2, [Sample(1, INSTANT_MS_MAX + 1, 1.0)])),
        ("bad_ts", claim(2, [Sample(1, INSTANT_MS_MIN - 1, 1.0)])),
        ("bad_value", claim(2, [Sample(1, NOW_MS, float("inf"))])),
        ("bad_type", claim(2, [Sample(4, NOW_MS, 1.0)])),
        ("internal_error", claim(2, [], body=None)),  # what nobody thought of
    ],
)
def test_a_bad_batch_is_named_with_its_reason_and_the_good_ones_remain(
    reason: str, bad: Claim
) -> None:
    good = claim(1, [Sample(1, NOW_MS, 1.0)])
    result = prepared(good, bad)
    assert [(each.key.seq, each.reason) for each in result.poison] == [(2, reason)]
    assert result.poison[0].detail
    assert result.rows == 1


@pytest.mark.parametrize("series_ix", [5, 2**32 - 1])
def test_a_series_that_is_not_known_yet_is_waited_for(series_ix: int) -> None:
    good = claim(1, [Sample(1, NOW_MS, 1.0)])
    result = prepared(good, claim(2, [Sample(1, NOW_MS, 1.0), Sample(series_ix, NOW_MS, 1.0)]))
    assert [(each.key.seq, each.series_ix) for each in result.parked] == [(2, series_ix)]
    assert (result.rows, result.poison) == (1, ())


def test_an_epoch_without_any_series_knows_none() -> None:
    result = prepare([claim(1, [Sample(1, NOW_MS, 1.0)])], {})
    assert [each.reason for each in result.parked] == ["unknown_series"]
    assert (result.rows, result.copy) == (0, ())


@pytest.mark.parametrize(
    ("first_byte", "is_parked"), [(1, False), (2, True), (3, True), (4, False)]
)
def test_a_body_of_the_next_two_formats_waits_for_a_newer_program(
    first_byte: int, is_parked: bool
) -> None:
    body = bytes([first_byte]) + batch(1, [Sample(1, NOW_MS, 1.0)]).body[1:]
    result = prepared(claim(1, [], body=body, n=1))
    assert [each.reason for each in result.parked] == ["unknown_format"] * is_parked
    assert [each.reason for each in result.poison] == ["bad_body"] * (first_byte == 4)


def test_bad_samples_cost_only_themselves() -> None:
    samples = [
        Sample(1, NOW_MS, 1.0),
        Sample(1, NOW_MS + 1, float("nan")),
        Sample(1, INSTANT_MS_MAX + 1, 3.0),
        Sample(1, NOW_MS + 3, 4.0),
        Sample(2, NOW_MS, "not a whole number"),
        Sample(4, NOW_MS, "on"),
    ]
    result = prepared(claim(1, samples))
    assert result.rows == 3
    found = {each.reason: np.flatnonzero(rows_of(each)).tolist() for each in result.poison}
    assert found == {"bad_value": [1], "bad_ts": [2], "bad_type": [4]}


def test_a_sample_with_several_faults_is_kept_under_one() -> None:
    result = prepared(claim(1, [Sample(1, INSTANT_MS_MAX + 1, float("nan"))]))
    assert [each.reason for each in result.poison] == ["bad_ts"]


def test_a_text_in_another_encoding_costs_only_itself() -> None:
    sent = batch(1, [Sample(4, NOW_MS, "on"), Sample(4, NOW_MS + 1, "@@@"), Sample(1, NOW_MS, 1.0)])
    payload = zstandard.ZstdDecompressor().decompress(sent.body[1:])
    latin = zstandard.ZstdCompressor().compress(payload.replace(b"@@@", b"g\xe4n"))
    result = prepared(claim(1, [], body=sent.body[:1] + latin, n=3))
    (poison,) = result.poison
    assert (poison.reason, np.flatnonzero(rows_of(poison)).tolist(), result.rows) == (
        "bad_text",
        [2],
        2,
    )


def test_of_a_batch_that_is_tried_again_only_the_rows_asked_for_are_taken() -> None:
    samples = [Sample(1, NOW_MS + n, float(n)) for n in range(4)]
    asked = np.array([False, True, False, True])
    assert prepared(claim(1, samples, rows=asked)).rows == 2


def test_every_type_has_rows_of_the_documented_width() -> None:
    samples = [Sample(ix, NOW_MS, value) for ix, value in ((1, 0.5), (2, 2**60), (3, True))]
    result = prepared(claim(1, samples))
    # 2 for the count; 7 lengths of 4; values 4 + 4 + 8 + 8 + 2: 56 bytes a row, header 19, end 2.
    assert len(b"".join(result.copy)) == 19 + 3 * 56 + 2
    assert {ValueType(each) for each in KNOWN.value_type.tolist()} == set(ValueType)
