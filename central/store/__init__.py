"""PostgreSQL: models, queries, migrations."""
