"""Waits for a condition of the real world, with a limit."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

POLL_S = 0.05


async def eventually(holds: Callable[[], Awaitable[bool]], *, timeout_s: float = 20.0) -> None:
    """Return when ``holds`` returns true; fail after ``timeout_s``."""
    for _ in range(int(timeout_s / POLL_S)):
        if await holds():
            return
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"not within {timeout_s} s")


def gone(pid: int) -> bool:
    """Tell whether ``pid`` has ended; where nobody buries it, it stays as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
