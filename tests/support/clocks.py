"""A clock that tests move by hand."""

from dataclasses import dataclass


@dataclass
class HandClock:
    """Both clocks stand still until they are set."""

    now_s: float = 1_000.0
    now_ms: int = 1_700_000_000_000

    def monotonic_s(self) -> float:
        return self.now_s

    def utc_ms(self) -> int:
        return self.now_ms

    def advance_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.now_ms += round(seconds * 1000)
