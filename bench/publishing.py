"""Runs the publisher of a benchmark as a process of its own."""

import asyncio
import sys
from pathlib import Path

import msgspec

from bench.children import stop_process
from bench.errors import BenchError
from bench.listener_load import ListenerPlan
from bench.load import LoadPlan, LoadResult, read_result
from bench.processes import ProcessWatch

_PLAN_MODE = 0o600  # it holds the broker's password
_ERRORS_SHOWN_CHARACTERS = 2000


async def publish(plan: LoadPlan, folder: Path, watch: ProcessWatch) -> LoadResult:
    """Run the plan, let ``watch`` look at the process, and return what it sent.

    Raises:
        BenchError: if the publisher fails; the message holds what it said.
    """
    return read_result(await run_publisher("bench.load", plan, folder, watch))


async def run_publisher(
    module: str, plan: LoadPlan | ListenerPlan, folder: Path, watch: ProcessWatch
) -> str:
    """Run ``module`` on the plan in a process of its own; return the last line it printed.

    Raises:
        BenchError: if it fails; the message holds what it said.
    """
    file = folder / f"plan-{plan.prefix}.json"
    file.touch(mode=_PLAN_MODE)
    file.write_bytes(msgspec.json.encode(plan))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        str(file),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    watch.roots.append(process.pid)
    try:
        output, errors = await process.communicate()
    finally:
        await stop_process(process)
        file.unlink()
    if process.returncode != 0:
        said = errors.decode(errors="replace")[-_ERRORS_SHOWN_CHARACTERS:]
        raise BenchError(f"the publisher failed: {said}")
    return output.decode().splitlines()[-1]
