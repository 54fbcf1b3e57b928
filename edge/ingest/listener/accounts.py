"""Who may publish: a file of accounts, and whether a greeting proves to be one of them.

The file is JSON: a list of ``{"username", "password_hash", "certificate", "devices"}``, read again
when it changes; one that cannot be used leaves the accounts as they were. Hashes are argon2id,
verified in one thread of their own: the loop never waits for them, and ingest keeps its core.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final, Self

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.logs import get_log
from shared.validation import expectation
from shared.web.throttle import Attempt, SignInThrottle

CHECK_INTERVAL_S: Final = 1.0  # how long a changed file may go unnoticed
FILE_SIZE_MAX_BYTES: Final = 16_777_216
VERIFIED_MAX: Final = 10_000  # proofs that are remembered: a reconnect costs no hashing
WAITING_MAX: Final = 10_000  # sign-ins that wait for the thread; more are told that we are busy
PASSWORD_SIZE_MAX_BYTES: Final = 1_024
# For generated passwords of 128 bits, which nobody guesses whatever a guess costs: 1 ms, so that
# four hundred devices are in again half a second after a restart.
GENERATED_MEMORY_KIB: Final = 1_024
GENERATED_PASSES: Final = 1
_PASSWORD_BYTES: Final = 18

_log = get_log("listener")


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
        self._version = _version_of(file)
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
        version = await asyncio.to_thread(_version_of, self._file)
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


def load_publishers(file: Path) -> list[PublisherAccount]:
    """Return the accounts in ``file``.

    Raises:
        ConfigurationError: if it cannot be read or is not what it must be; never names a hash.
    """
    try:
        if file.stat().st_size > FILE_SIZE_MAX_BYTES:
            raise ConfigurationError(f"{file}: larger than {FILE_SIZE_MAX_BYTES} bytes")
        return _ENTRIES.validate_python(json.loads(file.read_bytes()))
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


def generate_password() -> str:
    """Return a new password that cannot be guessed."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def hash_generated(password: str) -> str:
    """Return the hash of a password of `generate_password`; too cheap for one that people chose."""
    hasher = PasswordHasher(
        time_cost=GENERATED_PASSES, memory_cost=GENERATED_MEMORY_KIB, parallelism=1, type=Type.ID
    )
    return hasher.hash(password)


def _matches(stored: str, password: bytes) -> bool:
    if len(password) > PASSWORD_SIZE_MAX_BYTES:
        return False
    try:
        return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _version_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
