"""Accounts and refresh tokens as the sign-in sees them. Owns the Protocols that stores implement.

Central keeps both in PostgreSQL; the edge reads cached accounts and keeps its own refresh tokens.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shared.access.roles import Role

ALL_SITES = "*"  # in Account.sites: every site there is, also those that come later


class AccountState(StrEnum):
    """Whether an account may sign in."""

    ACTIVE = "active"
    PENDING = "pending"  # registered, waits for approval: may sign in, has no right
    DISABLED = "disabled"  # may not sign in


@dataclass(frozen=True, slots=True)
class Account:
    """One person or program. ``username`` is an email address in lower case."""

    user_id: str  # opaque, stable, the same at central and in the edge's cache
    username: str
    password_hash: str  # argon2id, PHC string
    roles: tuple[Role, ...]
    sites: tuple[str, ...]  # site names, or (ALL_SITES,)
    state: AccountState = AccountState.ACTIVE

    @property
    def granted_roles(self) -> tuple[Role, ...]:
        """Return the roles that count: none while the account waits for approval."""
        return self.roles if self.state is AccountState.ACTIVE else ()


class AccountStore(Protocol):
    """Where accounts are looked up."""

    async def find_account(self, username: str) -> Account | None:
        """Return the account with this username (given in lower case), whatever its state."""
        ...

    async def account_of(self, user_id: str) -> Account | None:
        """Return the account with this id, whatever its state."""
        ...

    async def replace_password_hash(self, user_id: str, password_hash: str) -> None:
        """Keep a hash made with today's cost for the same password; unknown ids are ignored."""
        ...


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as stored: only its SHA-256, never the token itself.

    Tokens that follow each other by rotation share ``family_id``, which is new at each sign-in.
    """

    token_sha256: bytes
    family_id: str
    user_id: str
    issued_ms: int
    expires_ms: int


class RotationOutcome(StrEnum):
    """What became of an attempt to exchange a refresh token."""

    ROTATED = "rotated"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"  # its family was revoked before
    REUSED = "reused"  # it was exchanged before: its family is revoked now


@dataclass(frozen=True, slots=True)
class Rotation:
    """The outcome and, unless UNKNOWN, whose token it was."""

    outcome: RotationOutcome
    user_id: str | None = None
    family_id: str | None = None


class RefreshTokenStore(Protocol):
    """Where refresh tokens live. Every method is one transaction."""

    async def start_family(self, token: RefreshToken) -> None:
        """Keep the first token of a new family."""
        ...

    async def rotate(
        self, presented_sha256: bytes, successor_sha256: bytes, *, expires_ms: int, now_ms: int
    ) -> Rotation:
        """Exchange a token for its successor, once.

        Only a known, unexpired, never exchanged token of a living family gives ROTATED: it is
        marked as used and the successor stored with the same family and user and ``expires_ms``.
        A token that was used before revokes its whole family (somebody has a copy) and gives
        REUSED. Two concurrent calls with the same token: one ROTATED, the other REUSED.
        """
        ...

    async def revoke_family(self, token_sha256: bytes) -> None:
        """Revoke the family of this token; an unknown token is ignored."""
        ...

    async def revoke_account(self, user_id: str) -> None:
        """Revoke every family of this account."""
        ...
