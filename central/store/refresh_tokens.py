"""Refresh tokens on PostgreSQL: families, rotation, detection of copies."""

from typing import Any

from central.store.database import Connection, Database, fetch
from central.store.queries import load_queries
from shared.access.accounts import RefreshToken, Rotation, RotationOutcome

# Expired tokens are kept a day: who presents one is told "expired", not "unknown".
FORGET_AFTER_MS = 86_400_000


class PostgresRefreshTokens:
    """`shared.access.accounts.RefreshTokenStore`; every method raises StoreError when away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_queries("account")

    async def start_family(self, token: RefreshToken) -> None:
        """Keep the first token of a new family.

        Raises:
            DataRefusedError: if there is no such account.
        """
        async with self._database.transaction() as connection:
            family = {"family_id": token.family_id, "user_id": token.user_id}
            await connection.execute(self._sql["start_family"], family)
            await self._add(connection, token)

    async def rotate(
        self, presented_sha256: bytes, successor_sha256: bytes, *, expires_ms: int, now_ms: int
    ) -> Rotation:
        """Exchange a token for its successor, once; a token used before revokes its family."""
        presented = {"token_sha256": presented_sha256, "now_ms": now_ms}
        async with self._database.transaction() as connection:
            owner = await fetch(connection, self._sql["lock_token"], presented)
            if not owner:
                return Rotation(RotationOutcome.UNKNOWN)
            family_id, user_id = owner[0]
            state = await fetch(connection, self._sql["token"], presented)
            outcome = _outcome(state[0], now_ms)
            if outcome is RotationOutcome.REUSED:
                await connection.execute(self._sql["revoke_family"], {"family_id": family_id})
            elif outcome is RotationOutcome.ROTATED:
                await connection.execute(self._sql["use_token"], presented)
                successor = RefreshToken(successor_sha256, family_id, user_id, now_ms, expires_ms)
                await self._add(connection, successor)
        return Rotation(outcome, user_id, family_id)

    async def revoke_family(self, token_sha256: bytes) -> None:
        """Revoke the family of this token; an unknown token is ignored."""
        await self._database.rows(self._sql["revoke_family_of"], {"token_sha256": token_sha256})

    async def revoke_account(self, user_id: str) -> None:
        """Revoke every family of this account."""
        await self._database.rows(self._sql["revoke_account"], {"user_id": user_id})

    async def forget_expired(self, now_ms: int) -> None:
        """Delete families that can do nothing any more."""
        before = {"before_ms": now_ms - FORGET_AFTER_MS}
        await self._database.rows(self._sql["forget_expired"], before)

    async def _add(self, connection: Connection, token: RefreshToken) -> None:
        parameters = {
            "token_sha256": token.token_sha256,
            "family_id": token.family_id,
            "issued_ms": token.issued_ms,
            "expires_ms": token.expires_ms,
        }
        await connection.execute(self._sql["add_token"], parameters)


def _outcome(state: tuple[Any, ...], now_ms: int) -> RotationOutcome:
    """Judge a token by (expires_ms, used, family revoked); the worst finding counts."""
    expires_ms, used, revoked = state
    if revoked:
        return RotationOutcome.REVOKED
    if used:
        return RotationOutcome.REUSED
    return RotationOutcome.EXPIRED if expires_ms <= now_ms else RotationOutcome.ROTATED
