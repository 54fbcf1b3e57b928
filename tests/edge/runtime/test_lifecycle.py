"""The table of phases and the stages of the stop."""

import random

import pytest

from edge.runtime.lifecycle import (
    STOP_STAGES,
    STOP_TOTAL_MAX_S,
    TRANSITIONS,
    Phase,
    Signal,
    next_phase,
)


def test_a_life_goes_from_start_to_stop() -> None:
    phase = Phase.STARTING
    for signal in (Signal.READY, Signal.STOP, Signal.STOP, Signal.STAGES_DONE):
        phase = next_phase(phase, signal)
    assert phase is Phase.STOPPED


def test_a_stop_may_come_before_the_start_is_complete() -> None:
    assert next_phase(Phase.STARTING, Signal.STOP) is Phase.STOPPING


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("end", [Phase.STOPPED, Phase.FAILED])
def test_nothing_follows_an_end(end: Phase, signal: Signal) -> None:
    with pytest.raises(ValueError, match="no meaning"):
        next_phase(end, signal)


@pytest.mark.parametrize("seed", range(10))
def test_every_life_ends_once_it_is_told_to(seed: int) -> None:
    chance, phase = random.Random(seed), Phase.STARTING
    for _ in range(50):
        possible = sorted(signal for at, signal in TRANSITIONS if at is phase)
        if not possible:
            break
        phase = next_phase(phase, chance.choice(possible))
    else:
        phase = next_phase(next_phase(phase, Signal.STOP), Signal.STAGES_DONE)
    assert phase in (Phase.STOPPED, Phase.FAILED)


def test_the_stages_fit_into_what_a_supervisor_is_promised() -> None:
    assert sum(stage.timeout_s for stage in STOP_STAGES) < STOP_TOTAL_MAX_S
