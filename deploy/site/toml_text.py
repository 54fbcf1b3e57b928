"""Writes TOML tables; the standard library only reads them. Pure."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

TomlValue = str | int | float | bool | Path | Sequence[str] | None
TomlTable = Mapping[str, "TomlValue | TomlTable"]


def toml_text(table: TomlTable, heading: str = "") -> str:
    """Return ``table`` as TOML below a comment; keys with None are left out."""
    lines = [f"# {heading}"] if heading else []
    _append(lines, table, ())
    return "\n".join(lines) + "\n"


def _append(lines: list[str], table: TomlTable, path: tuple[str, ...]) -> None:
    below: list[tuple[str, TomlTable]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            below.append((key, value))
        elif value is not None:
            lines.append(f"{key} = {_value(value)}")
    for key, inner in below:
        lines.extend(["", f"[{'.'.join((*path, key))}]"])
        _append(lines, inner, (*path, key))


def _value(value: str | float | bool | Path | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | Path):
        # JSON's strings are TOML's basic strings, but for DEL, which TOML wants escaped.
        return json.dumps(str(value)).replace("\x7f", "\\u007f")
    return "[" + ", ".join(_value(item) for item in value) + "]"
