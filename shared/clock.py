"""The only place that reads time. Everything else takes a time or a Clock as an argument."""

import time
from datetime import datetime, timedelta
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
    moment = _EPOCH + timedelta(milliseconds=clamped_ms)
    return moment.isoformat(timespec="milliseconds") + "Z"


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by definition; a zone would be written as +00:00
_MIN_ISO_MS = -62_135_596_800_000  # 0001-01-01
_MAX_ISO_MS = 253_402_300_799_999  # 9999-12-31
