"""A page of gaps from all that are in memory. Pure; central asks PostgreSQL the same."""

from collections.abc import Iterable

from shared.web.site_data import GapListing, GapQuery


def select_gaps(gaps: Iterable[GapListing], query: GapQuery) -> list[GapListing]:
    """Return those that ``query`` asks for, the one declared last first."""
    after = None if query.after is None else (-query.after[0], query.after[1])
    wanted = [gap for gap in gaps if after is None or _place(gap) > after]
    return sorted(wanted, key=_place)[: query.limit]


def _place(gap: GapListing) -> tuple[int, str]:
    return -gap.declared_ms, gap.gap_id
