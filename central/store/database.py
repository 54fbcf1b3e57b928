"""Connections to PostgreSQL: the pool, its settings, transactions. Owns every way to get one.

All errors leave here as ours (see failures).
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed

from central.config import DatabaseConfig
from central.errors import StoreError
from central.store.address import address_of, address_with_settings
from central.store.failures import translated
from central.store.instants import register_instants
from central.store.pool import Connection, ConnectionPool

Parameters = Mapping[str, Any]

__all__ = ["Connection", "Database", "Parameters", "fetch"]


class Database:
    """The connections of one process; made as they are needed, closed at the end.

    ``durable`` connections wait for the disk at each commit, whatever the server's default.
    The others may lose their last transactions in a crash of the server, never parts of one:
    for work that repeats itself then (unpacking, heartbeats).
    """

    def __init__(
        self,
        config: DatabaseConfig,
        *,
        application: str,
        durable: bool = True,
        connections_max: int | None = None,
    ) -> None:
        """Connect nothing yet; ``connections_max`` is the configured size unless given."""
        self._address = address_with_settings(
            address_of(config), config, application, durable=durable
        )
        self._pool = ConnectionPool(self._connect, size_max=connections_max or config.pool_size_max)

    async def close(self) -> None:
        """Close all connections; those in use when they come back."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """Yield a connection inside a transaction that commits at the end, or rolls back.

        Raises:
            StoreError: no connection, or the server could not do it now.
            DataRefusedError: the server will never take these values.
        """
        with translated():
            async with self._pool.connection() as connection, connection.transaction():
                yield connection

    async def rows(self, query: SQL | Composed, parameters: Parameters) -> list[TupleRow]:
        """Return all rows of one query, which is a transaction of its own; same errors."""
        with translated():
            async with self._pool.connection() as connection:
                return await fetch(connection, query, parameters)

    @asynccontextmanager
    async def own_connection(self) -> AsyncGenerator[Connection]:
        """Yield a connection outside the pool, in autocommit, for listening; same errors."""
        with translated():
            async with await self._connect() as connection:
                yield connection

    async def probe(self) -> str | None:
        """Return None when a query works now, else why not."""
        try:
            await self.rows(SQL("SELECT 1"), {})
        except StoreError as error:
            return str(error)
        return None

    async def _connect(self) -> Connection:
        connection = await AsyncConnection.connect(self._address, autocommit=True)
        register_instants(connection)
        return connection


async def fetch(
    connection: Connection, query: SQL | Composed, parameters: Parameters
) -> list[TupleRow]:
    """Return all rows of ``query``; times come as int (ms), see instants."""
    cursor = await connection.execute(query, parameters, binary=True)
    return await cursor.fetchall() if cursor.description else []
