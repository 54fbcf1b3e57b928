"""Accounts as central last sent them, from a file; people can sign in with no link to central.

The file is JSON: a list of ``{"username", "user_id", "password_hash", "roles", "sites"}`` and
optionally ``"state"``. It is read again when it changes; a file that cannot be used leaves the
accounts as they were.
"""

import asyncio
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.access.accounts import Account, AccountState
from shared.access.roles import Role
from shared.clock import Clock
from shared.configuration import read_entries
from shared.errors import ConfigurationError
from shared.logs import get_log

_log = get_log("accounts")

CHECK_INTERVAL_S = 1.0  # how long a changed file may go unnoticed


class CachedAccount(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # central may be newer than this edge

    username: Annotated[str, Field(min_length=1, max_length=254)]
    user_id: Annotated[str, Field(min_length=1, max_length=128)]
    password_hash: Annotated[str, Field(pattern=r"^\$argon2id\$")]
    roles: tuple[Role, ...]
    sites: tuple[str, ...]
    state: AccountState = AccountState.ACTIVE

    def account(self) -> Account:
        """Return the account."""
        return Account(
            user_id=self.user_id,
            username=self.username.lower(),
            password_hash=self.password_hash,
            roles=self.roles,
            sites=self.sites,
            state=self.state,
        )


_ENTRIES = TypeAdapter(list[CachedAccount])


def load_accounts(file: Path) -> dict[str, Account]:
    """Return the accounts in ``file`` by username.

    Raises:
        ConfigurationError: if it cannot be read or is not what it must be; the message names every
            entry and field that is wrong, and never a hash.
    """
    entries = read_entries(_ENTRIES, file)
    return {account.username: account for account in (entry.account() for entry in entries)}


class CachedAccounts:
    """An AccountStore over the file; read-only, because central owns the accounts."""

    def __init__(self, file: Path | None, clock: Clock) -> None:
        """Without a file there is no account here; tokens of central still work.

        Raises:
            ConfigurationError: if the file is there and cannot be used.
        """
        self._file = file
        self._clock = clock
        self._checked_at_s = clock.monotonic_s()
        self._version = _version_of(file)
        self._by_username: dict[str, Account] = {}
        if file is not None and self._version is not None:
            self._by_username = load_accounts(file)

    async def find_account(self, username: str) -> Account | None:
        """Return the account with this username."""
        await self._refresh()
        return self._by_username.get(username)

    async def account_of(self, user_id: str) -> Account | None:
        """Return the account with this id."""
        await self._refresh()
        found = (each for each in self._by_username.values() if each.user_id == user_id)
        return next(found, None)

    async def replace_password_hash(self, user_id: str, password_hash: str) -> None:
        """Do nothing: the hash is central's, which makes it anew at the next sign-in there."""

    async def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._file is None or now_s - self._checked_at_s < CHECK_INTERVAL_S:
            return
        self._checked_at_s = now_s
        version = await asyncio.to_thread(_version_of, self._file)
        if version is None or version == self._version:
            return
        try:
            self._by_username = await asyncio.to_thread(load_accounts, self._file)
            _log.info("accounts read again", accounts=len(self._by_username))
        except ConfigurationError as error:
            _log.error("accounts cannot be read; the known ones stay", reason=str(error))
        self._version = version  # also of a broken file: once is enough to complain


def _version_of(file: Path | None) -> tuple[int, int, int] | None:
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
