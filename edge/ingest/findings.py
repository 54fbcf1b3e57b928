"""One thing that was looked at, and what to do about it. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How well it is."""

    OK = "ok"
    WARNING = "warning"  # works, and may cost readings or hours some day
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """A plain sentence, and the remedy where there is something to mend."""

    name: str
    grade: Grade
    told: str
    remedy: str = ""
