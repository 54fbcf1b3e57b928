"""How many requests a key may make in a window of time. Pure: the time is passed in."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still do: ``remaining`` of ``limit`` until ``reset_s`` seconds from now."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int


class WindowLimiter:
    """At most ``limit`` takes per key in a window that starts with the key's first take.

    A fixed window, not a sliding one, because its answer is exact and can be said in three
    headers: so many of so many left, all of them again in so many seconds.

    Memory is bounded by ``keys_max`` windows. A new key beyond that drops the window that began
    first: it ends soonest, so dropping it forgives the least. ``limit`` 0 means no limit.
    """

    def __init__(self, *, limit: int, window_s: float, keys_max: int) -> None:
        if limit < 0 or window_s <= 0 or keys_max < 1:
            raise ValueError(f"limit {limit}, window_s {window_s}, keys_max {keys_max}")
        self._limit = limit
        self._window_s = window_s
        self._keys_max = keys_max
        # key -> [start_s, taken]; in order of start, because a window is inserted when it starts
        self._windows: dict[str, list[float]] = {}

    def __len__(self) -> int:
        """Return how many windows are kept."""
        return len(self._windows)

    def take(self, key: str, now_s: float) -> Allowance:
        """Count one request of ``key`` and tell whether it is within the limit."""
        if not self._limit:
            return UNLIMITED
        window = self._windows.get(key)
        if window is None or now_s - window[0] >= self._window_s:
            window = self._open(key, now_s)
        if window[1] >= self._limit:
            return self._allowance(window, now_s, allowed=False)
        window[1] += 1
        return self._allowance(window, now_s, allowed=True)

    def peek(self, key: str, now_s: float) -> Allowance:
        """Tell what ``key`` may do without counting anything."""
        if not self._limit:
            return UNLIMITED
        window = self._windows.get(key)
        if window is None or now_s - window[0] >= self._window_s:
            return Allowance(True, self._limit, self._limit, math.ceil(self._window_s))
        return self._allowance(window, now_s, allowed=window[1] < self._limit)

    def give_back(self, key: str) -> None:
        """Take back one take of ``key``."""
        window = self._windows.get(key)
        if window is not None and window[1] > 0:
            window[1] -= 1

    def forget(self, key: str) -> None:
        """Drop the window of ``key``."""
        self._windows.pop(key, None)

    def _open(self, key: str, now_s: float) -> list[float]:
        self._windows.pop(key, None)
        while len(self._windows) >= self._keys_max:
            del self._windows[next(iter(self._windows))]
        window = self._windows[key] = [now_s, 0]
        return window

    def _allowance(self, window: list[float], now_s: float, *, allowed: bool) -> Allowance:
        left_s = max(self._window_s - (now_s - window[0]), 0.0)
        return Allowance(allowed, self._limit, self._limit - int(window[1]), math.ceil(left_s))


# Switched off: the headers still stand on every response, with the largest number every client
# can read; zero would make a polite client wait for ever.
_NO_LIMIT = 2**31 - 1
UNLIMITED = Allowance(True, _NO_LIMIT, _NO_LIMIT, 0)
