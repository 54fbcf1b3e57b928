"""The day's account on disk and the budget over it. Owns the account's file, alone.

The file is written at most every SAVE_EVERY_S: what was sent since the last time may be forgotten
by a kill, so a day's cap may be exceeded by so much for each.
"""

import asyncio
import json
from datetime import UTC
from pathlib import Path
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from edge.config import UplinkConfig
from edge.errors import LogError
from edge.log.layout import write_durably
from edge.uplink.budget import Account, Budget, Limits, Verdict, Window
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.frames import Frame

ACCOUNT_FILE_NAME: Final = "uplink-account.json"
SAVE_EVERY_S: Final = 5.0
_SIZE_MAX_BYTES: Final = 65_536  # ours has about 100

_log = get_log("uplink")


class Spending:
    """What both connections have sent today, and whether bulk waits; ``save`` it now and then."""

    def __init__(self, limits: Limits, clock: Clock, file: Path | None = None) -> None:
        """Go on with the account in ``file``; None: it is not kept."""
        self._clock = clock
        self._file = file
        self._budget = Budget(limits, _load(file) if file else Account(), clock.monotonic_s())
        self._saved_at_s = clock.monotonic_s()
        self._is_changed = False

    def enter(self, frame: Frame, size_bytes: int) -> None:
        """Count a frame that is handed to a connection."""
        self._is_changed = True
        self._budget.enter(frame, size_bytes, self._clock.monotonic_s(), self._clock.utc_ms())

    def judge(self) -> Verdict:
        """Return whether bulk may be sent now."""
        return self._budget.judge(self._clock.monotonic_s(), self._clock.utc_ms())

    @property
    def sent_bytes(self) -> dict[str, int]:
        """What was sent today, by lane, "catalogue" and "control"."""
        self.judge()  # a day that has ended is not today
        return dict(sorted(self._budget.account.sent_bytes.items()))

    async def save(self, *, is_last: bool = False) -> None:
        """Write the account if it has changed and it is time; a disk that is full loses it."""
        now_s = self._clock.monotonic_s()
        if self._file is None or not self._is_changed:
            return
        if not is_last and now_s - self._saved_at_s < SAVE_EVERY_S:
            return
        self._saved_at_s, self._is_changed = now_s, False
        account = self._budget.account
        document = {"day": account.day, "sent_bytes": account.sent_bytes}
        try:
            await asyncio.to_thread(write_durably, self._file, json.dumps(document).encode())
        except LogError as error:
            _log.warning("the account of the day cannot be written", error=str(error))


def limits_of(config: UplinkConfig) -> Limits:
    """Return the limits in the configuration."""
    return Limits(
        zone=UTC if config.time_zone == "UTC" else ZoneInfo(config.time_zone),
        rate_max_bytes_per_s=config.rate_max_bytes_per_s,
        daily_cap_bytes=config.daily_cap_bytes,
        pause_windows=[_window(text) for text in config.pause_windows],
    )


def _window(text: str) -> Window:
    start, _, end = text.partition("-")
    return Window(_minute_of(start), _minute_of(end))


def _minute_of(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def _load(file: Path) -> Account:
    try:
        with file.open("rb") as stream:
            document: Any = json.loads(stream.read(_SIZE_MAX_BYTES))
        sent = cast("dict[str, Any]", document["sent_bytes"])
        return Account(int(document["day"]), {str(entry): int(n) for entry, n in sent.items()})
    except FileNotFoundError:
        return Account()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("the account of the day cannot be read and begins anew", error=str(error))
        return Account()
