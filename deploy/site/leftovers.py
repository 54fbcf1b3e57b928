"""Processes that an earlier supervisor left behind: recognised beyond doubt, then stopped.

A number alone proves nothing, for the kernel reuses it. A child is ours if its record names its
start time, or its environment carries this state directory; PostgreSQL is ours if the process in
its lock file works in its data directory.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.errors import SiteError
from deploy.site.children import CHILD_VARIABLE, STATE_VARIABLE
from deploy.site.private_files import write_private
from deploy.site.state_dir import StateDir, read_table
from shared.clock import Clock

FAST_SHUTDOWN = signal.SIGINT  # PostgreSQL: disconnect the clients, write a checkpoint, end
IMMEDIATE_SHUTDOWN = signal.SIGQUIT  # PostgreSQL: end now; the next start replays the log
POSTGRES = "postgres"
# Harvested in this order: whoever feeds first, the database last.
_ASK_TIMEOUT_S = 5.0
_POSTGRES_FAST_TIMEOUT_S = 15.0
_POSTGRES_IMMEDIATE_TIMEOUT_S = 10.0
_KILL_TIMEOUT_S = 5.0
_POLL_S = 0.05
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A live process of an earlier run."""

    name: str
    pid: int


def record_child(state: StateDir, name: str, pid: int) -> None:
    """Write down that ``pid`` is the child ``name``."""
    text = json.dumps({"name": name, "pid": pid, "birth": _birth(pid)})
    write_private(_record(state, name), text + "\n")


def forget_child(state: StateDir, name: str) -> None:
    """Remove the record of the child ``name``."""
    _record(state, name).unlink(missing_ok=True)


def find_leftovers(state: StateDir) -> list[Leftover]:
    """Return the live processes that belong to ``state``, PostgreSQL last."""
    found = {leftover.pid: leftover for leftover in _recorded(state)}
    found |= {leftover.pid: leftover for leftover in _marked(state)}
    server = postmaster_pid(state.postgres / "data")
    if server is not None:
        found[server] = Leftover(POSTGRES, server)
    found.pop(os.getpid(), None)
    return sorted(found.values(), key=lambda leftover: (leftover.name == POSTGRES, leftover.pid))


def postmaster_pid(data: Path) -> int | None:
    """Return the process of the server that works in ``data``, None if there is none."""
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
        process = psutil.Process(pid)
        if process.name() != POSTGRES:
            return None
        here = Path(process.cwd()) == data.resolve()
        return pid if here or str(data) in process.cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


async def stop_leftovers(leftovers: Sequence[Leftover], clock: Clock) -> None:
    """Stop ``leftovers``: all others together first, then PostgreSQL with its own signals.

    Raises:
        SiteError: if one survives even that.
    """
    others = [leftover.pid for leftover in leftovers if leftover.name != POSTGRES]
    servers = [leftover.pid for leftover in leftovers if leftover.name == POSTGRES]
    remaining = await _signalled(others, signal.SIGTERM, _ASK_TIMEOUT_S, clock)
    remaining = await _signalled(remaining, signal.SIGKILL, _KILL_TIMEOUT_S, clock)
    servers = await _signalled(servers, FAST_SHUTDOWN, _POSTGRES_FAST_TIMEOUT_S, clock)
    servers = await _signalled(servers, IMMEDIATE_SHUTDOWN, _POSTGRES_IMMEDIATE_TIMEOUT_S, clock)
    servers = await _signalled(servers, signal.SIGKILL, _KILL_TIMEOUT_S, clock)
    if remaining or servers:
        numbers = ", ".join(str(pid) for pid in [*remaining, *servers])
        raise SiteError(f"processes of an earlier run cannot be stopped: {numbers}")


async def _signalled(
    pids: Sequence[int], number: signal.Signals, timeout_s: float, clock: Clock
) -> list[int]:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # a frozen process would never see the signal
    deadline_s = clock.monotonic_s() + timeout_s
    alive = [pid for pid in pids if _alive(pid)]
    while alive and clock.monotonic_s() < deadline_s:
        await asyncio.sleep(_POLL_S)
        alive = [pid for pid in alive if _alive(pid)]
    return alive


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _recorded(state: StateDir) -> list[Leftover]:
    found: list[Leftover] = []
    for file in sorted(state.run.glob("child-*.json")):
        record = read_table(file)
        name, pid, birth = record.get("name"), record.get("pid"), record.get("birth")
        if not (isinstance(name, str) and isinstance(pid, int) and isinstance(birth, str)):
            continue
        if birth and _birth(pid) == birth and _alive(pid):
            found.append(Leftover(name, pid))
    return found


def _marked(state: StateDir) -> list[Leftover]:
    found: list[Leftover] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            variables = process.environ()
            if variables.get(STATE_VARIABLE) == str(state.root) and _alive(process.pid):
                found.append(Leftover(variables.get(CHILD_VARIABLE, "unknown"), process.pid))
    return found


def _birth(pid: int) -> str:
    """Return what no other process of this machine ever shares with ``pid``; empty if it is gone.

    The start in clock ticks since boot, and the boot: unlike a time of day, no clock change
    touches them.
    """
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    started_ticks = fields.rpartition(")")[2].split()[19]
    return f"{boot}/{started_ticks}"


def _record(state: StateDir, name: str) -> Path:
    return state.run / f"child-{name}.json"
