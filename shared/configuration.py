"""Loading of configuration: TOML file, then environment, then flags; all mistakes at once."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from shared.errors import ConfigurationError
from shared.validation import expectation

ENVIRONMENT_PREFIX = "HEADFRAME_"
_LEVEL_SEPARATOR = "__"
ENTRIES_SIZE_MAX_BYTES = 16_777_216  # 50,000 accounts

Table = dict[str, Any]


class Section(BaseModel):
    """Base of every configuration section: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ModelT = TypeVar("ModelT", bound=Section)
EntryT = TypeVar("EntryT")


def load_configuration(
    model: type[ModelT],
    *,
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any],
) -> ModelT:
    """Return the validated configuration; later sources win: file, environment, flags.

    Environment variables are ``HEADFRAME_SECTION__KEY`` (JSON for lists and tables); variables
    whose first level is no key of ``model`` belong to another program and are ignored. ``flags``
    maps dotted keys to values, ``None`` meaning "not given".

    Raises:
        ConfigurationError: listing every mistake with its source, key and what was expected.
    """
    values, sources = _read_file(file)
    for key, text in _environment_items(model, environment):
        _put(values, key, _parse_text(text))
        sources[key] = ENVIRONMENT_PREFIX + _LEVEL_SEPARATOR.join(key).upper()
    for dotted, value in flags.items():
        if value is not None:
            key = tuple(dotted.split("."))
            _put(values, key, value)
            sources[key] = f"flag for {dotted}"
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_describe(error, file, sources)) from error


def _read_file(file: Path | None) -> tuple[Table, dict[tuple[str, ...], str]]:
    if file is None:
        return {}, {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), {}
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: not valid TOML: {error}") from error


def _environment_items(
    model: type[Section], environment: Mapping[str, str]
) -> list[tuple[tuple[str, ...], str]]:
    found: list[tuple[tuple[str, ...], str]] = []
    for name, text in sorted(environment.items()):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        key = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split(_LEVEL_SEPARATOR))
        if key[0] in model.model_fields:
            found.append((key, text))
    return found


def _parse_text(text: str) -> Any:
    if text[:1] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _put(values: Table, key: tuple[str, ...], value: Any) -> None:
    table = values
    for level in key[:-1]:
        below = table.setdefault(level, {})
        if not isinstance(below, dict):
            below = table[level] = {}
        table = cast("Table", below)
    table[key[-1]] = value


def _describe(
    error: ValidationError, file: Path | None, sources: Mapping[tuple[str, ...], str]
) -> str:
    lines: list[str] = []
    for mistake in error.errors(include_url=False):
        key = tuple(str(level) for level in mistake["loc"])
        source = sources.get(key) or (str(file) if file else "configuration")
        lines.append(f"{source}: {'.'.join(key) or '(whole)'}: {expectation(mistake)}")
    return "\n".join(lines)


def read_entries(adapter: TypeAdapter[list[EntryT]], file: Path) -> list[EntryT]:
    """Return the entries of a JSON file that holds a list of them: accounts, for example.

    Raises:
        ConfigurationError: if it cannot be read or is not what it must be; the message names every
            entry and field that is wrong, and never what is in it.
    """
    try:
        if file.stat().st_size > ENTRIES_SIZE_MAX_BYTES:
            raise ConfigurationError(f"{file}: larger than {ENTRIES_SIZE_MAX_BYTES} bytes")
        return adapter.validate_python(json.loads(file.read_bytes()))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"[{'.'.join(str(level) for level in mistake['loc'])}] {expectation(mistake)}"
            for mistake in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(f"{file}: {wrong}") from error
    except ValueError as error:
        raise ConfigurationError(f"{file}: not valid JSON: {error}") from error
