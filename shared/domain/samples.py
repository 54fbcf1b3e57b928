"""Samples, their types and their quality. Owns the numbers that stand for them on the wire."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import lru_cache

import msgspec

from shared.ids import SeriesName

Value = float | int | bool | str

NO_BOUND_MS = 2**63 - 1  # received later than every time a device can send
TEXT_LENGTH_MAX = 256  # "short strings": a status, a zone, a level; anything longer is a document
EXACT_FLOAT_INTEGER_MAX = 2**53  # above this a float64 skips integers


class ValueType(IntEnum):
    """How the values of a series are stored. The numbers are wire format: never renumber."""

    NUMBER = 1  # float64; integers up to 2**53 are stored here too, exactly
    INTEGER = 2  # int64 outside +-2**53
    FLAG = 3  # boolean
    TEXT = 4  # string of at most TEXT_LENGTH_MAX characters


class Quality(IntFlag):
    """What is known against a sample; 0 is good. The bits are wire format: never renumber."""

    GOOD = 0
    LATE = 1  # device time far behind the edge's time
    FUTURE = 2  # device time ahead of the edge's time, within what is accepted
    OUT_OF_RANGE = 4  # outside what the quantity can physically be
    GAP_BEFORE = 8  # device sequence numbers are missing before this sample
    REPEATED_SEQ = 16  # the device used this sequence number before, for another reading
    OUT_OF_ORDER = 32  # the device's sequence number runs backwards
    EDGE_TIME = 64  # the device sent no time; the edge's own was taken


@lru_cache(1024)  # asked for every value that is shown; only a few combinations occur
def quality_name(quality: int) -> str:
    """Return the names of the set bits joined by ``+``, or ``good``."""
    names = [flag.name.lower() for flag in Quality if flag and quality & flag and flag.name]
    return "+".join(names) or "good"


@dataclass(frozen=True, slots=True)
class Series:
    """A catalogue entry. A change of unit or type makes a new entry under the same name."""

    name: SeriesName
    unit: str
    value_type: ValueType


class LatestValue(msgspec.Struct, frozen=True):
    """The newest sample of a series by rank, not by arrival.

    Its rank is its device time, but no later than when the edge received it: a clock that runs
    ahead neither hides what is measured later nor keeps a value fresh.
    """

    series: Series
    ts_ms: int
    value: Value
    quality: int
    received_ms: int = NO_BOUND_MS  # edge time, or later; without one the device is believed

    @property
    def ranked_ms(self) -> int:
        """Return the time by which it is newer or older than others, and by which it ages."""
        return min(self.ts_ms, self.received_ms)

    def replaces(self, held: "LatestValue") -> bool:
        """Tell whether this one, which arrived after ``held``, is current instead of it."""
        return replaces(self.ranked_ms, self.received_ms, held.ranked_ms)


def replaces(ranked_ms: int, received_ms: int, held_ms: int) -> bool:
    """Tell whether a sample is current instead of one of rank ``held_ms`` that arrived before.

    A rank that lies after the time of a later arrival was taken from a clock since set back; it
    tells nothing any more, and the later arrival is current.
    """
    return ranked_ms >= held_ms or received_ms < held_ms
