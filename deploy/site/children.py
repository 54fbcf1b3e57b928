"""What a child process of a site is: its command, its account, its probe and its times."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.site.supervision import ChildTimes

LAUNCHER = Path(__file__).with_name("launch.py")
STATE_VARIABLE = "HEADFRAME_UP_STATE"  # marks every child with the state directory it belongs to
CHILD_VARIABLE = "HEADFRAME_UP_CHILD"


@dataclass(frozen=True, slots=True)
class Account:
    """The system account a child runs under; ``read_anywhere`` lets it pass closed folders."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    read_anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one process."""

    command: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    account: Account | None = None  # None: the supervisor's own
    death_signal: signal.Signals = signal.SIGTERM  # sent by the kernel when the supervisor dies

    def argv(self) -> list[str]:
        """Return the whole command line, the launcher included."""
        options = [f"--parent={os.getpid()}", f"--death-signal={int(self.death_signal)}"]
        if self.account is not None:
            groups = ",".join(str(group) for group in self.account.groups)
            options += [f"--uid={self.account.uid}", f"--gid={self.account.gid}"]
            options += [f"--groups={groups}"]
            options += ["--read-anywhere"] if self.account.read_anywhere else []
        return [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--", *self.command]


async def nothing() -> None:
    """Do nothing: most children need no preparation."""


async def _at_once() -> bool:
    return True


async def _never() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One row of the table of children."""

    name: str
    launch: Callable[[], Launch]  # asked before every start
    times: ChildTimes
    answers: Callable[[], Awaitable[bool]] = _at_once  # the readiness probe; it does not raise
    # Asked again and again while it is ready: what only a new start can cure, or None. No raise.
    fault: Callable[[], Awaitable[str | None]] = _never
    before_first_start: Callable[[], Awaitable[None]] = nothing  # raises SiteError
    after_first_ready: Callable[[], Awaitable[None]] = nothing  # raises SiteError
    stop_signal: signal.Signals = signal.SIGTERM
    # The ways to force an end, mildest first; the last one is repeated.
    kill_signals: tuple[signal.Signals, ...] = (signal.SIGKILL,)
