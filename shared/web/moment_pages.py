"""Pages of lists that are ordered by a moment, the newest first, and by id within it. Pure."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared.web.cursors import decode_cursor, encode_cursor

ItemT = TypeVar("ItemT")
Place = tuple[int, str]  # epoch ms and id


def place_after(listing: str, cursor: str | None) -> Place | None:
    """Return after which place a page begins; None at the beginning of the list.

    Raises:
        ApiError: 400 naming ``cursor``, if it is not one of ``listing``.
    """
    if cursor is None:
        return None
    moment_ms, item_id = decode_cursor(listing, cursor, (int, str))
    return int(moment_ms), str(item_id)


def cut_page(
    listing: str, found: Sequence[ItemT], limit: int, place_of: Callable[[ItemT], Place]
) -> tuple[Sequence[ItemT], str | None]:
    """Return the first ``limit`` of ``found`` and the cursor of what follows, if anything does."""
    page = found[:limit]
    return page, encode_cursor(listing, place_of(page[-1])) if len(found) > limit else None
