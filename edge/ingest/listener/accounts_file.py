"""The file of publishers' accounts. Owns its form, its limits and how a hash is made.

It is JSON: a list of ``{"username", "password_hash", "certificate", "devices"}``.
"""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Self

from argon2 import PasswordHasher, Type
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from edge.log.layout import write_durably
from shared.configuration import read_entries

# For generated passwords of 128 bits, which nobody guesses whatever a guess costs: 1 ms, so that
# four hundred devices are in again half a second after a restart.
GENERATED_MEMORY_KIB: Final = 1_024
GENERATED_PASSES: Final = 1
_PASSWORD_BYTES: Final = 18


class PublisherAccount(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: Annotated[str, Field(min_length=1, max_length=254)]
    password_hash: Annotated[str | None, Field(pattern=r"^\$argon2id\$")] = None
    certificate: Annotated[str | None, Field(min_length=1, max_length=64)] = None  # common name
    devices: Annotated[tuple[str, ...], Field(max_length=10_000)] = ()  # empty: the user name

    @model_validator(mode="after")
    def _has_a_proof(self) -> Self:
        if self.password_hash is None and self.certificate is None:
            raise ValueError("expected a password_hash, a certificate or both")
        return self

    @property
    def publishes_as(self) -> Sequence[str]:
        """Return the devices it may publish as."""
        return self.devices or (self.username,)


_ENTRIES = TypeAdapter(list[PublisherAccount])


def load_publishers(file: Path) -> list[PublisherAccount]:
    """Return the accounts in ``file``.

    Raises:
        ConfigurationError: if it cannot be read or is not what it must be; never names a hash.
    """
    return read_entries(_ENTRIES, file)


def generate_password() -> str:
    """Return a new password that cannot be guessed."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def hash_generated(password: str) -> str:
    """Return the hash of a password of `generate_password`; too cheap for one that people chose."""
    hasher = PasswordHasher(
        time_cost=GENERATED_PASSES, memory_cost=GENERATED_MEMORY_KIB, parallelism=1, type=Type.ID
    )
    return hasher.hash(password)


def add_publisher(file: Path, account: PublisherAccount) -> None:
    """Put ``account`` into the file, in place of one of the same name; mode 0600.

    Raises:
        ConfigurationError: if what is there cannot be used. LogError: if it cannot be written.
    """
    known = load_publishers(file) if file.exists() else []
    others = [each for each in known if each.username != account.username]
    entries = _ENTRIES.dump_python([*others, account], mode="json", exclude_none=True)
    write_durably(file, json.dumps(entries, indent=2).encode() + b"\n")


def version_of(file: Path) -> tuple[int, int, int] | None:
    """Return what changes with the file, ``None`` where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
