"""Hears PostgreSQL's notifications on one channel, for ever. Owns the reconnecting."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from psycopg.sql import SQL, Identifier

from central.errors import StoreError
from central.store.database import Connection, Database
from shared.logs import get_log

PROBE_S: Final = 15.0  # a connection silent for this long is asked whether it lives
RETRY_S: Final = 1.0  # between attempts while the server is away

_log = get_log("listening")


async def listen(
    database: Database,
    channel: str,
    *,
    connected: Callable[[], Awaitable[None]],
    heard: Callable[[list[str]], Awaitable[None]],
) -> None:
    """Call ``heard`` with the payloads of each round of notifications until cancelled.

    ``connected`` is called after each (re)connect, once nothing more can be missed: what was
    notified before is gone, so it must look for itself. A StoreError of either counts as a lost
    connection.
    """
    while True:
        try:
            async with database.own_connection() as connection:
                await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
                await connected()
                while True:
                    payloads = await _round(connection)
                    if payloads:
                        await heard(payloads)
                    else:
                        await connection.execute("SELECT 1")
        except StoreError as error:
            _log.warning("notifications interrupted", channel=channel, error=str(error))
        await asyncio.sleep(RETRY_S)


async def _round(connection: Connection) -> list[str]:
    """Return what was notified since the last round, waiting for the first; else nothing."""
    payloads = [
        notice.payload async for notice in connection.notifies(timeout=PROBE_S, stop_after=1)
    ]
    if payloads:
        payloads += [notice.payload async for notice in connection.notifies(timeout=0)]
    return payloads
