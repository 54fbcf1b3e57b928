"""Batches on their way from the inbox to the partitions. Pure types; owns no decision."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.domain.samples import Value
from shared.sync.records import KnownRecord

# Which samples of a batch: one entry per sample, in the order of its body.
RowSet = NDArray[np.bool_]


class EpochKey(NamedTuple):
    """One installation of one edge: the scope of series numbers and batch numbers."""

    site_id: int
    edge_node_id: int
    epoch: int


class ClaimKey(NamedTuple):
    """Where a batch stands in the inbox."""

    epoch_key: EpochKey
    lane: int
    seq: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that this transaction alone may unpack."""

    key: ClaimKey
    n: int  # samples, as the edge said
    recv_max_ms: int  # when the edge had received the newest of them
    body: bytes
    rows: RowSet | None = None  # only these, in the order of the body; None: all


@dataclass(frozen=True, slots=True, eq=False)
class SeriesMap:
    """What the series numbers of one epoch mean; three parallel arrays, ``ix`` ascending."""

    ix: NDArray[np.uint32]
    series_id: NDArray[np.int32]
    value_type: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Poison:
    """Rows of a claimed batch that can never be applied, or all of it, and why."""

    key: ClaimKey
    reason: str  # stable word, counted by
    detail: str  # sentence for people
    rows: RowSet | None = None  # None: the batch cannot be read as rows


@dataclass(frozen=True, slots=True)
class Parked:
    """A claimed batch that a newer program, or a fuller catalogue, may understand."""

    key: ClaimKey
    reason: str  # stable word, counted by
    detail: str  # sentence for people
    series_ix: int | None = None  # the number whose meaning is waited for


@dataclass(frozen=True, slots=True)
class LatestRow:
    """The newest sample of one series among those unpacked together."""

    site_id: int
    series_id: int
    ts_ms: int
    ranked_ms: int  # the device's time, but never after the edge, or central, had the sample
    value: Value
    quality: int


class DirtyHour(NamedTuple):
    """An hour of a series whose samples have changed."""

    site_id: int
    series_id: int
    hour_ms: int


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    """A record of an urgent lane and where it stood: in which batch, and at which place in it."""

    key: ClaimKey
    place: int
    record: KnownRecord


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything one unpacking transaction writes."""

    copy: tuple[bytes, ...]  # pieces of one binary COPY of `sample`
    rows: int
    days: frozenset[int]  # UTC days (since 1970-01-01) that the rows fall on
    latest: tuple[LatestRow, ...]
    poison: tuple[Poison, ...]
    records: tuple[PlacedRecord, ...] = ()
    hours: tuple[DirtyHour, ...] = ()  # that the rows fall on, by series
    parked: tuple[Parked, ...] = ()


Prepare = Callable[[Sequence[Claim], Mapping[EpochKey, SeriesMap]], Prepared]


@dataclass(frozen=True, slots=True)
class Applied:
    """What one call of the unpacker did; all of it is committed."""

    batches: int = 0
    rows: int = 0
    quarantined: tuple[Poison, ...] = field(default=())
    parked: tuple[Parked, ...] = field(default=())
    more: bool = False  # others may have been waiting: a limit ended the claim, not the inbox

    def __bool__(self) -> bool:
        """Tell whether there was anything to do."""
        return bool(self.batches or self.quarantined or self.parked)

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(
            self.batches + other.batches,
            self.rows + other.rows,
            self.quarantined + other.quarantined,
            self.parked + other.parked,
            self.more or other.more,
        )
