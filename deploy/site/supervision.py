"""When a child process is started, restarted, stopped and given up: one table. Pure.

RULES of this file: every change of phase is in TRANSITIONS; nothing here knows a process, a clock
or a signal number. The shell (`supervisor`) reports triggers and carries out steps.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

BACKOFF_MIN_S = 0.5  # a child that crashed once is back before anyone looks
BACKOFF_MAX_S = 10.0  # a child that cannot start costs little, and returns soon after the cure
STEADY_AFTER_S = 30.0  # ready for this long: earlier failures are forgotten
FIRST_START_ATTEMPTS_MAX = 3  # before it was ever ready, more attempts only hide the message
FLAPPING_FROM = 3  # failures in a row that deserve a warning


class Phase(StrEnum):
    """Where a child stands."""

    WAITING = "waiting"  # not started yet
    STARTING = "starting"  # runs, does not answer yet
    READY = "ready"  # answers
    ENDING = "ending"  # killed because it did not answer in time, or is unwell
    BACKOFF = "backoff"  # dead, will be started again
    STOPPING = "stopping"  # asked to stop
    STOPPED = "stopped"  # ended because it was asked to
    FAILED = "failed"  # given up at its first start


class Trigger(StrEnum):
    """What can happen to a child."""

    START = "start"
    ANSWERED = "answered"  # its readiness probe succeeded
    EXITED = "exited"
    UNWELL = "unwell"  # it runs and answers, but only a new start can cure what it has
    OVERDUE = "overdue"  # the deadline of the phase has passed
    STOP = "stop"


class Step(StrEnum):
    """What the shell has to do."""

    SPAWN = "spawn"
    ASK_TO_STOP = "ask_to_stop"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class ChildTimes:
    """How long a child may take."""

    start_timeout_s: float
    stop_timeout_s: float


@dataclass(frozen=True, slots=True)
class ChildState:
    """One child; ``run`` counts its processes from 1, so that late reports can be told apart."""

    phase: Phase = Phase.WAITING
    run: int = 0
    failures: int = 0  # in a row
    ever_ready: bool = False
    ready_since_s: float | None = None
    deadline_s: float | None = None  # when OVERDUE is due

    @property
    def flapping(self) -> bool:
        """Whether it has failed so often in a row that someone should look."""
        return self.failures >= FLAPPING_FROM


_P, _T = Phase, Trigger

# (phase, trigger) -> (next phase, steps). What is not listed changes nothing.
TRANSITIONS: dict[tuple[Phase, Trigger], tuple[Phase, tuple[Step, ...]]] = {
    (_P.WAITING, _T.START): (_P.STARTING, (Step.SPAWN,)),
    (_P.WAITING, _T.STOP): (_P.STOPPED, ()),
    (_P.STARTING, _T.ANSWERED): (_P.READY, ()),
    (_P.STARTING, _T.EXITED): (_P.BACKOFF, ()),
    (_P.STARTING, _T.OVERDUE): (_P.ENDING, (Step.KILL,)),
    (_P.STARTING, _T.STOP): (_P.STOPPING, (Step.ASK_TO_STOP,)),
    (_P.READY, _T.EXITED): (_P.BACKOFF, ()),
    (_P.READY, _T.UNWELL): (_P.ENDING, (Step.KILL,)),
    (_P.READY, _T.STOP): (_P.STOPPING, (Step.ASK_TO_STOP,)),
    (_P.ENDING, _T.EXITED): (_P.BACKOFF, ()),
    (_P.ENDING, _T.STOP): (_P.STOPPING, ()),
    (_P.BACKOFF, _T.OVERDUE): (_P.STARTING, (Step.SPAWN,)),
    (_P.BACKOFF, _T.STOP): (_P.STOPPED, ()),
    (_P.STOPPING, _T.EXITED): (_P.STOPPED, ()),
    (_P.STOPPING, _T.OVERDUE): (_P.STOPPING, (Step.KILL,)),
    (_P.FAILED, _T.STOP): (_P.STOPPED, ()),
}


def advance(
    state: ChildState, trigger: Trigger, *, run: int, now_s: float, times: ChildTimes
) -> tuple[ChildState, tuple[Step, ...]]:
    """Return the state after ``trigger`` and the steps to carry out, in order.

    ``run`` is the process that the trigger speaks of (EXITED, ANSWERED, UNWELL); a report about
    an earlier process changes nothing.
    """
    if trigger in (Trigger.ANSWERED, Trigger.EXITED, Trigger.UNWELL) and run != state.run:
        return state, ()
    found = TRANSITIONS.get((state.phase, trigger))
    if found is None:
        return state, ()
    phase, steps = found
    return _entered(state, phase, now_s, times), steps


def _entered(state: ChildState, phase: Phase, now_s: float, times: ChildTimes) -> ChildState:
    match phase:
        case Phase.STARTING:
            return replace(
                state, phase=phase, run=state.run + 1, deadline_s=now_s + times.start_timeout_s
            )
        case Phase.READY:
            return replace(
                state, phase=phase, ever_ready=True, ready_since_s=now_s, deadline_s=None
            )
        case Phase.STOPPING:
            return replace(state, phase=phase, deadline_s=now_s + times.stop_timeout_s)
        case Phase.BACKOFF:
            return _failed_once_more(state, now_s)
        case _:
            return replace(state, phase=phase, deadline_s=None)


def _failed_once_more(state: ChildState, now_s: float) -> ChildState:
    since_s = state.ready_since_s
    steady = since_s is not None and now_s - since_s >= STEADY_AFTER_S
    failures = 1 if steady else state.failures + 1
    if not state.ever_ready and failures >= FIRST_START_ATTEMPTS_MAX:
        return replace(state, phase=Phase.FAILED, failures=failures, deadline_s=None)
    return replace(
        state,
        phase=Phase.BACKOFF,
        failures=failures,
        ready_since_s=None,
        deadline_s=now_s + backoff_s(failures),
    )


def backoff_s(failures: int) -> float:
    """Return the pause in seconds before the restart after ``failures`` (from 1) in a row."""
    return min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2.0 ** min(failures - 1, 16))
