"""What ingest needs of those behind it. Owns the interfaces, not the storing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.log.declared import DeclaredGap, Recovered
from edge.log.records import Committed, PendingBatch, QuarantineEntry
from shared.sync.records import AlertRecord


class SampleLog(Protocol):
    """What ingest needs of the log; each call returns when it is durable."""

    async def append(self, batch: PendingBatch) -> Committed:
        """Store the batch, all or nothing; LogError (LogFullError) when it cannot.

        ValueError when it never can.
        """
        ...

    def unstorable(self, batch: PendingBatch) -> list[tuple[int, str]]:
        """Return the rows, by position, that make `append` raise ValueError, and why."""
        ...

    async def quarantine(self, entries: Sequence[QuarantineEntry]) -> None:
        """Store the refusals; LogError when it cannot."""
        ...


class SampleWatch(Protocol):
    """Who looks at samples before they are stored: the rules that raise alerts."""

    def judge(self, batch: PendingBatch) -> Sequence[AlertRecord]:
        """Return the alerts that change by these samples, raised or cleared."""
        ...

    async def store(self, records: Sequence[AlertRecord]) -> None:
        """Make them durable; LogError when it cannot, and then it is asked again."""
        ...


class GapLog(Protocol):
    """Where what is known to be lost in front of the edge is declared."""

    async def declare(self, gaps: Sequence[DeclaredGap], recovered: Sequence[Recovered]) -> None:
        """Store gaps, and what came of them after all; LogError when it cannot."""
        ...


@dataclass(frozen=True, slots=True)
class CommitHooks:
    """Who sees each batch: ``watch`` before it is stored, ``committed`` when it is durable."""

    watch: SampleWatch
    committed: Callable[[PendingBatch], None]


@dataclass(frozen=True, slots=True)
class Stores:
    """Where everything that a message yields becomes durable."""

    log: SampleLog
    gaps: GapLog
