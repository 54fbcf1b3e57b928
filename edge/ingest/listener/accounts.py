"""Who may publish: a file of accounts, and whether a greeting proves to be one of them.

The file is read again when it changes; one that cannot be used leaves the accounts as they were.
Hashes are argon2id, verified in one thread of their own: the loop never waits for them, and ingest
keeps its core.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from edge.ingest.listener.accounts_file import (
    PublisherAccount,
    hash_generated,
    load_publishers,
    version_of,
)
from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.logs import get_log
from shared.web.throttle import Attempt, SignInThrottle

CHECK_INTERVAL_S: Final = 1.0  # how long a changed file may go unnoticed
VERIFIED_MAX: Final = 10_000  # proofs that are remembered: a reconnect costs no hashing
WAITING_MAX: Final = 10_000  # sign-ins that wait for the thread; more are told that we are busy
PASSWORD_SIZE_MAX_BYTES: Final = 1_024
_log = get_log("listener")


class TooBusyError(Exception):
    """A greeting cannot be judged now; the publisher may try again later."""


class PublisherAccounts:
    """The accounts of one file. Call ``close`` at the end."""

    def __init__(self, file: Path, clock: Clock) -> None:
        """Read the file.

        Raises:
            ConfigurationError: if it cannot be used.
        """
        self._file = file
        self._clock = clock
        self._checked_at_s = clock.monotonic_s()
        self._version = version_of(file)
        self._index(load_publishers(file))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publishers")
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._throttle = SignInThrottle()
        self._verified: dict[bytes, None] = {}
        self._key = secrets.token_bytes(32)
        # Verified against for unknown names, so that their refusal takes as long as any other.
        self._nobody = hash_generated("nobody")

    async def judge(
        self, username: str | None, password: bytes | None, certificate: str | None, address: str
    ) -> PublisherAccount | None:
        """Return the account that a greeting proves, ``None`` if it proves none.

        ``certificate`` is the common name of a client certificate that was verified.

        Raises:
            TooBusyError: if there are too many sign-ins, or too many failed ones from there.
        """
        await self._refresh()
        if username is None:
            account = self._by_certificate.get(certificate or "")
            return account if account is not None and account.password_hash is None else None
        account = self._by_username.get(username)
        if account is not None and account.certificate not in (None, certificate):
            account = None
        elif account is not None and account.password_hash is None:
            return account
        is_right = await self._is_right(account, username, password or b"", address)
        return account if is_right else None

    def close(self) -> None:
        """End the thread; what waits for it is given up."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _is_right(
        self, account: PublisherAccount | None, username: str, password: bytes, address: str
    ) -> bool:
        stored = (
            self._nobody
            if account is None or not account.password_hash
            else (account.password_hash)
        )
        proof = hmac.digest(self._key, b"\0".join((stored.encode(), password)), "sha256")
        if account is not None and proof in self._verified:
            return True
        if self._waiting >= WAITING_MAX:
            raise TooBusyError("too many sign-ins at once")
        self._waiting += 1
        try:
            async with self._turn:
                matches = await self._verify(username, address, stored, password)
        finally:
            self._waiting -= 1
        if account is None or not matches:
            return False
        if len(self._verified) >= VERIFIED_MAX:
            del self._verified[next(iter(self._verified))]
        self._verified[proof] = None
        return True

    async def _verify(self, username: str, address: str, stored: str, password: bytes) -> bool:
        """Compare, unless too many have failed; one at a time, so that all failures are known."""
        attempt = Attempt(hashlib.sha256(username.encode()).hexdigest(), address)
        if self._throttle.begin(attempt, self._clock.monotonic_s()) is not None:
            raise TooBusyError("too many failed sign-ins")
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(self._thread, _matches, stored, password)
        if matches and stored != self._nobody:
            self._throttle.succeeded(attempt)
        return matches

    async def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._checked_at_s < CHECK_INTERVAL_S:
            return
        self._checked_at_s = now_s
        version = await asyncio.to_thread(version_of, self._file)
        if version is None or version == self._version:
            return
        self._version = version  # also of a broken file: once is enough to complain
        try:
            self._index(await asyncio.to_thread(load_publishers, self._file))
            _log.info("publishers' accounts read again", accounts=len(self._by_username))
        except ConfigurationError as error:
            _log.error("accounts cannot be read; the known ones stay", reason=str(error))

    def _index(self, accounts: Sequence[PublisherAccount]) -> None:
        self._by_username = {account.username: account for account in accounts}
        self._by_certificate = {
            account.certificate: account for account in accounts if account.certificate is not None
        }


def _matches(stored: str, password: bytes) -> bool:
    if len(password) > PASSWORD_SIZE_MAX_BYTES:
        return False
    try:
        return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
