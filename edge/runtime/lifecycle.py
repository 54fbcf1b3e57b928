"""The life of an edge process as a table: phases, what moves it on, and how long a stop may take.

Pure: who carries the stages out is ``daemon.py``. The stages of the stop add up to less than 4 s,
which is what supervisors allow.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where the process is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Signal(StrEnum):
    """What moves the process from one phase to the next."""

    READY = "ready"  # everything is open and the work loop runs
    STOP = "stop"  # asked to stop, by a signal or by the caller
    STAGES_DONE = "stages_done"
    FAULT = "fault"  # a part broke in a way that only a restart can mend


TRANSITIONS: Final[dict[tuple[Phase, Signal], Phase]] = {
    (Phase.STARTING, Signal.READY): Phase.RUNNING,
    (Phase.STARTING, Signal.STOP): Phase.STOPPING,
    (Phase.STARTING, Signal.FAULT): Phase.FAILED,
    (Phase.RUNNING, Signal.STOP): Phase.STOPPING,
    (Phase.RUNNING, Signal.FAULT): Phase.FAILED,
    (Phase.STOPPING, Signal.STOP): Phase.STOPPING,  # a second Ctrl-C changes nothing
    (Phase.STOPPING, Signal.STAGES_DONE): Phase.STOPPED,
    (Phase.STOPPING, Signal.FAULT): Phase.FAILED,
}


def next_phase(phase: Phase, signal: Signal) -> Phase:
    """Return the phase that follows.

    Raises:
        ValueError: if ``signal`` has no meaning in ``phase``.
    """
    following = TRANSITIONS.get((phase, signal))
    if following is None:
        raise ValueError(f"{signal} has no meaning while {phase}")
    return following


@dataclass(frozen=True, slots=True)
class StopStage:
    """One stage of the stop and how long it may take before the next begins regardless."""

    name: str
    timeout_s: float


# Nothing new is taken from the moment the stop begins. What was taken is made durable and
# acknowledged first; then those who read the log go, and the log itself goes last.
FLUSH: Final = StopStage("commit and acknowledge what was read", 1.2)
STOP_READING: Final = StopStage("leave the broker", 0.2)
STOP_UPLINK: Final = StopStage("say goodbye to central", 0.8)
STOP_API: Final = StopStage("finish answers under way", 0.7)
CLOSE_LOG: Final = StopStage("close the log", 0.8)

STOP_STAGES: Final = (FLUSH, STOP_READING, STOP_UPLINK, STOP_API, CLOSE_LOG)
STOP_TOTAL_MAX_S: Final = 4.0
