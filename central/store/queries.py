"""The SQL files: one per noun, each query named, with a line of why. Owns reading them.

A query begins with a comment line ``-- name: why`` and ends where the next begins.
"""

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

from psycopg import sql

_HEAD = re.compile(r"^-- ([a-z_]+): (?=\S)", re.MULTILINE)


@cache
def load_queries(noun: str) -> dict[str, sql.SQL]:
    """Return the queries of ``sql/{noun}.sql`` by name.

    Raises:
        ValueError: if a name is used twice, or text stands before the first name.
    """
    text = files("central.store").joinpath("sql", f"{noun}.sql").read_text(encoding="utf-8")
    before, *parts = _HEAD.split(text)
    if before.strip():
        raise ValueError(f"{noun}.sql: text before the first '-- name: why' line")
    queries: dict[str, sql.SQL] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"{noun}.sql: {name} is defined twice")
        statement = body.split("\n", 1)[1].strip().rstrip(";")
        # Our own file, part of the program like any literal in it.
        queries[name] = sql.SQL(cast("LiteralString", statement))
    return queries
