"""Runs of sequence numbers: gaps, late arrivals, repeated numbers and restarts of the device."""

import random
from dataclasses import dataclass, field

import pytest

from edge.ingest.sequence import (
    MISSING_PER_GAP_MAX,
    OPEN_GAPS_MAX,
    REORDER_MAX_MS,
    SequenceState,
    SequenceVerdict,
)
from shared.domain.samples import Quality

STEP_MS = 1_000  # the device of these stories measures once a second


def verdicts(*arrivals: tuple[int, int]) -> list[SequenceVerdict]:
    state = SequenceState()
    return [state.advance(seq, ts_ms) for seq, ts_ms in arrivals]


def seconds(*numbers: int) -> list[tuple[int, int]]:
    """Number n measured at second n."""
    return [(number, number * STEP_MS) for number in numbers]


def test_numbers_in_order_tell_nothing() -> None:
    assert verdicts(*seconds(0, 1, 2, 3)) == [SequenceVerdict()] * 4


def test_the_first_number_of_an_unknown_device_may_be_any() -> None:
    assert verdicts(*seconds(4711, 4712)) == [SequenceVerdict()] * 2


def test_a_jump_flags_the_sample_after_it_and_counts_what_is_missing() -> None:
    assert verdicts(*seconds(5, 9))[-1] == SequenceVerdict(
        Quality.GAP_BEFORE, missing=3, gap=(6, 8, 5000)
    )


def test_a_jump_without_measure_counts_no_more_than_the_limit() -> None:
    assert verdicts((5, 0), (2**40, 1))[-1].missing == MISSING_PER_GAP_MAX


def test_a_late_number_closes_its_place_in_the_gap() -> None:
    late = verdicts(*seconds(5, 9, 7))[-1]
    assert late == SequenceVerdict(Quality.OUT_OF_ORDER, recovered=True)


def test_a_number_closes_its_gap_only_once() -> None:
    # 7 comes twice with different times: the second is a number used before.
    again = verdicts(*seconds(5, 9, 7), (7, 6_500))[-1]
    assert again.quality == Quality.OUT_OF_ORDER | Quality.REPEATED_SEQ


def test_only_the_newest_gaps_are_remembered() -> None:
    arrivals = seconds(*range(0, 2 * (OPEN_GAPS_MAX + 2), 2))  # every odd number is missing
    assert not verdicts(*arrivals, (1, 1_000))[-1].recovered
    assert verdicts(*arrivals, (5, 5_000))[-1].recovered


def test_the_same_number_with_another_time_is_repeated() -> None:
    assert verdicts((7, 1_000), (7, 2_000))[-1] == SequenceVerdict(Quality.REPEATED_SEQ)


def test_a_number_from_before_the_first_that_was_seen_is_only_out_of_order() -> None:
    assert verdicts(*seconds(100, 50))[-1] == SequenceVerdict(Quality.OUT_OF_ORDER)


@pytest.mark.parametrize("first", [0, 1])
def test_zero_and_one_begin_a_new_run_without_a_flag(first: int) -> None:
    told = verdicts((800, 10_000), (first, 20_000), (first + 1, 21_000))
    assert told[1:] == [SequenceVerdict(restarted=True), SequenceVerdict()]


def test_a_device_that_always_sends_zero_is_never_flagged() -> None:
    assert all(told.quality == 0 for told in verdicts(*[(0, ts_ms) for ts_ms in range(9)]))


def test_a_restart_with_its_clock_not_yet_set_is_a_new_run() -> None:
    ts_ms = 10 * REORDER_MAX_MS
    assert verdicts((800, ts_ms), (0, 5))[-1].restarted


def test_zero_that_comes_just_after_one_is_late_and_no_restart() -> None:
    told = verdicts((1, 1_000), (0, 0), (2, 2_000))
    assert [verdict.restarted for verdict in told] == [False, False, False]
    assert told[2] == SequenceVerdict()


def test_a_restart_whose_first_numbers_were_lost_is_flagged_as_a_gap() -> None:
    # After boot 1, 2 and perhaps 0 were lost; by its time 3 is newer than 800 was.
    told = verdicts((800, 800_000), (3, 830_000), (2, 829_000))
    assert told[1] == SequenceVerdict(
        Quality.GAP_BEFORE, missing=2, restarted=True, gap=(1, 2, 800_000)
    )
    assert told[2].recovered


def test_a_restart_with_its_clock_a_little_behind_is_believed_after_a_few_numbers() -> None:
    # The clock stepped back by 5 s: 0 to 2 look like late samples, then the run is believed.
    told = verdicts((800, 800_000), *[(n, 795_000 + n) for n in range(6)])
    assert [verdict.restarted for verdict in told] == [False] * 4 + [True, False, False]
    assert told[-1] == SequenceVerdict()


@dataclass
class Device:
    """Counts and restarts; knows what it sent in its present run."""

    seq: int = -1
    ts_ms: int = 1_000_000
    sent: list[tuple[int, int]] = field(default_factory=list)

    def step(self, chance: random.Random) -> tuple[int, int]:
        restarts = chance.random() < 0.01
        self.seq = chance.choice((0, 1)) if restarts else self.seq + 1
        self.ts_ms += chance.randrange(2_000, 5_000) if restarts else STEP_MS
        return self.seq, self.ts_ms


@pytest.mark.parametrize("seed", range(20))
def test_every_loss_inside_a_run_is_counted_exactly(seed: int) -> None:
    """Losses are told by the next arrival of the same run; a lost tail can never be told."""
    chance, device, state = random.Random(seed), Device(), SequenceState()
    lost = counted = untold = 0
    state.advance(*device.step(chance))
    for _ in range(3_000):
        seq, ts_ms = device.step(chance)
        if seq <= 1:
            untold = 0  # what was lost at the end of the run before stays unknown
        if chance.random() < 0.05:
            # Whether a run begins at 0 or 1 is not known: a lost 0 cannot be told.
            untold += seq > 0
            continue
        told = state.advance(seq, ts_ms)
        counted += told.missing
        lost += untold
        assert bool(told.quality & Quality.GAP_BEFORE) == (untold > 0)
        untold = 0
    assert counted == lost > 0
