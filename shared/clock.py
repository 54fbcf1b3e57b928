"""The only place that reads time. Everything else takes a time or a Clock as an argument."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks: ``monotonic_s`` for durations and deadlines, ``utc_ms`` for records."""

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start that never run backwards."""
        ...

    def utc_ms(self) -> int:
        """Return milliseconds since 1970-01-01T00:00Z; it may jump when the node's clock is set."""
        ...


class SystemClock:
    """The operating system's clocks."""

    def monotonic_s(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()

    def utc_ms(self) -> int:
        """Return the wall clock in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


def iso_utc(ts_ms: int) -> str:
    """Return ``ts_ms`` (milliseconds since the epoch) as ISO 8601 with milliseconds and ``Z``.

    Years outside 1..9999 cannot be written in ISO 8601 and are clamped to the nearest that can.
    """
    clamped_ms = min(max(ts_ms, _MIN_ISO_MS), _MAX_ISO_MS)
    seconds, milliseconds = divmod(clamped_ms, 1000)
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


_MIN_ISO_MS = -62_135_596_800_000  # 0001-01-01
_MAX_ISO_MS = 253_402_300_799_999  # 9999-12-31
