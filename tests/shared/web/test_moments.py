"""Times in requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import iso_utc
from shared.web.moments import parse_moment

NOW_MS = 1_793_599_200_000


@pytest.mark.parametrize(
    "text",
    [
        "1793599200000",
        "2026-11-02T06:00:00Z",
        "2026-11-02T06:00:00.000Z",
        "2026-11-02T06:00:00+00:00",
        "2026-11-02T07:00:00+01:00",
        "2026-11-02T07:00:00 01:00",  # a plus that nobody escaped
        "2026-11-02T00:30:00-05:30",
        "20261102T060000Z",
    ],
)
def test_the_same_moment_in_many_ways(text: str) -> None:
    assert parse_moment(text) == NOW_MS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-02",
        "2026-11-02T06:00:00",  # whose six o'clock?
        "2026-13-02T06:00:00Z",
        "1e12",
        "12.5",
        "99999999999999999999",
        "+1793599200000",
        "\uff11\uff17\uff19\uff13",  # digits, but of another script
        "nan",
    ],
)
def test_what_is_no_moment_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="2026-11-02T06:00:00Z"):
        parse_moment(text)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_what_we_write_we_can_read(ts_ms: int) -> None:
    assert parse_moment(iso_utc(ts_ms)) == ts_ms
    assert parse_moment(str(ts_ms)) == ts_ms
