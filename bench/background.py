"""Runs a watcher in a thread of its own for the length of a block."""

import contextlib
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor


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
