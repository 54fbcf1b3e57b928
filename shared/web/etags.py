"""Entity tags: whether a client already has the state of a resource. Pure."""

import hashlib
from collections.abc import Iterable

ETAG_HEX_DIGITS = 32  # 128 bits of SHA-256: no two states will ever share it


def state_etag(*parts: object) -> str:
    """Return a weak entity tag of a state described by ``parts``.

    Weak, because the age of a value grows between two answers with the same state.
    """
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:ETAG_HEX_DIGITS]
    return f'W/"{digest}"'


def matches(header: str | None, etag: str) -> bool:
    """Tell whether an If-Match or If-None-Match ``header`` names ``etag``, by the weak comparison.

    For If-Match too, where RFC 9110 wants the strong one: every tag here is weak, and the state
    that a client has read would never match itself.
    """
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(_opaque(tag) == _opaque(etag) for tag in _tags(header))


def _tags(header: str) -> Iterable[str]:
    return (tag.strip() for tag in header.split(","))


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
