"""Processes that a benchmark starts, each with what it says in a file; ended when it is over."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from bench.errors import BenchError

STOP_TIMEOUT_S = 20.0  # the site promises 10 s
LOOK_EVERY_S = 0.1
_TAIL_LINES = 20

Answer = TypeVar("Answer")


@contextlib.asynccontextmanager
async def started(
    output: Path, *command: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Process]:
    """Run ``command`` for the length of the block, with all it says in the file ``output``.

    ``environment`` comes on top of this process' own.
    """
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process
    finally:
        await stop_process(process)


async def answer_of(
    process: Process,
    ask: Callable[[], Awaitable[Answer | None]],
    *,
    timeout_s: float,
    output: Path,
    failed: str,
) -> Answer:
    """Ask every LOOK_EVERY_S while ``process`` runs; return the first answer that is true.

    Raises:
        BenchError: if it ends first or ``timeout_s`` pass; ``failed`` and the end of ``output``.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while process.returncode is None:
                if answer := await ask():
                    return answer
                await asyncio.sleep(LOOK_EVERY_S)
    tail = "\n".join(lines_of(output)[-_TAIL_LINES:])
    raise BenchError(f"{failed}:\n{tail}")


def lines_of(output: Path) -> list[str]:
    """Return what a process has said until now."""
    return output.read_text(encoding="utf-8", errors="replace").splitlines()


async def stop_process(process: Process) -> None:
    """Ask ``process`` to stop; after STOP_TIMEOUT_S it is killed."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
