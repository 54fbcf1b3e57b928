"""A store for the writer thread that does nothing until it is let, and remembers its groups."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.log.records import Committed
from edge.log.writer import AppendJob, CallJob, Outcome, QuarantineJob, RecordsJob


@dataclass
class SlowStore:
    """Commits wait for `gate`; ``failure`` is raised by the next one, as a programmer's error."""

    entered: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    groups: list[int] = field(default_factory=list[int])
    done: list[str] = field(default_factory=list[str])
    failure: Exception | None = None
    closed: bool = False

    def commit(self, jobs: Sequence[AppendJob]) -> list[Outcome]:
        self.entered.set()
        self.gate.wait(10.0)
        if self.failure is not None:
            raise self.failure
        self.groups.append(len(jobs))
        self.done.append("samples")
        return [Outcome(job, result=Committed(2, 1, len(self.groups))) for job in jobs]

    def commit_records(self, jobs: Sequence[RecordsJob]) -> list[Outcome]:
        self.done.append("records")
        return [Outcome(job, result=Committed(job.lane, 1, len(jobs))) for job in jobs]

    def quarantine(self, jobs: Sequence[QuarantineJob]) -> list[Outcome]:
        return [Outcome(job) for job in jobs]

    def call(self, job: CallJob) -> Outcome:
        return Outcome(job, result=job.call())

    def maintain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
