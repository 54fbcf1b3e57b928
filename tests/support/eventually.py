"""Waits for a condition of the real world, with a limit."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

TIMEOUT_S = 20.0
POLL_S = 0.05  # of other processes
GLANCE_S = 0.005  # at this process, which costs nothing


async def eventually(holds: Callable[[], Awaitable[bool]], *, timeout_s: float = TIMEOUT_S) -> None:
    """Return when ``holds`` returns true; fail after ``timeout_s``."""
    for _ in range(int(timeout_s / POLL_S)):
        if await holds():
            return
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"not within {timeout_s} s")


async def until(holds: Callable[[], bool], *, timeout_s: float = TIMEOUT_S) -> None:
    """Return when ``holds`` returns true of this process; fail after ``timeout_s``."""
    for _ in range(int(timeout_s / GLANCE_S)):
        if holds():
            return
        await asyncio.sleep(GLANCE_S)
    raise AssertionError(f"not within {timeout_s} s")


def gone(pid: int) -> bool:
    """Tell whether ``pid`` has ended; where nobody buries it, it stays as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
