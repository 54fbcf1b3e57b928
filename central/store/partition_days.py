"""Which day a time belongs to, and how the partition of a day is called. Pure.

A day is its number since 1970-01-01, UTC. Days from 400 before to 1 after today get a partition of
their own; what devices with wrong clocks send from elsewhere goes to the default partition.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

DAY_MS = 86_400_000
DAYS_BACK_MAX = 400  # a year and its neighbour month: what people compare
DAYS_AHEAD_MAX = 1  # clocks may be ahead by a zone or a few minutes, not by days

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(ts_ms: int) -> int:
    """Return the UTC day of ``ts_ms`` as days since 1970-01-01; earlier days are negative."""
    return ts_ms // DAY_MS


def days_with_partition(days: Iterable[int], now_ms: int) -> set[int]:
    """Return those of ``days`` that have a partition of their own as seen from ``now_ms``."""
    today = day_of(now_ms)
    return {day for day in days if today - DAYS_BACK_MAX <= day <= today + DAYS_AHEAD_MAX}


def partition_name(table: str, day: int) -> str:
    """Return the name of a day's partition: ``sample_d20261123``."""
    return f"{table}_d{_date(day):%Y%m%d}"


def day_of_partition(name: str) -> int:
    """Return the day that `partition_name` put into ``name``."""
    date = datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC)
    return (date - _EPOCH).days


def day_start(day: int) -> str:
    """Return the first moment of ``day`` as PostgreSQL reads it, zone included."""
    return f"{_date(day):%Y-%m-%d} 00:00:00+00"


def _date(day: int) -> datetime:
    return _EPOCH + timedelta(days=day)
