"""Password hashing with argon2id, off the event loop and bounded. Owns cost and limits."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher as Argon2Hasher
from argon2 import Type
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import UnavailableError

# OWASP's second choice of equal strength (19 MiB, t=2, p=1), one pass more: 30 ms on one core, and
# two at once stay far below the 300 MB an edge may use.
MEMORY_KIB = 19_456
PASSES = 3
PARALLELISM = 1
HASHING_THREADS = 2  # the reference machine's cores; argon2 releases the interpreter lock
WAITING_MAX = 32  # one second of work; more would make every sign-in time out instead of some
PASSWORD_SIZE_MAX_BYTES = 1024  # hashing is linear in it only before the first pass; still a limit


@dataclass(frozen=True, slots=True)
class PasswordVerdict:
    """Whether a password is right, and a new hash when the stored one was made too cheaply."""

    matches: bool
    better_hash: str | None = None


class PasswordHasher:
    """Hashes and verifies passwords in its own threads."""

    def __init__(self) -> None:
        self._argon2 = Argon2Hasher(
            time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=PARALLELISM, type=Type.ID
        )
        self._threads = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        # Verified against for unknown users, so that their refusal takes as long as any other.
        self._nobody = self._argon2.hash("nobody has this password")

    def hash_now(self, password: str) -> str:
        """Return the hash of ``password``, blocking; for command lines.

        Raises:
            ValueError: if the password is empty or longer than ``PASSWORD_SIZE_MAX_BYTES``.
        """
        if not 0 < len(password.encode()) <= PASSWORD_SIZE_MAX_BYTES:
            raise ValueError(f"a password has 1 to {PASSWORD_SIZE_MAX_BYTES} bytes")
        return self._argon2.hash(password)

    async def hash(self, password: str) -> str:
        """Return the hash of ``password``.

        Raises:
            ValueError: if the password is empty or longer than ``PASSWORD_SIZE_MAX_BYTES``.
            UnavailableError: if ``WAITING_MAX`` others are being worked on.
        """
        self._enter()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self.hash_now, password)
        finally:
            self._waiting -= 1

    async def verify(self, password: str, password_hash: str | None) -> PasswordVerdict:
        """Compare ``password`` with a stored hash; ``None`` (no such user) takes as long and fails.

        Raises:
            UnavailableError: if ``WAITING_MAX`` others are being worked on.
        """
        self._enter()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._judge, password, password_hash)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Stop the threads; hashing under way is finished."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _enter(self) -> None:
        if self._waiting >= WAITING_MAX:
            raise UnavailableError("too many sign-ins at once; try again in a moment")
        self._waiting += 1

    def _judge(self, password: str, password_hash: str | None) -> PasswordVerdict:
        if len(password.encode(errors="replace")) > PASSWORD_SIZE_MAX_BYTES:
            password, password_hash = "", None
        try:
            self._argon2.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return PasswordVerdict(matches=False)
        if password_hash is None:
            return PasswordVerdict(matches=False)
        if self._argon2.check_needs_rehash(password_hash):
            return PasswordVerdict(matches=True, better_hash=self._argon2.hash(password))
        return PasswordVerdict(matches=True)
