"""How alembic runs here: always on the connection that `central.store.schema` hands over."""

from alembic import context
from sqlalchemy import Connection

from central.store.rollup_models import Model


def _run() -> None:
    connection = context.config.attributes["connection"]
    assert isinstance(connection, Connection)
    context.configure(connection=connection, target_metadata=Model.metadata)
    with context.begin_transaction():
        context.run_migrations()


_run()
