"""Migrations against a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import create_engine

from central.errors import SchemaError, StoreError
from central.store.address import SCHEMA_NAME
from central.store.rollup_models import Model  # the module that knows all tables
from central.store.schema import known_revision, upgrade_schema
from tests.support.postgres import PostgresServer

# Everything about the tables but what a model cannot say (fill factors, storage) and the
# partitions, which are made at run time.
COLUMNS = """
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.attidentity::text, pg_get_expr(d.adbin, d.adrelid), l.collname::text
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
    WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relname <> 'alembic_version'
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(o.oid)
    FROM pg_constraint AS o JOIN pg_class AS c ON c.oid = conrelid
    WHERE c.relnamespace = %s::regnamespace AND NOT c.relispartition AND contype <> 'n'
        AND c.relname <> 'alembic_version'
"""
INDEXES = """
    SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE c.relnamespace = %s::regnamespace AND NOT c.relispartition
        AND c.relname <> 'alembic_version'
"""


def catalogue(connection: psycopg.Connection) -> dict[str, set[tuple[object, ...]]]:
    """Return what PostgreSQL itself says about the schema."""
    connection.execute(SQL("SET search_path = {}").format(Identifier(SCHEMA_NAME)))
    return {
        name: set(connection.execute(query, (SCHEMA_NAME,)).fetchall())
        for name, query in (
            ("columns", SQL(COLUMNS)),
            ("constraints", SQL(CONSTRAINTS)),
            ("indexes", SQL(INDEXES)),
        )
    }


def create_from_models(address: str) -> None:
    def connect() -> psycopg.Connection:
        return psycopg.connect(address, options=f"-c search_path={SCHEMA_NAME}")

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(SCHEMA_NAME)))
    engine = create_engine("postgresql+psycopg://", creator=connect)
    Model.metadata.create_all(engine)
    engine.dispose()


def test_migrates_an_empty_database_and_changes_nothing_the_second_time(
    empty_database_url: str,
) -> None:
    assert upgrade_schema(empty_database_url) == known_revision()
    with psycopg.connect(empty_database_url) as connection:
        before = catalogue(connection)
    assert upgrade_schema(empty_database_url) == known_revision()
    with psycopg.connect(empty_database_url) as connection:
        assert catalogue(connection) == before
    assert before["columns"]


def test_the_models_are_what_the_migrations_make(
    database_url: str, empty_database_url: str
) -> None:
    create_from_models(empty_database_url)
    with (
        psycopg.connect(database_url) as migrated,
        psycopg.connect(empty_database_url) as modelled,
    ):
        of_migrations, of_models = catalogue(migrated), catalogue(modelled)
    for part in of_migrations:
        assert of_migrations[part] == of_models[part]


def test_two_processes_that_migrate_at_once_wait_for_each_other(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        revisions = list(threads.map(upgrade_schema, [empty_database_url] * 4))
    assert revisions == [known_revision()] * 4


def test_refuses_a_database_that_a_newer_program_has_migrated(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            SQL("UPDATE {}.alembic_version SET version_num = '9999'").format(
                Identifier(SCHEMA_NAME)
            )
        )
    with pytest.raises(SchemaError, match="9999"):
        upgrade_schema(database_url)


def test_says_that_the_server_is_away() -> None:
    with pytest.raises(StoreError, match="connection"):
        upgrade_schema("host=/nonexistent dbname=headframe")


def test_the_application_role_owns_its_schema_and_is_no_superuser(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, current_user::text,"
            " (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = %s)"
            " FROM pg_roles WHERE rolname = current_user",
            (SCHEMA_NAME,),
        ).fetchone()
    assert row == (False, False, False, "headframe", "headframe")


def test_refuses_a_database_that_cannot_hold_every_text(postgres_server: PostgresServer) -> None:
    postgres_server.execute(
        SQL("CREATE DATABASE latin OWNER headframe ENCODING 'LATIN1' TEMPLATE template0")
    )
    with pytest.raises(SchemaError, match="UTF8"):
        upgrade_schema(postgres_server.url("latin"))
    postgres_server.drop_database("latin")


def test_a_role_that_owns_only_its_schema_is_enough(
    postgres_server: PostgresServer, empty_database_url: str
) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as owner:
        name = owner.info.dbname
        owner.execute("CREATE SCHEMA headframe")
    postgres_server.execute(SQL("ALTER DATABASE {} OWNER TO postgres").format(Identifier(name)))
    assert upgrade_schema(empty_database_url) == known_revision()
