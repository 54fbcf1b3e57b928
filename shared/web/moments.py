"""Times in requests: ISO 8601 with zone, or milliseconds since the epoch. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MIN_MS = -62_135_596_800_000  # 0001-01-01, the first day ISO 8601 can write
_MAX_MS = 253_402_300_799_999  # 9999-12-31
_DIGITS = re.compile(r"-?[0-9]{1,15}")
# `+` in a query string is a blank; who forgets to write %2B means the plus all the same.
_LOST_PLUS = re.compile(r"(T[0-9:.,]+) ([0-9]{2}:?[0-9]{2})")
_EXPECTED = "expected a time with zone, as 2026-11-02T06:00:00Z or 1793599200000 (epoch ms)"


def parse_moment(text: str) -> int:
    """Return the time in ``text`` in milliseconds since the epoch.

    Raises:
        ValueError: if it is neither ISO 8601 with a zone nor epoch milliseconds, or outside the
            years 1 to 9999.
    """
    moment_ms = int(text) if _DIGITS.fullmatch(text) else _iso_ms(text)
    if not _MIN_MS <= moment_ms <= _MAX_MS:
        raise ValueError(_EXPECTED)
    return moment_ms


def _iso_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text[:64]))
    except ValueError as error:
        raise ValueError(_EXPECTED) from error
    if moment.tzinfo is None:
        raise ValueError(_EXPECTED)
    return (moment - _EPOCH) // _MILLISECOND


def _validate(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_moment(str(value))
    if isinstance(value, str):
        return parse_moment(value)
    raise ValueError(_EXPECTED)


# The type of a time in a query or body; validated to milliseconds since the epoch.
Moment = Annotated[
    int,
    BeforeValidator(_validate),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": _MIN_MS, "maximum": _MAX_MS},
            ]
        }
    ),
    Field(examples=["2026-11-02T06:00:00Z"]),
]
