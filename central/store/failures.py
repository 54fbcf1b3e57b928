"""What a PostgreSQL error means for the caller: try again later, or never. Owns the table."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from central.errors import CentralError, DataRefusedError, StoreError

# Classes of SQLSTATE that blame the values: no later attempt can succeed. Everything else is the
# server's state or the deployment's (08 connection, 40 conflict of transactions, 53 resources,
# 55 locks, 57 intervention, 58 system, 42 wrong schema, XX internal): the data must wait, not go.
DATA_CLASSES = frozenset({"21", "22", "23", "54"})


def is_data_fault(sqlstate: str | None) -> bool:
    """Tell whether ``sqlstate`` blames the values sent; None (no answer at all) does not."""
    return sqlstate is not None and sqlstate[:2] in DATA_CLASSES


def failure_of(error: psycopg.Error) -> CentralError:
    """Return the error of ours that stands for ``error``; it names the SQLSTATE."""
    detail = " ".join(str(error).split())[:500] or type(error).__name__
    text = f"{error.sqlstate}: {detail}" if error.sqlstate else detail
    return DataRefusedError(text) if is_data_fault(error.sqlstate) else StoreError(text)


@contextmanager
def translated() -> Generator[None]:
    """Raise `StoreError` or `DataRefusedError` for what psycopg raises."""
    try:
        yield
    except psycopg.Error as error:
        raise failure_of(error) from error
