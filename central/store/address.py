"""How PostgreSQL is reached and with which settings. Owns the libpq address."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from central.config import DatabaseConfig
from shared.errors import ConfigurationError

SCHEMA_NAME = "headframe"  # the application role's own; equal to its usual name: psql finds it too

CONNECT_TIMEOUT_S = 5  # a server that does not answer in 5 s is away
LOCK_TIMEOUT_S = 5  # locks are held for milliseconds; longer means maintenance: back off
IDLE_IN_TRANSACTION_TIMEOUT_S = 60  # frees the locks of a process that was stopped or unplugged

# A server or network that disappears without a word is noticed within about 20 s.
_LIVENESS = {
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "connect_timeout": CONNECT_TIMEOUT_S,
}


def address_of(config: DatabaseConfig) -> str:
    """Return the libpq address with the password of ``password_file``, if there is one.

    Raises:
        ConfigurationError: if the file cannot be read or ``url`` is no libpq address.
    """
    password: dict[str, str] = {}
    if config.password_file is not None:
        try:
            text = config.password_file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"database.password_file: {config.password_file}: {error.strerror}"
            ) from error
        password["password"] = text.rstrip("\n")
    try:
        return make_conninfo(config.url, **password)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"database.url: not a libpq address: {error}") from error


def address_with_settings(
    address: str, config: DatabaseConfig, application: str, *, durable: bool
) -> str:
    """Return ``address`` with everything that a session of ``application`` sets at its start."""
    settings = {
        "search_path": SCHEMA_NAME,
        "synchronous_commit": "on" if durable else "off",
        "statement_timeout": f"{max(1, round(config.statement_timeout_s * 1000))}",  # 0 is none
        "lock_timeout": f"{LOCK_TIMEOUT_S * 1000}",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_TIMEOUT_S * 1000}",
        "idle_session_timeout": "0",  # a listening connection has nothing else to do
        # Measured: no gain for charts of 100,000 samples, and ingest needs the other core.
        "max_parallel_workers_per_gather": "0",
        "jit": "off",  # compiles for 100 ms what then runs for 40
        "plan_cache_mode": "force_custom_plan",  # a generic plan cannot leave partitions out
        "timezone": "UTC",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given = conninfo_to_dict(address)
    if given.get("options"):
        options = f"{given['options']} {options}"
    chosen: dict[str, Any] = {**_LIVENESS, "application_name": application, "options": options}
    return make_conninfo(address, **chosen)
