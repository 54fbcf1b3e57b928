"""What pydantic finds wrong, in words for whoever wrote it. Pure."""

import re
from collections.abc import Iterable

from pydantic_core import ErrorDetails

_SUBJECT = re.compile(
    r"^(?:Input|Value|String|List|Tuple|Set|Dictionary|URL|\w+ input) should (?:be|have|match) "
)


def expectation(wrong: ErrorDetails, known: Iterable[str] | None = None) -> str:
    """Return what was expected instead of ``wrong``, without its place and value.

    ``known`` are the names that the table takes in which an unknown one was found, if told.
    """
    match wrong["type"]:
        case "extra_forbidden":
            if known is None:
                return "unknown: there is no such key"
            names = ", ".join(known)
            return f"unknown; known are: {names}" if names else "unknown; nothing is expected here"
        case "missing":
            return "is required"
        case _:
            message = _SUBJECT.sub("expected ", wrong["msg"].removeprefix("Value error, "))
            return message[:1].lower() + message[1:]
