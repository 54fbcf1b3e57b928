"""Counting batches: how many, how many samples, how many bytes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.log.chain import BatchRow


@dataclass(frozen=True, slots=True)
class Tally:
    """How much some batches are; ``body_bytes`` as encoded."""

    batches: int = 0
    samples: int = 0
    body_bytes: int = 0

    @classmethod
    def of_rows(cls, rows: Sequence[BatchRow]) -> "Tally":
        """Return how much ``rows`` are."""
        return cls(len(rows), sum(row.n for row in rows), sum(len(row.body) for row in rows))

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.batches + other.batches,
            self.samples + other.samples,
            self.body_bytes + other.body_bytes,
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(
            self.batches - other.batches,
            self.samples - other.samples,
            self.body_bytes - other.body_bytes,
        )
