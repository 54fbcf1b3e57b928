"""What has been received and is not yet stored, and how it is cut into transactions. Pure.

While one transaction runs, everything that arrives gathers for the next: a slow database makes
transactions bigger, not more. What fails because of its content is halved until the one batch
is found that cannot be stored.
"""

from collections import deque
from dataclasses import dataclass

from shared.sync.frames import SERIES_COST_BYTES, Batch, SeriesEntry, credit_cost_bytes

TRANSACTION_BATCHES_MAX = 256  # one multi-row statement; keeps a commit near 10 ms
TRANSACTION_SIZE_MAX_BYTES = 2_097_152  # two of the longest frames; a retry repeats no more


@dataclass(frozen=True, slots=True)
class Work:
    """The content of one transaction."""

    series: tuple[SeriesEntry, ...]
    batches: tuple[Batch, ...]

    @property
    def cost_bytes(self) -> int:
        """What it took from the credit, to be given back when it is settled."""
        batches_bytes = sum(credit_cost_bytes(batch) for batch in self.batches)
        return batches_bytes + len(self.series) * SERIES_COST_BYTES

    @property
    def is_divisible(self) -> bool:
        """Tell whether halving it can isolate a cause."""
        return len(self.batches) > 1 or bool(self.series and self.batches)


class Gathering:
    """A queue of work; its size is bounded by the credit, which the session enforces."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.running: Work | None = None
        self._series: list[SeriesEntry] = []
        self._batches: deque[Batch] = deque()
        self._divided: list[Work] = []  # parts of failed work, next at the end

    @property
    def running_work(self) -> Work:
        """The work of the running transaction, of which there must be one."""
        assert self.running is not None, "no transaction is running"
        return self.running

    def add_series(self, entries: tuple[SeriesEntry, ...]) -> None:
        """Queue catalogue entries; they are stored before any batch that came after them."""
        self._series.extend(entries)

    def add_batch(self, batch: Batch) -> None:
        """Queue a batch."""
        self._batches.append(batch)

    def begin(self) -> Work | None:
        """Return the work of the next transaction; None while one runs or nothing waits."""
        if self.running is None:
            self.running = self._divided.pop() if self._divided else self._gathered()
        return self.running

    def settle(self) -> Work:
        """Forget the running work, as it is stored or refused, and return it."""
        work = self.running_work
        self.running = None
        return work

    def repeat(self) -> None:
        """Put the running work back in front, whole."""
        self._divided.append(self.settle())

    def divide(self) -> None:
        """Put the running work back in front as two parts.

        Raises:
            ValueError: if it cannot be divided.
        """
        work = self.settle()
        if not work.is_divisible:
            raise ValueError("a single batch cannot be divided")
        if work.series:
            parts = [Work(work.series, ()), Work((), work.batches)]
        else:
            half = len(work.batches) // 2
            parts = [Work((), work.batches[:half]), Work((), work.batches[half:])]
        self._divided.extend(reversed(parts))

    def _gathered(self) -> Work | None:
        batches: list[Batch] = []
        size_bytes = 0
        while self._batches and len(batches) < TRANSACTION_BATCHES_MAX:
            size_bytes += credit_cost_bytes(self._batches[0])
            if batches and size_bytes > TRANSACTION_SIZE_MAX_BYTES:
                break
            batches.append(self._batches.popleft())
        series, self._series = tuple(self._series), []
        return Work(series, tuple(batches)) if series or batches else None
