"""A clock that is behind what was recorded, and what is believed of devices meanwhile."""

import pytest

from edge.ingest.clock_doubt import AHEAD_MAX_MS, ClockDoubt

RECORDED_MS = 1_700_000_000_000
TOLERANCE_MS = 300_000


def doubt_of(recorded_ms: int = RECORDED_MS) -> ClockDoubt:
    return ClockDoubt(recorded_ms=recorded_ms, tolerance_ms=TOLERANCE_MS)


@pytest.mark.parametrize(
    ("behind_ms", "expected_ms"), [(-5, 0), (0, 0), (300_000, 0), (300_001, 300_001)]
)
def test_a_clock_is_in_doubt_when_it_is_far_behind_the_record(
    behind_ms: int, expected_ms: int
) -> None:
    assert doubt_of().behind_ms(RECORDED_MS - behind_ms) == expected_ms


def test_without_a_record_there_is_no_doubt() -> None:
    assert doubt_of(recorded_ms=0).behind_ms(1) == 0


def test_a_device_is_believed_a_little_ahead_and_in_doubt_far() -> None:
    doubt = doubt_of()
    assert doubt.believed_ms(RECORDED_MS, 2_000) == RECORDED_MS + 2_000
    assert doubt.believed_ms(RECORDED_MS - 10**9, 2_000) == RECORDED_MS + AHEAD_MAX_MS


def test_what_is_received_is_on_record_and_a_step_back_is_seen() -> None:
    doubt = doubt_of(recorded_ms=0)
    doubt.note(RECORDED_MS)
    doubt.note(RECORDED_MS - 10**9)
    assert (doubt.recorded_ms, doubt.behind_ms(RECORDED_MS - 10**9)) == (RECORDED_MS, 10**9)


def test_the_doubt_ends_when_the_clock_is_set() -> None:
    doubt = doubt_of()
    assert doubt.behind_ms(RECORDED_MS - 10**9) > 0
    doubt.note(RECORDED_MS + 5)
    assert doubt.behind_ms(RECORDED_MS + 5) == 0
