"""Appends that are stored together: encoded as one, each answered for itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.errors import LogError
from edge.log.grouping import EncodedBatch, encode_group
from edge.log.recent import Columns, columns_of, merge_tails
from edge.log.writer import AppendJob, Job, Outcome


@dataclass(frozen=True, slots=True)
class CommitGroup:
    """Jobs that are stored together, and the answers to those that cannot be stored at all."""

    jobs: Sequence[AppendJob]
    batches: Sequence[EncodedBatch]
    seen: Columns
    refused: Sequence[Outcome] = ()


def encoded_group(jobs: Sequence[AppendJob], value_types: Sequence[int]) -> CommitGroup:
    """Return ``jobs`` encoded as one group; those that can never be stored are answered in it."""
    try:
        return _together(jobs, value_types)
    except ValueError:
        pass  # one of them is at fault: find out which, and let the others through
    alone: list[CommitGroup] = []
    refused: list[Outcome] = []
    for job in jobs:
        try:
            alone.append(_together([job], value_types))
        except ValueError as error:
            refused.append(Outcome(job, error=error))
    return CommitGroup(
        jobs=[job for group in alone for job in group.jobs],
        batches=[batch for group in alone for batch in group.batches],
        seen=merge_tails([group.seen for group in alone]),
        refused=refused,
    )


def _together(jobs: Sequence[AppendJob], value_types: Sequence[int]) -> CommitGroup:
    batches = encode_group([job.batch for job in jobs], value_types)
    seen = merge_tails([columns_of(job.batch.seen) for job in jobs if job.batch.seen])
    return CommitGroup(jobs, batches, seen)


def refused(jobs: Iterable[Job], error: LogError | ValueError) -> list[Outcome]:
    """Return the same answer to all of ``jobs``: nothing of them was stored."""
    return [Outcome(job, error=_copy_of(error)) for job in jobs]


def _copy_of(error: LogError | ValueError) -> LogError | ValueError:
    """Return the same error anew: one exception must not be raised in several tasks."""
    return type(error)(str(error))
