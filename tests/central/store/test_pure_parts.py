"""The decisions of the store that need no database."""

from pathlib import Path

import pytest

import central.store
from central.errors import DataRefusedError, StoreError
from central.store.failures import is_data_fault
from central.store.live_notice import (
    PAYLOAD_SIZE_MAX_BYTES,
    live_payloads,
    parse_live_payload,
)
from central.store.partition_days import (
    DAY_MS,
    day_of,
    day_of_partition,
    day_start,
    days_with_partition,
    partition_name,
)
from central.store.queries import load_queries
from central.store.series_family import Entry, family_of
from central.store.settlement import settle
from shared.domain.samples import ValueType
from shared.sync.ranges import Ranges
from tests.support.edge_data import LANE, NOW_MS, batch_of_body


@pytest.mark.parametrize("sqlstate", ["22003", "22021", "23514", "54000", "21000"])
def test_values_the_server_cannot_take_are_the_datas_fault(sqlstate: str) -> None:
    assert is_data_fault(sqlstate)


@pytest.mark.parametrize(
    "sqlstate",
    [
        None,
        "08006",
        "40001",
        "40P01",
        "53100",
        "55P03",
        "57P01",
        "57014",
        "58030",
        "42P01",
        "XX001",
    ],
)
def test_everything_else_can_pass(sqlstate: str | None) -> None:
    assert not is_data_fault(sqlstate)


def test_the_two_kinds_of_failure_cannot_be_mistaken_for_each_other() -> None:
    assert not issubclass(DataRefusedError, StoreError)
    assert not issubclass(StoreError, DataRefusedError)


def test_days_are_utc_and_go_on_before_1970() -> None:
    assert [day_of(ts_ms) for ts_ms in (-1, 0, DAY_MS - 1, DAY_MS)] == [-1, 0, 0, 1]
    assert partition_name("sample", day_of(NOW_MS)) == "sample_d20261123"
    assert day_of_partition("sample_d20261123") == day_of(NOW_MS)
    assert day_start(day_of(NOW_MS)) == "2026-11-23 00:00:00+00"


def test_the_window_is_400_days_back_and_1_ahead() -> None:
    today = day_of(NOW_MS)
    asked = range(today - 500, today + 500)
    assert days_with_partition(asked, NOW_MS) == set(range(today - 400, today + 2))


def test_notices_name_every_series_and_fit_the_servers_limit() -> None:
    series_ids = list(range(1, 5_000))
    payloads = list(live_payloads(series_ids))
    assert [each for payload in payloads for each in parse_live_payload(payload)] == series_ids
    assert max(map(len, payloads)) <= PAYLOAD_SIZE_MAX_BYTES
    assert len(payloads) == 4  # 4,999 numbers of up to 4 digits and a comma: 23,888 bytes


def test_a_notice_that_is_not_ours_is_ignored() -> None:
    assert parse_live_payload("") == []
    assert parse_live_payload("7,x,-1,³,8") == [7, 8]


NOUNS = sorted(file.stem for file in (Path(central.store.__file__).parent / "sql").iterdir())


@pytest.mark.parametrize("noun", NOUNS)
def test_every_query_has_a_name_and_a_reason(noun: str) -> None:
    assert load_queries(noun)


def test_fresh_batches_are_put_and_repeated_ones_only_answered() -> None:
    batches = [batch_of_body(seq, b"%d" % seq, 1) for seq in (1, 2, 3)]
    held = {(LANE, 1): batches[0].sha256}
    settlement = settle(batches, {(LANE, 3)}, held)  # nobody knows any more what 2 was
    assert [batch.seq for batch in settlement.fresh] == [3]
    assert [batch.seq for batch in settlement.repeated] == [1, 2]
    assert settlement.result().stored == {LANE: Ranges.of((1, 3))}


def test_the_first_body_under_a_number_wins() -> None:
    first, other = batch_of_body(1, b"first", 1), batch_of_body(1, b"other", 1)
    settlement = settle([first, other, first], {(LANE, 1)}, {})
    assert settlement.fresh == (first,)
    assert settlement.repeated == (first,)
    assert settlement.conflicting == (other,)


def test_the_newest_entry_decides_and_its_like_belong_to_it() -> None:
    number, flag, text = ValueType.NUMBER, ValueType.FLAG, ValueType.TEXT
    entries = [Entry(4, "%", flag), Entry(3, "%", text), Entry(2, "ppm", number)]
    family = family_of([*entries, Entry(1, "%", number)])
    assert family is not None
    assert family.series_ids == (4, 1)
    assert (family.unit, family.value_type) == ("%", number)  # flags and numbers mixed
    alone = family_of(entries)
    assert alone is not None
    assert (alone.series_ids, alone.value_type) == ((4,), flag)
    assert family_of([]) is None
