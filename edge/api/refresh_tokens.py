"""Refresh tokens that this edge has given out, in a small SQLite file that survives restarts."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import aiosqlite

from edge.errors import LocalStateError
from shared.access.accounts import RefreshToken, Rotation, RotationOutcome
from shared.errors import UnavailableError

# Tokens are kept this long after they expired, so that the use of a copy is still recognised.
KEEP_EXPIRED_MS = 7 * 86_400_000
TOKENS_MAX = 100_000  # 20 MB; beyond it the oldest go, and their owners sign in again

_SCHEMA = """
CREATE TABLE IF NOT EXISTS refresh_token (
    token_sha256 BLOB PRIMARY KEY,
    family_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    issued_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0,
    revoked INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refresh_token_family ON refresh_token (family_id);
CREATE INDEX IF NOT EXISTS refresh_token_user ON refresh_token (user_id);
CREATE INDEX IF NOT EXISTS refresh_token_expiry ON refresh_token (expires_ms);
"""
_INSERT = """
INSERT INTO refresh_token (token_sha256, family_id, user_id, issued_ms, expires_ms)
VALUES (?, ?, ?, ?, ?)
"""


class LocalRefreshTokens:
    """A RefreshTokenStore over one file with one connection."""

    def __init__(self, database: aiosqlite.Connection) -> None:
        """Use `open`."""
        self._database = database
        self._turn = asyncio.Lock()  # one transaction at a time on the one connection

    @staticmethod
    async def open(file: Path) -> "LocalRefreshTokens":
        """Open or make the file, readable by its owner only.

        Raises:
            LocalStateError: if it cannot be opened or is no database.
        """
        try:
            await asyncio.to_thread(file.touch, mode=0o600, exist_ok=True)
            database = await aiosqlite.connect(file, isolation_level=None)
        except (OSError, aiosqlite.Error) as error:
            raise LocalStateError(f"{file}: cannot be used: {error}") from error
        try:
            await database.execute("PRAGMA journal_mode = WAL")
            await database.execute("PRAGMA synchronous = FULL")
            await database.executescript(_SCHEMA)
        except aiosqlite.Error as error:
            await database.close()  # its thread would keep the process alive
            raise LocalStateError(f"{file}: cannot be used: {error}") from error
        return LocalRefreshTokens(database)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def start_family(self, token: RefreshToken) -> None:
        """Keep the first token of a family; forgets what expired long ago."""
        async with self._transaction():
            await self._forget_old(token.issued_ms)
            await self._insert(token)

    async def rotate(
        self, presented_sha256: bytes, successor_sha256: bytes, *, expires_ms: int, now_ms: int
    ) -> Rotation:
        """Exchange a token once; see :class:`RefreshTokenStore`."""
        async with self._transaction():
            return await self._rotate(
                presented_sha256, successor_sha256, expires_ms=expires_ms, now_ms=now_ms
            )

    async def revoke_family(self, token_sha256: bytes) -> None:
        """Revoke the family of a token."""
        await self._change(
            "UPDATE refresh_token SET revoked = 1 WHERE family_id ="
            " (SELECT family_id FROM refresh_token WHERE token_sha256 = ?)",
            token_sha256,
        )

    async def revoke_account(self, user_id: str) -> None:
        """Revoke every family of an account."""
        await self._change("UPDATE refresh_token SET revoked = 1 WHERE user_id = ?", user_id)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[None, None]:
        async with self._turn:
            try:
                try:
                    await self._database.execute("BEGIN IMMEDIATE")
                    yield
                    await self._database.execute("COMMIT")
                except BaseException:
                    # A cancelled statement still runs: the connection's thread takes all in order,
                    # and the ROLLBACK comes behind it. Without a transaction it is refused.
                    with contextlib.suppress(aiosqlite.Error):
                        await self._database.execute("ROLLBACK")
                    raise
            except aiosqlite.Error as error:
                raise UnavailableError(f"sign-ins cannot be kept right now: {error}") from error

    async def _rotate(
        self, presented_sha256: bytes, successor_sha256: bytes, *, expires_ms: int, now_ms: int
    ) -> Rotation:
        cursor = await self._database.execute(
            "SELECT family_id, user_id, expires_ms, used, revoked"
            " FROM refresh_token WHERE token_sha256 = ?",
            (presented_sha256,),
        )
        row = await cursor.fetchone()
        if row is None:
            return Rotation(RotationOutcome.UNKNOWN)
        family_id, user_id, expired_ms, used, revoked = row
        outcome = _outcome(used=used, revoked=revoked, is_expired=expired_ms <= now_ms)
        if outcome is RotationOutcome.REUSED:
            await self._database.execute(
                "UPDATE refresh_token SET revoked = 1 WHERE family_id = ?", (family_id,)
            )
        if outcome is RotationOutcome.ROTATED:
            await self._database.execute(
                "UPDATE refresh_token SET used = 1 WHERE token_sha256 = ?", (presented_sha256,)
            )
            await self._insert(
                RefreshToken(successor_sha256, family_id, user_id, now_ms, expires_ms)
            )
        return Rotation(outcome, user_id, family_id)

    async def _insert(self, token: RefreshToken) -> None:
        await self._database.execute(
            _INSERT,
            (
                token.token_sha256,
                token.family_id,
                token.user_id,
                token.issued_ms,
                token.expires_ms,
            ),
        )

    async def _forget_old(self, now_ms: int) -> None:
        await self._database.execute(
            "DELETE FROM refresh_token WHERE expires_ms < ?", (now_ms - KEEP_EXPIRED_MS,)
        )
        await self._database.execute(
            "DELETE FROM refresh_token WHERE token_sha256 IN (SELECT token_sha256"
            " FROM refresh_token ORDER BY expires_ms DESC LIMIT -1 OFFSET ?)",
            (TOKENS_MAX - 1,),
        )

    async def _change(self, statement: str, *values: bytes | str) -> None:
        async with self._transaction():
            await self._database.execute(statement, values)


def _outcome(*, used: int, revoked: int, is_expired: bool) -> RotationOutcome:
    if revoked:
        return RotationOutcome.REVOKED
    if used:
        return RotationOutcome.REUSED
    return RotationOutcome.EXPIRED if is_expired else RotationOutcome.ROTATED
