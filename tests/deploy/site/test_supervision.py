"""The table that starts, restarts and stops children."""

import random

import pytest

from deploy.site.supervision import (
    BACKOFF_MAX_S,
    BACKOFF_MIN_S,
    FIRST_START_ATTEMPTS_MAX,
    STEADY_AFTER_S,
    ChildState,
    ChildTimes,
    Phase,
    Step,
    Trigger,
    advance,
    backoff_s,
)

TIMES = ChildTimes(start_timeout_s=20.0, stop_timeout_s=3.0)


def told(state: ChildState, *triggers: Trigger, now_s: float = 0.0) -> ChildState:
    for trigger in triggers:
        state, _ = advance(state, trigger, run=state.run, now_s=now_s, times=TIMES)
    return state


READY = told(ChildState(), Trigger.START, Trigger.ANSWERED)


def test_a_started_child_is_spawned_and_ready_once_it_answers() -> None:
    state, steps = advance(ChildState(), Trigger.START, run=0, now_s=5.0, times=TIMES)
    assert (state.phase, state.run, state.deadline_s, steps) == (
        Phase.STARTING,
        1,
        25.0,  # 5 + the 20 s that a start may take
        (Step.SPAWN,),
    )
    assert told(state, Trigger.ANSWERED).phase is Phase.READY


def test_a_killed_child_comes_back_after_a_pause() -> None:
    dead, steps = advance(READY, Trigger.EXITED, run=1, now_s=10.0, times=TIMES)
    assert (dead.phase, dead.deadline_s, steps) == (Phase.BACKOFF, 10.0 + BACKOFF_MIN_S, ())
    again, steps = advance(dead, Trigger.OVERDUE, run=1, now_s=10.5, times=TIMES)
    assert (again.phase, again.run, steps) == (Phase.STARTING, 2, (Step.SPAWN,))


def test_an_unwell_child_is_killed_and_started_again() -> None:
    ending, steps = advance(READY, Trigger.UNWELL, run=1, now_s=10.0, times=TIMES)
    assert (ending.phase, steps) == (Phase.ENDING, (Step.KILL,))
    assert told(ending, Trigger.EXITED, Trigger.OVERDUE, now_s=10.0).phase is Phase.STARTING


def test_a_fault_of_an_earlier_process_changes_nothing() -> None:
    assert advance(READY, Trigger.UNWELL, run=0, now_s=10.0, times=TIMES) == (READY, ())


def test_the_pause_grows_with_every_failure_in_a_row_up_to_a_limit() -> None:
    assert [backoff_s(n) for n in (1, 2, 3, 4, 5, 6, 60)] == [
        0.5,
        1.0,
        2.0,
        4.0,
        8.0,
        BACKOFF_MAX_S,
        BACKOFF_MAX_S,
    ]


def test_a_steady_time_forgives_earlier_failures() -> None:
    shaky = told(READY, Trigger.EXITED, Trigger.OVERDUE, Trigger.ANSWERED)
    early = told(shaky, Trigger.EXITED, now_s=STEADY_AFTER_S - 1)
    late = told(shaky, Trigger.EXITED, now_s=STEADY_AFTER_S)
    assert (early.failures, late.failures) == (2, 1)


def test_a_child_that_never_came_up_is_given_up() -> None:
    state = told(ChildState(), Trigger.START)
    for _ in range(FIRST_START_ATTEMPTS_MAX - 1):
        state = told(state, Trigger.EXITED, Trigger.OVERDUE)
    assert told(state, Trigger.EXITED).phase is Phase.FAILED


def test_a_child_that_once_was_ready_is_never_given_up_but_called_flapping() -> None:
    state = READY
    for _ in range(50):
        state = told(state, Trigger.EXITED, Trigger.OVERDUE)
    assert state.phase is Phase.STARTING
    assert state.flapping


def test_a_child_that_does_not_answer_in_time_is_killed_and_tried_again() -> None:
    slow = told(ChildState(), Trigger.START)
    ending, steps = advance(slow, Trigger.OVERDUE, run=1, now_s=20.0, times=TIMES)
    assert (ending.phase, steps) == (Phase.ENDING, (Step.KILL,))
    assert told(ending, Trigger.EXITED).phase is Phase.BACKOFF


def test_a_stop_asks_first_and_kills_when_the_time_is_over() -> None:
    stopping, steps = advance(READY, Trigger.STOP, run=1, now_s=100.0, times=TIMES)
    assert (stopping.deadline_s, steps) == (103.0, (Step.ASK_TO_STOP,))
    stuck, steps = advance(stopping, Trigger.OVERDUE, run=1, now_s=103.0, times=TIMES)
    assert (stuck.phase, steps) == (Phase.STOPPING, (Step.KILL,))
    assert told(stuck, Trigger.EXITED).phase is Phase.STOPPED


@pytest.mark.parametrize("before", [(), (Trigger.START, Trigger.ANSWERED, Trigger.EXITED)])
def test_a_child_without_a_process_stops_at_once(before: tuple[Trigger, ...]) -> None:
    assert told(ChildState(), *before, Trigger.STOP).phase is Phase.STOPPED


def test_a_report_about_an_earlier_process_changes_nothing() -> None:
    second = told(READY, Trigger.EXITED, Trigger.OVERDUE)
    for trigger in (Trigger.ANSWERED, Trigger.EXITED):
        assert advance(second, trigger, run=1, now_s=1.0, times=TIMES) == (second, ())


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_there_is_one_process_at_most_and_none_after_the_stop(seed: int) -> None:
    """Random reports against a world that has at most one process per spawn."""
    chance = random.Random(seed)
    state, alive, now_s, stop_asked = ChildState(), 0, 0.0, False
    for _ in range(300):
        now_s += chance.random() * 5
        trigger = chance.choice(list(Trigger))
        if trigger is Trigger.EXITED and not alive:
            continue  # only a process can end
        if trigger is Trigger.ANSWERED and not alive:
            run = chance.randint(0, state.run)  # a probe's late answer
        else:
            run = state.run
        state, steps = advance(state, trigger, run=run, now_s=now_s, times=TIMES)
        alive -= trigger is Trigger.EXITED
        stop_asked |= trigger is Trigger.STOP
        alive += steps.count(Step.SPAWN)
        assert alive in (0, 1)
        assert not (stop_asked and Step.SPAWN in steps)
        assert (state.phase in (Phase.STARTING, Phase.ENDING)) <= bool(alive)
        assert (state.phase in (Phase.STOPPED, Phase.FAILED, Phase.BACKOFF)) <= (not alive)
    state = told(state, Trigger.STOP)
    if alive:
        state = told(state, Trigger.OVERDUE, Trigger.EXITED)
    assert state.phase is Phase.STOPPED
