"""Connections to PostgreSQL: the pool, its settings, transactions. Owns every way to get one.

All errors leave here as ours (see failures). After a restart of the server the pool's dead
connections are found before use and replaced; nobody else has to know.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed
from psycopg_pool import AsyncConnectionPool

from central.config import DatabaseConfig
from central.errors import StoreError
from central.store.address import address_of, address_with_settings
from central.store.failures import translated
from central.store.instants import register_instants

Connection = AsyncConnection[TupleRow]
Parameters = Mapping[str, Any]

POOL_WAIT_S = 3.0  # a request that waits longer for a connection had better fail with 503
POOL_WAITING_MAX = 200  # requests that may wait at once; beyond, the answer is 503 at once
_RECONNECT_S = 1.0  # the pool then gives up until somebody asks again: no growing pauses


class Database:
    """A pool of connections for one process; open it before use, close it at the end.

    ``durable`` connections wait for the disk at each commit, whatever the server's default.
    The others may lose their last transactions in a crash of the server, never parts of one:
    for work that repeats itself then (unpacking, heartbeats).
    """

    def __init__(self, config: DatabaseConfig, *, application: str, durable: bool = True) -> None:
        self._address = address_with_settings(
            address_of(config), config, application, durable=durable
        )
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._address,
            min_size=1,
            max_size=config.pool_size_max,
            open=False,
            kwargs={"autocommit": True},
            configure=_configure,
            check=AsyncConnectionPool.check_connection,
            timeout=POOL_WAIT_S,
            max_waiting=POOL_WAITING_MAX,
            reconnect_timeout=_RECONNECT_S,
            name=application,
        )

    async def open(self) -> None:
        """Start the pool; it connects in the background and this never waits for the server."""
        await self._pool.open(wait=False)

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
        """Return all rows of one query, run in a transaction of its own; same errors."""
        async with self.transaction() as connection:
            return await fetch(connection, query, parameters)

    @asynccontextmanager
    async def own_connection(self) -> AsyncGenerator[Connection]:
        """Yield a connection outside the pool, in autocommit, for listening; same errors."""
        with translated():
            async with await AsyncConnection.connect(self._address, autocommit=True) as connection:
                await _configure(connection)
                yield connection

    async def probe(self) -> str | None:
        """Return None when a query works now, else why not."""
        try:
            await self.rows(SQL("SELECT 1"), {})
        except StoreError as error:
            return str(error)
        return None


async def fetch(
    connection: Connection, query: SQL | Composed, parameters: Parameters
) -> list[TupleRow]:
    """Return all rows of ``query``; times come as int (ms), see instants."""
    cursor = await connection.execute(query, parameters, binary=True)
    return await cursor.fetchall() if cursor.description else []


async def _configure(connection: Connection) -> None:
    register_instants(connection)
