"""Which log lines of the children are worth the terminal. Pure."""

import re
from dataclasses import dataclass

LINES_PER_WINDOW_MAX = 5  # of one child; the log has them all
WINDOW_S = 10.0
LINE_LENGTH_MAX = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_WEIGHTY = re.compile(
    r"\[\s*(?:warning|error|critical)\s*\]"  # ours
    r"|\[(?:ERR|WRN|FTL)\]"  # the broker
    r"|\b(?:FATAL|PANIC):"  # PostgreSQL
    r"|^Traceback \(most recent call last\)|^\w*Error\b"
)
# True of every start and every sign-in of the demo; they would only frighten.
_USUAL = re.compile(
    r"Plaintext passwords detected|Healthcheck failed|Maximum payloads over"
    r"|the database system is starting up|terminating connection due to administrator command"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """How many lines of a child were shown in the window that began at ``since_s``."""

    since_s: float = float("-inf")
    lines: int = 0


def weighty(line: str) -> str | None:
    """Return ``line`` as shown on the terminal, None if the log is enough for it."""
    plain = _COLOURS.sub("", line)
    if not _WEIGHTY.search(plain) or _USUAL.search(plain):
        return None
    return plain if len(plain) <= LINE_LENGTH_MAX else plain[: LINE_LENGTH_MAX - 1] + "…"


def admit(shown: Shown, now_s: float) -> tuple[Shown, bool]:
    """Return the count after one more line, and whether that line may be shown."""
    if now_s - shown.since_s >= WINDOW_S:
        return Shown(now_s, 1), True
    return Shown(shown.since_s, shown.lines + 1), shown.lines < LINES_PER_WINDOW_MAX
