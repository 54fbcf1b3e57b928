"""Whose batches are unpacked next when many edges have some waiting. Pure.

Every edge with something waiting gets a turn in each round, whatever the others have sent: the
backlog of forty-nine edges delays the fiftieth by one transaction in which they all have a part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import NamedTuple, TypeVar


class EdgeKey(NamedTuple):
    """One edge of one site."""

    site_id: int
    edge_node_id: int


@dataclass(frozen=True, slots=True)
class Round:
    """Who may be served by one transaction, in order, and with how many batches at most."""

    edges: tuple[EdgeKey, ...]
    batches_each: int
    is_partial: bool  # others are waiting who have no part in it


Row = TypeVar("Row")


def next_round(waiting: Sequence[EdgeKey], after: EdgeKey | None, batches_max: int) -> Round:
    """Return the round for ``waiting`` edges (ascending); who comes behind ``after`` is first.

    ``after`` is who was served last in the round before; ``batches_max`` is of all together.
    """
    split = 0 if after is None else sum(edge <= after for edge in waiting)
    in_order = [*waiting[split:], *waiting[:split]]
    served = tuple(in_order[:batches_max])
    each = max(1, batches_max // len(served)) if served else 0
    return Round(served, each, is_partial=len(served) < len(waiting))


def dealt(rows: Sequence[tuple[EdgeKey, Row]]) -> list[tuple[EdgeKey, Row]]:
    """Return ``rows``, which come edge by edge, dealt out: the first of each, then the seconds."""
    hands = [list(hand) for _, hand in groupby(rows, key=lambda row: row[0])]
    return [row for deal in zip_longest(*hands) for row in deal if row is not None]
