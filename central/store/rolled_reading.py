"""Charts whose steps are made of minutes or hours, read from rollups where these are up to date."""

from typing import Any

from psycopg.sql import SQL, Composable, Composed, Identifier, Placeholder

from central.store.database import Database, fetch
from central.store.instants import Instant, clamped
from central.store.queries import load_queries
from central.store.rollup_ranges import HOUR_MS, Range, Sources, sources, unit_of
from central.store.series_family import Family, column_of
from shared.domain.samples import ValueType
from shared.domain.telemetry import Aggregate, TelemetryQuery

Point = tuple[int, Any]  # start of the step, stored value


async def rolled_points(
    database: Database, query: TelemetryQuery, family: Family
) -> list[Point] | None:
    """Return one point more than fits, to know whether there is more; None: read the samples.

    The points are those that the samples alone would give; sums of floats may differ in their
    last digits, because the order of addition does.

    Raises:
        StoreError: not now.
    """
    unit_ms = unit_of(query.step_ms)
    if query.aggregate is Aggregate.RAW or unit_ms is None:
        return None
    queries = load_queries("rollup")
    parameters: dict[str, Any] = {
        "site": query.series.site,
        "series_ids": list(family.series_ids),
        "start": clamped(query.start_ms),
        "end": clamped(query.end_ms),
        "step_ms": query.step_ms,
        "limit": query.points_max + 1,
    }
    async with database.transaction() as connection:
        # Marks, rollups and samples must be of one moment: each commit changes several of them.
        await connection.execute(queries["one_moment"])
        if not (await fetch(connection, queries["is_ready"], {}))[0][0]:
            return None
        dirty = await fetch(connection, queries["dirty"], parameters)
        found = sources(
            parameters["start"].ts_ms,
            parameters["end"].ts_ms,
            unit_ms,
            [hour_ms for (hour_ms,) in dirty],
        )
        if not found.rolled:
            return None
        statement = _statement(found, family, query.aggregate, parameters)
        return [(ts_ms, value) for ts_ms, value in await fetch(connection, statement, parameters)]


def _statement(
    found: Sources, family: Family, aggregate: Aggregate, parameters: dict[str, Any]
) -> Composed:
    queries = load_queries("rollup")
    stored = family.stored_as
    rollup = Identifier("rollup_hour" if found.unit_ms == HOUR_MS else "rollup_minute")
    parts: list[Composable] = []
    for span in found.rolled:
        columns = {each: _rolled_column(stored, each) for each in ("lo", "hi", "total")}
        bounds = _bounds(span, parameters)
        parts.append(queries["part_rolled"].format(rollup=rollup, **columns, **bounds))
    for span in found.sampled:
        names = _bounds(span, parameters)
        value = column_of(stored)
        total = SQL("NULL::float8") if ValueType.TEXT in stored else value
        if stored <= {ValueType.INTEGER, ValueType.FLAG}:
            total = SQL("i::numeric")
        parts.append(queries["part_sampled"].format(value=value, total=total, **names))
    joined = SQL(" UNION ALL ").join(parts)
    if aggregate is Aggregate.LAST:
        return queries["last_of_steps"].format(parts=joined, value=column_of(stored))
    return queries["steps"].format(parts=joined, aggregate=_combined(stored, aggregate))


def _bounds(span: Range, parameters: dict[str, Any]) -> dict[str, Placeholder]:
    """Put the ends of ``span`` among the parameters and return their names."""
    names: dict[str, Placeholder] = {}
    for end, ts_ms in zip(("first", "end"), span, strict=True):
        name = f"bound_{len(parameters)}"
        parameters[name] = Instant(ts_ms)
        names[end] = Placeholder(name)
    return names


def _rolled_column(stored_as: frozenset[ValueType], name: str) -> Composable:
    if ValueType.TEXT in stored_as:
        return SQL("NULL::float8") if name == "total" else SQL("NULL::text")
    number, whole = Identifier(name), Identifier(f"{name}_i")
    if ValueType.NUMBER not in stored_as:
        return whole
    if len(stored_as) == 1:
        return number
    return SQL("coalesce({}, {}::float8)").format(number, whole)


def _combined(stored_as: frozenset[ValueType], aggregate: Aggregate) -> SQL:
    match aggregate:
        case Aggregate.MEAN if ValueType.NUMBER in stored_as:
            return SQL("sum(total) / sum(n)::float8")
        case Aggregate.MEAN:
            return SQL("(sum(total) / sum(n))::float8")
        case Aggregate.MIN:
            return SQL("min(lo)")
        case Aggregate.MAX:
            return SQL("max(hi)")
        case Aggregate.COUNT:
            return SQL("sum(n)::bigint")
        case Aggregate.LAST | Aggregate.RAW:
            raise AssertionError("these are no sums")
