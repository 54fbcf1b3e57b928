"""Our own programs, and tools that run to their end."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.errors import SiteError

_TAIL_CHARACTERS = 2_000


def own_program(name: str) -> tuple[str, ...]:
    """Return the start of a command line for the console script ``name`` of this environment."""
    return (sys.executable, str(Path(sys.executable).parent / name))


async def run_to_end(
    name: str,
    command: Sequence[str],
    *,
    timeout_s: float,
    variables: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> str:
    """Return what ``command`` printed on stdout; ``name`` is what people call it.

    Raises:
        SiteError: with the end of its output, if it fails or takes too long.
    """
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd="/",
        env={**os.environ, **(variables or {})},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, complaints = await child.communicate(stdin)
    except TimeoutError:
        raise SiteError(f"{name} did not end within {timeout_s:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        told = (complaints or output).decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        raise SiteError(f"{name} failed ({child.returncode}): {told}")
    return output.decode(errors="replace")
