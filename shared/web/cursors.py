"""Opaque cursors: the place in a list after which the next page begins. Pure.

A cursor is base64url of a JSON list; clients must not read it. It carries the name of the list it
belongs to, so that a cursor of one list is refused by another. It grants nothing: the rights of
the request decide what is listed.
"""

import base64
from collections.abc import Sequence

import msgspec

from shared.errors import invalid_field

CURSOR_LENGTH_MAX = 1024  # the longest series key is < 400 characters before base64

CursorPart = str | int

_DECODER = msgspec.json.Decoder(list[str | int])
_WRONG = "is not a cursor of this list; take it unchanged from next_cursor"


def encode_cursor(listing: str, key: Sequence[CursorPart]) -> str:
    """Return the cursor of the item with ``key`` in ``listing``."""
    text = msgspec.json.encode([listing, *key])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode_cursor(listing: str, cursor: str, types: Sequence[type]) -> tuple[CursorPart, ...]:
    """Return the key in ``cursor``, whose parts are of ``types``.

    Raises:
        ApiError: 400 naming ``cursor``, if it is not one that ``encode_cursor`` made for
            ``listing``.
    """
    parts = _parts(cursor)
    if (
        len(parts) != len(types) + 1
        or parts[0] != listing
        or not all(type(part) is kind for part, kind in zip(parts[1:], types, strict=True))
    ):
        raise invalid_field("cursor", _WRONG)
    return tuple(parts[1:])


def _parts(cursor: str) -> list[CursorPart]:
    if len(cursor) > CURSOR_LENGTH_MAX:
        raise invalid_field("cursor", _WRONG)
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return _DECODER.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, msgspec.DecodeError) as error:
        raise invalid_field("cursor", _WRONG) from error
