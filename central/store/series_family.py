"""Which catalogue entries under one name make one history, and how its values are read.

No I/O: psycopg here only writes SQL texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composed

from central.store.text_escape import unescape_text
from shared.domain.samples import Value, ValueType
from shared.domain.telemetry import Aggregate


@dataclass(frozen=True, slots=True)
class Entry:
    """One catalogue entry under a name."""

    series_id: int
    unit: str
    value_type: ValueType


@dataclass(frozen=True, slots=True)
class Family:
    """Entries that are read as one series."""

    series_ids: tuple[int, ...]
    unit: str
    value_type: ValueType  # of the newest entry, or NUMBER where entries of several types are mixed
    stored_as: frozenset[ValueType]

    def value_type_of(self, aggregate: Aggregate) -> ValueType:
        """Return the type of the points: the series' own for samples, else a number."""
        if aggregate in (Aggregate.LAST, Aggregate.RAW):
            return self.value_type
        return ValueType.NUMBER


def family_of(entries: Sequence[Entry]) -> Family | None:
    """Return what is read for a name whose entries are given newest first; None if there is none.

    The newest entry decides unit and whether it is text or numbers; older entries with the same
    unit and the same of the two belong to it.
    """
    if not entries:
        return None
    newest = entries[0]
    members = [
        entry
        for entry in entries
        if entry.unit == newest.unit
        and (entry.value_type is ValueType.TEXT) == (newest.value_type is ValueType.TEXT)
    ]
    types = frozenset(entry.value_type for entry in members)
    return Family(
        series_ids=tuple(entry.series_id for entry in members),
        unit=newest.unit,
        value_type=newest.value_type if len(types) == 1 else ValueType.NUMBER,
        stored_as=types,
    )


def value_expression(stored_as: frozenset[ValueType], aggregate: Aggregate) -> SQL | Composed:
    """Return the SQL of one point's value for samples of these types.

    Integers stay integers where that is possible, because float64 would round the large ones.
    """
    column = column_of(stored_as)
    match aggregate:
        case Aggregate.MEAN:
            return SQL("avg({})::float8").format(column)
        case Aggregate.MIN:
            return SQL("min({})").format(column)
        case Aggregate.MAX:
            return SQL("max({})").format(column)
        case Aggregate.COUNT:
            return SQL("count(*)")
        case Aggregate.LAST | Aggregate.RAW:
            return column


def point_value(stored: float | int | str, value_type: ValueType) -> Value:
    """Return a stored value as the type it has outside."""
    match value_type:
        case ValueType.FLAG:
            return bool(stored)
        case ValueType.TEXT:
            assert isinstance(stored, str)
            return unescape_text(stored)
        case ValueType.NUMBER | ValueType.INTEGER:
            return stored


def column_of(stored_as: frozenset[ValueType]) -> SQL:
    """Return the SQL of one sample's value for samples of these types."""
    if ValueType.TEXT in stored_as:  # and then nothing else, see family_of
        return SQL("s")
    if ValueType.NUMBER not in stored_as:
        return SQL("i")
    return SQL("v") if len(stored_as) == 1 else SQL("coalesce(v, i::float8)")
