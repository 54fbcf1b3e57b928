"""Runs a watcher beside a block, in a thread or a task of its own, for the block's length."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


@contextlib.contextmanager
def in_background(watch: Callable[[], None], stop: threading.Event) -> Generator[None]:
    """Run ``watch`` until the block ends; then set ``stop``, wait for it and raise what it raised.

    ``watch`` must return soon after ``stop`` is set.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        future = executor.submit(watch)
        try:
            yield
        finally:
            stop.set()
        future.result()


@contextlib.asynccontextmanager
async def alongside(watch: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run ``watch`` as a task until the block ends, then cancel it.

    What it raises ends the block; an error of either comes out as it is, not in a group.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(watch)
            try:
                yield
            finally:
                task.cancel()
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
