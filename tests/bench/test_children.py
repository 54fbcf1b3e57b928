"""A benchmark's processes are asked until they answer, and are gone when it is over."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.children import answer_of, lines_of, started
from bench.errors import BenchError
from tests.support.eventually import gone

SAY = "import os; print(os.environ['WORD'], 'PATH' in os.environ, flush=True)"
STAY = f"import signal; {SAY}; signal.pause()"


@dataclass
class Child:
    process: asyncio.subprocess.Process
    output: Path

    async def said(self) -> list[str]:
        return lines_of(self.output)

    async def silence(self) -> None:
        return None


@contextlib.asynccontextmanager
async def child(script: str, folder: Path) -> AsyncGenerator[Child]:
    output = folder / "child.log"
    command = (sys.executable, "-c", script)
    async with started(output, *command, environment={"WORD": "here"}) as process:
        yield Child(process, output)


async def answer(of: Child) -> list[str]:
    return await answer_of(of.process, of.said, timeout_s=20.0, output=of.output, failed="mute")


async def test_it_is_asked_until_it_answers_and_gone_at_the_end(tmp_path: Path) -> None:
    async with child(STAY, tmp_path) as staying:
        assert await answer(staying) == ["here True"]  # on top of our environment
        assert not gone(staying.process.pid)
    assert gone(staying.process.pid)


async def test_one_that_does_not_answer_in_time_is_told_with_what_it_said(tmp_path: Path) -> None:
    async with child(STAY, tmp_path) as staying:
        await answer(staying)
        with pytest.raises(BenchError, match="it is deaf:\nhere True"):
            await answer_of(
                staying.process,
                staying.silence,
                timeout_s=0.1,
                output=staying.output,
                failed="it is deaf",
            )


async def test_one_that_ends_is_told_without_waiting_for_the_limit(tmp_path: Path) -> None:
    async with child(SAY, tmp_path) as ending, asyncio.timeout(60.0):
        with pytest.raises(BenchError, match="it is gone:\nhere True"):
            await answer_of(
                ending.process,
                ending.silence,
                timeout_s=3_600.0,
                output=ending.output,
                failed="it is gone",
            )
