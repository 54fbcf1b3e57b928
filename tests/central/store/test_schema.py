"""Migrations against a real PostgreSQL."""
import psycopg
from central.store.schema import upgrade_schema, known_revision

def test_migrates_an_empty_database_and_does_nothing_the_second_time(empty_database_url: str) -> None:
    assert upgrade_schema(empty_database_url) == known_revision()
    assert upgrade_schema(empty_database_url) == known_revision()
    with psycopg.connect(empty_database_url) as c:
        print(c.execute("select count(*) from central_identity").fetchone())
