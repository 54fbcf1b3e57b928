"""Brings the database's schema to the version this program works with. Owns the migration lock.

Migrations run forward only, one process at a time, each start of central trying again. A newer
schema than this program knows is an error: an old program must not write into it.
"""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from central.errors import SchemaError
from central.store.address import CONNECT_TIMEOUT_S, SCHEMA_NAME
from central.store.failures import failure_of, translated

_MIGRATION_LOCK = 0x68656164_6672616D  # "headfram": any number that nobody else takes
_LOCK_WAIT_S = 10  # another process is migrating; its steps are short, and we try again
_LOCK_TIMEOUT_S = 5  # a step waits for a table no longer: what queues behind it would stand still
_SERVER_VERSION_MIN = 150_000  # multiranges, storage and locking as tested
_ENCODING = "UTF8"  # any other cannot hold what devices send
_STATEMENT_TIMEOUT_S = 600  # building an index on a day partition takes seconds, not more
_FOLDER = Path(__file__).parent / "migrations"


def upgrade_schema(address: str) -> str:
    """Run all outstanding migrations and return the revision; harmless when there are none.

    Raises:
        StoreError: if the database cannot be reached, or a lock was not free in time.
        SchemaError: if the database is newer than this program.
        DataRefusedError: if a migration cannot be applied to the data there is.
    """
    try:
        with translated():
            return _upgrade(address)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise failure_of(error.orig) from error
        raise


def known_revision() -> str:
    """Return the revision this program works with."""
    head = _scripts().get_current_head()
    assert head is not None
    return head


def is_known_revision(revision: str) -> bool:
    """Tell whether this program has a migration of that name."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def _upgrade(address: str) -> str:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: _connect(address), poolclass=NullPool
    )
    with engine.connect() as connection:
        _refuse_newer(connection)
        settings = Config()
        settings.set_main_option("script_location", str(_FOLDER))
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        connection.commit()
        return _revision(connection) or "none"


def _connect(address: str) -> psycopg.Connection:
    connection = psycopg.connect(
        address,
        autocommit=True,
        application_name="headframe-migrate",
        connect_timeout=CONNECT_TIMEOUT_S,
    )
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: psycopg.Connection) -> None:
    _refuse_unsuitable(connection)
    # A session lock: it outlives each step's transaction and falls with the connection.
    _set(connection, "lock_timeout", _LOCK_WAIT_S)
    connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
    _set(connection, "lock_timeout", _LOCK_TIMEOUT_S)
    _set(connection, "statement_timeout", _STATEMENT_TIMEOUT_S)
    name = sql.Identifier(SCHEMA_NAME)
    # Asked first: a role that owns the schema need not have the right to make one.
    found = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (SCHEMA_NAME,))
    if found.fetchone() is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    connection.execute(sql.SQL("SET search_path = {}").format(name))
    connection.autocommit = False


def _refuse_unsuitable(connection: psycopg.Connection) -> None:
    version = connection.info.server_version
    encoding = connection.info.parameter_status("server_encoding")
    if version < _SERVER_VERSION_MIN:
        raise SchemaError(f"PostgreSQL 15 or later is needed, this server is {version // 10_000}")
    if encoding != _ENCODING:
        raise SchemaError(
            f"the database must have encoding {_ENCODING}, this one has {encoding}: "
            "create another one (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
        )


def _set(connection: psycopg.Connection, name: str, seconds: int) -> None:
    connection.execute("SELECT set_config(%s, %s, false)", (name, f"{seconds}s"))


def _refuse_newer(connection: Connection) -> None:
    found = _revision(connection)
    if found is not None and not is_known_revision(found):
        raise SchemaError(
            f"the database has schema revision {found}, which this program does not know; "
            f"expected at most {known_revision()}: run the newer headframe-central"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))
