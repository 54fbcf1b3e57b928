"""Waiting until the database can be worked with: reachable, and with this program's schema."""

import asyncio
from collections.abc import Callable

from central.errors import SchemaError, StoreError
from central.store.database import Database
from central.store.queries import load_queries
from central.store.schema import is_known_revision, known_revision

RETRY_S = 0.5  # a refused connection costs nothing; people wait for the first page


async def schema_problem(database: Database) -> str | None:
    """Return None when the schema is this program's, else what is missing.

    Raises:
        SchemaError: if the schema is newer than this program.
    """
    try:
        rows = await database.rows(load_queries("server")["revision"], {})
    except StoreError as error:
        return str(error)
    found = rows[0][0] if rows else None
    if found == known_revision():
        return None
    if found is not None and not is_known_revision(found):
        raise SchemaError(
            f"the database has schema revision {found}, which this program does not know; "
            f"expected {known_revision()}: run the newer headframe-central"
        )
    return f"the schema has revision {found or 'none'}, expected {known_revision()}"


async def wait_for_schema(database: Database, waiting: Callable[[str], None]) -> None:
    """Return when the schema is this program's; ``waiting`` is told why at each attempt.

    Raises:
        SchemaError: if the schema is newer than this program.
    """
    while (problem := await schema_problem(database)) is not None:
        waiting(problem)
        await asyncio.sleep(RETRY_S)


async def durability_problem(database: Database) -> str | None:
    """Return what lets the server lose or damage committed data in a power cut, or None.

    Raises:
        StoreError: the server is away.
    """
    rows = await database.rows(load_queries("server")["unsafe_settings"], {})
    names = [name for (name,) in rows]
    return f"the server runs with {' and '.join(names)} off" if names else None
