"""Times on the way to and from PostgreSQL: integers of milliseconds, exact for every timestamptz.

psycopg's own ``datetime`` ends in the year 9999 and costs more than the query around it.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Any

from psycopg import postgres
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.errors import DataError
from psycopg.pq import Format
from psycopg.types.array import ListBinaryDumper

POSTGRES_EPOCH_MS = 946_684_800_000  # 2000-01-01T00:00Z, where PostgreSQL counts from
# timestamptz reaches from 4714-11-24 BC to the end of 294276 AD, in microseconds from its epoch.
_MICROSECONDS_MIN = -211_813_488_000_000_000
_MICROSECONDS_END = 9_223_371_331_200_000_000
INSTANT_MS_MIN = _MICROSECONDS_MIN // 1000 + POSTGRES_EPOCH_MS
INSTANT_MS_MAX = (_MICROSECONDS_END - 1) // 1000 + POSTGRES_EPOCH_MS

_INT64 = Struct(">q")
_TIMESTAMPTZ = postgres.types["timestamptz"].oid


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """Milliseconds since 1970-01-01T00:00Z, sent to PostgreSQL as ``timestamptz``."""

    ts_ms: int


def clamped(ts_ms: int) -> Instant:
    """Return the nearest time that PostgreSQL can hold."""
    return Instant(min(max(ts_ms, INSTANT_MS_MIN), INSTANT_MS_MAX))


class _InstantDumper(Dumper):
    format = Format.BINARY
    oid = _TIMESTAMPTZ

    def dump(self, obj: Instant) -> Buffer:
        if not INSTANT_MS_MIN <= obj.ts_ms <= INSTANT_MS_MAX:
            raise DataError(f"time {obj.ts_ms} ms is outside what PostgreSQL can hold")
        return _INT64.pack((obj.ts_ms - POSTGRES_EPOCH_MS) * 1000)


class _InstantLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        (microseconds,) = _INT64.unpack(data)
        return microseconds // 1000 + POSTGRES_EPOCH_MS


def register_instants(context: AdaptContext) -> None:
    """Make ``context`` send `Instant` as timestamptz and read binary timestamptz as int (ms)."""
    context.adapters.register_dumper(Instant, _InstantDumper)
    context.adapters.register_loader(_TIMESTAMPTZ, _InstantLoader)
    # Arrays in binary too: there is no text form of an Instant, and bytes would double in size.
    context.adapters.register_dumper(list, ListBinaryDumper)
