"""How much may be sent to central, when, and what was sent today. Pure.

Only what is bulky is ever held up: urgent lanes are counted and pass. Three things hold it up: a
rate, the bytes of a day, and windows of the day. Days and windows are the site's own.

A clock that is set back by a day or less goes on with the day it had; one that is set back further
was wrong before. So a clock that stumbles cannot give a second day's bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final, NamedTuple

from shared.sync.frames import URGENT_LANES, Batch, Frame, SeriesFrame

CATALOGUE: Final = "catalogue"
CONTROL: Final = "control"  # what is no batch and no catalogue: greetings, reports, pings
BURST_S: Final = 1.0  # how much of the rate may be saved up
MINUTES_PER_DAY: Final = 1440


class HeldUp(StrEnum):
    """Why bulk waits."""

    PAUSE_WINDOW = "pause_window"
    DAILY_CAP = "daily_cap"
    RATE = "rate"


class Window(NamedTuple):
    """Minutes of the day from ``start`` up to ``end``; over midnight where end is not later."""

    start: int
    end: int

    def contains(self, minute: float) -> bool:
        """Tell whether ``minute`` of the day is in the window."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator allows; None and () allow everything."""

    zone: tzinfo
    rate_max_bytes_per_s: int | None = None
    daily_cap_bytes: int | None = None
    pause_windows: Sequence[Window] = ()


@dataclass(slots=True)
class Account:
    """What was sent on one day: lane_0 and so on, `CATALOGUE` and `CONTROL`."""

    day: int = 0  # days since 0001-01-01, at the site
    sent_bytes: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def total_bytes(self) -> int:
        """Everything that was sent on the day."""
        return sum(self.sent_bytes.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether bulk waits, why, and in how many seconds to ask again; None: at the next sending."""

    held_up: HeldUp | None = None
    look_again_s: float | None = None


def entry_of(frame: Frame) -> str:
    """Return where ``frame`` is entered in the account."""
    match frame:
        case Batch(lane=lane):
            return f"lane_{lane}"
        case SeriesFrame():
            return CATALOGUE
        case _:
            return CONTROL


def is_bulk(frame: Frame) -> bool:
    """Tell whether ``frame`` is one that limits may hold up."""
    return isinstance(frame, SeriesFrame) or (
        isinstance(frame, Batch) and frame.lane >= URGENT_LANES
    )


class Budget:
    """The account and the limits; ``now_s`` is monotonic, ``now_ms`` the clock on the wall."""

    def __init__(self, limits: Limits, account: Account, now_s: float) -> None:
        """Go on with ``account``, with the rate's full burst."""
        self.account = account
        self._limits = limits
        self._saved_bytes = self._burst_bytes
        self._refilled_at_s = now_s

    def enter(self, frame: Frame, size_bytes: int, now_s: float, now_ms: int) -> None:
        """Count a frame of ``size_bytes`` that is handed to the link."""
        self._turn_page(now_ms)
        sent, entry = self.account.sent_bytes, entry_of(frame)
        sent[entry] = sent.get(entry, 0) + size_bytes
        if is_bulk(frame):
            self._refill(now_s)
            self._saved_bytes -= size_bytes

    def judge(self, now_s: float, now_ms: int) -> Verdict:
        """Return whether bulk may be sent now."""
        self._turn_page(now_ms)
        self._refill(now_s)
        local = _local(now_ms, self._limits.zone)
        if any(window.contains(_minute(local)) for window in self._limits.pause_windows):
            return Verdict(HeldUp.PAUSE_WINDOW, self._next_border_s(local))
        cap_bytes = self._limits.daily_cap_bytes
        if cap_bytes is not None and self.account.total_bytes >= cap_bytes:
            return Verdict(HeldUp.DAILY_CAP, _until_midnight_s(local))
        rate = self._limits.rate_max_bytes_per_s
        if rate is not None and self._saved_bytes <= 0.0:
            return Verdict(HeldUp.RATE, (1.0 - self._saved_bytes) / rate)
        return Verdict(None, self._next_border_s(local))

    @property
    def _burst_bytes(self) -> float:
        return (self._limits.rate_max_bytes_per_s or 0) * BURST_S

    def _refill(self, now_s: float) -> None:
        rate = self._limits.rate_max_bytes_per_s or 0
        earned_bytes = (now_s - self._refilled_at_s) * rate
        self._saved_bytes = min(self._burst_bytes, self._saved_bytes + earned_bytes)
        self._refilled_at_s = now_s

    def _turn_page(self, now_ms: int) -> None:
        day = _local(now_ms, self._limits.zone).toordinal()
        if not self.account.day - 1 <= day <= self.account.day:
            self.account = Account(day)

    def _next_border_s(self, local: datetime) -> float | None:
        """Return the seconds to the next beginning or end of a window."""
        minutes = {minute for window in self._limits.pause_windows for minute in window}
        if not minutes:
            return None
        now = _minute(local)
        return 60.0 * min((minute - now) % MINUTES_PER_DAY or MINUTES_PER_DAY for minute in minutes)


def _local(now_ms: int, zone: tzinfo) -> datetime:
    # By addition, and clamped: a clock may say any time, and most of them have no date.
    clamped_ms = min(max(now_ms, 0), _LAST_MS)
    return (_EPOCH + timedelta(milliseconds=clamped_ms)).astimezone(zone)


def _minute(local: datetime) -> float:
    return local.hour * 60 + local.minute + local.second / 60 + local.microsecond / 60_000_000


def _until_midnight_s(local: datetime) -> float:
    # A day of 23 or 25 hours: asked again too early or too late by one hour, which is harmless as
    # the account turns its page by the calendar and asking is cheap.
    return max(1.0, 60.0 * (MINUTES_PER_DAY - _minute(local)))


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LAST_MS: Final = 253_300_000_000_000  # in the year 9996
