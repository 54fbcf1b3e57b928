"""Connections to PostgreSQL, kept for reuse. Owns how many there are and that each one works.

A connection is asked whether it lives before it is given out, and a dead one is replaced at once,
so that the first request after a restart of the server succeeds. While the server is away every
request fails in milliseconds instead of waiting: who can wait has a pace of its own. (psycopg's
own pool tries each dead connection in turn with growing pauses and makes requests wait for that.)
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from central.errors import StoreError

Connection = psycopg.AsyncConnection[TupleRow]

WAIT_S: Final = 3.0  # a request that waits longer for a connection had better fail with 503
WAITING_MAX: Final = 200  # requests that may wait at once; beyond, they fail at once
IDLE_MAX_S: Final = 300.0  # a quiet process gives its connections back
LIFE_MAX_S: Final = 3_600.0  # a backend's memory only grows with the tables it has seen


class ConnectionPool:
    """At most ``size_max`` connections made by ``connect``, the most recently used first."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], *, size_max: int) -> None:
        """Connect nothing yet."""
        self._connect = connect
        self._slots = asyncio.Semaphore(size_max)
        self._waiting = 0
        self._idle: list[tuple[Connection, float]] = []  # with the loop time since when
        self._born_s: dict[int, float] = {}  # by id of the connection
        self._is_closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Yield a connection that has just answered; it comes back to the pool, or is closed.

        Raises:
            StoreError: all are in use for WAIT_S, too many wait already, or the pool is closed.
            psycopg.Error: no connection can be made.
        """
        await self._take_slot()
        try:
            connection = await self._ready()
            try:
                yield connection
            finally:
                await self._give_back(connection)
        finally:
            self._slots.release()

    async def close(self) -> None:
        """Close the idle connections now and those in use when they come back."""
        self._is_closed = True
        while self._idle:
            connection, _ = self._idle.pop()
            await self._discard(connection)

    async def _take_slot(self) -> None:
        if self._is_closed or self._waiting >= WAITING_MAX:
            state = "closed" if self._is_closed else f"waited for by {WAITING_MAX} others"
            raise StoreError(f"the connection pool is {state}")
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._slots.acquire()
        except TimeoutError as error:
            raise StoreError(f"all connections were in use for {WAIT_S:g} s") from error
        finally:
            self._waiting -= 1

    async def _ready(self) -> Connection:
        now_s = asyncio.get_running_loop().time()
        await self._retire(now_s)
        while self._idle:
            connection, _ = self._idle.pop()
            is_alive = False
            try:
                is_alive = await _answers(connection)
            finally:  # also when the caller gives up meanwhile
                if not is_alive:
                    await self._discard(connection)
            if is_alive:
                return connection
        connection = await self._connect()
        self._born_s[id(connection)] = now_s
        return connection

    async def _retire(self, now_s: float) -> None:
        """Close what has been idle for too long: the least recently used stand first."""
        while self._idle and now_s - self._idle[0][1] > IDLE_MAX_S:
            connection, _ = self._idle.pop(0)
            await self._discard(connection)

    async def _give_back(self, connection: Connection) -> None:
        now_s = asyncio.get_running_loop().time()
        is_old = now_s - self._born_s[id(connection)] > LIFE_MAX_S
        is_clean = connection.info.transaction_status is TransactionStatus.IDLE
        if self._is_closed or is_old or not is_clean:
            await self._discard(connection)
        else:
            self._idle.append((connection, now_s))

    async def _discard(self, connection: Connection) -> None:
        self._born_s.pop(id(connection), None)
        await connection.close()


async def _answers(connection: Connection) -> bool:
    try:
        await connection.execute("")
    except psycopg.Error:
        return False
    return True
