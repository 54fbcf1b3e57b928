"""What all commands of ``headframe-central`` share: options, configuration, how they end."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from central.config import CentralConfig
from shared.configuration import load_configuration
from shared.errors import ConfigurationError, HeadframeError
from shared.logs import configure_logs

EXIT_FAILED = 1
EXIT_USAGE = 2

Answer = TypeVar("Answer")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file; HEADFRAME_… and flags override it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]


def attempt(work: Callable[[], Answer]) -> Answer:
    """Return what ``work`` returns; end the program with a clear line where it cannot."""
    try:
        return work()
    except (HeadframeError, OSError) as error:
        fail_with(error)


def fail_with(error: Exception) -> NoReturn:
    """End the program with ``error`` and its code."""
    if isinstance(error, ConfigurationError):
        fail(str(error), EXIT_USAGE)
    code = error.code if isinstance(error, HeadframeError) else "system"
    fail(f"{code}: {error}", EXIT_FAILED)


def load(file: Path | None, *, as_json: bool = False, **flags: Any) -> CentralConfig:
    """Return the configuration, logs set up; end the program where it cannot be used."""
    given = flags | {"log_json": True if as_json else None}
    try:
        config = load_configuration(CentralConfig, file=file, environment=os.environ, flags=given)
    except ConfigurationError as error:
        fail(str(error), EXIT_USAGE)
    configure_logs(as_json=config.log_json, level=config.log_level)
    return config


def fail(message: str, code: int) -> NoReturn:
    """End the program with ``message`` on stderr."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
