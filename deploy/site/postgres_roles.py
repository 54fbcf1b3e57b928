"""Roles and database of the embedded PostgreSQL: the application is no superuser."""

from pathlib import Path

import psycopg
from psycopg import sql

from deploy.errors import SiteError, SiteUsageError
from deploy.site.postgres_settings import ADMIN_ROLE, APPLICATION_ROLE, DATABASE, PORT

MAJOR_MIN = 15
_CONNECT_TIMEOUT_S = 5


def connection_text(socket_folder: Path, *, user: str, database: str) -> str:
    """Return the libpq text for the embedded server; the password comes separately."""
    return f"host='{socket_folder}' port={PORT} user={user} dbname={database}"


async def server_answers(socket_folder: Path, password: str) -> bool:
    """Return whether the embedded server takes connections."""
    text = connection_text(socket_folder, user=ADMIN_ROLE, database="postgres")
    try:
        async with await _connect(text, password) as connection:
            await connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


async def ensure_application_role(
    socket_folder: Path, *, admin_password: str, application_password: str
) -> None:
    """Make the application's role and database, or set its password where they exist.

    Raises:
        SiteError: if the server refuses.
    """
    text = connection_text(socket_folder, user=ADMIN_ROLE, database="postgres")
    try:
        async with await _connect(text, admin_password) as connection:
            await _ensure_role(connection, application_password)
            await _ensure_database(connection)
    except psycopg.Error as error:
        raise SiteError(f"PostgreSQL refused to make the application's role: {error}") from error


async def check_server(url: str) -> None:
    """Return if the server at ``url`` can be used.

    Raises:
        SiteUsageError: if it cannot be reached, refuses the login, or is too old.
    """
    try:
        async with await _connect(url, None) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        reason = str(error).strip().replace("\n", " ")
        raise SiteUsageError(f"--postgres: cannot connect: {reason}") from error
    if version < MAJOR_MIN * 10_000:
        raise SiteUsageError(
            f"--postgres: the server is PostgreSQL {version // 10_000}; {MAJOR_MIN} or later is"
            " needed"
        )


async def _connect(text: str, password: str | None) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(
        text, password=password, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S
    )


async def _ensure_role(connection: psycopg.AsyncConnection, password: str) -> None:
    role = sql.Identifier(APPLICATION_ROLE)
    exists = await connection.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = %s", (APPLICATION_ROLE,)
    )
    if await exists.fetchone() is None:
        rights = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION")
        await connection.execute(rights.format(role))
    change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password))
    await connection.execute(change)


async def _ensure_database(connection: psycopg.AsyncConnection) -> None:
    names = {"database": sql.Identifier(DATABASE), "role": sql.Identifier(APPLICATION_ROLE)}
    exists = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
    if await exists.fetchone() is None:
        await connection.execute(sql.SQL("CREATE DATABASE {database} OWNER {role}").format(**names))
    await connection.execute(
        sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names)
    )
