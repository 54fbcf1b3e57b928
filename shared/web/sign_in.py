"""Signing in: passwords and refresh tokens against tokens. Owns the two grants of OAuth 2."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from shared.access.accounts import (
    Account,
    AccountState,
    AccountStore,
    RefreshToken,
    RefreshTokenStore,
    RotationOutcome,
)
from shared.access.passwords import PasswordHasher
from shared.access.tokens import TokenIssuer
from shared.clock import Clock
from shared.errors import ApiError
from shared.logs import get_log
from shared.web.addresses import client_key
from shared.web.throttle import Attempt, SignInThrottle

_log = get_log("sign-in")

REFRESH_TOKEN_BYTES = 32  # 256 bits: cannot be guessed, so its plain SHA-256 may be stored
_WRONG = "the username or password is wrong, or the account is disabled"
_WRONG_REFRESH = "the refresh token is not valid any more; sign in again"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a successful sign-in gives."""

    account: Account
    access_token: str
    expires_in_s: int
    refresh_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInStores:
    """Where accounts and refresh tokens are."""

    accounts: AccountStore
    refresh_tokens: RefreshTokenStore


class SignIn:
    """Judges credentials and issues tokens."""

    def __init__(
        self,
        stores: SignInStores,
        *,
        passwords: PasswordHasher,
        issuer: TokenIssuer,
        clock: Clock,
        refresh_token_s: int,
    ) -> None:
        self._accounts = stores.accounts
        self._refresh_tokens = stores.refresh_tokens
        self._passwords = passwords
        self._issuer = issuer
        self._clock = clock
        self._refresh_token_s = refresh_token_s
        self._throttle = SignInThrottle()
        self._on_reuse: list[Callable[[str], None]] = []

    def on_reuse(self, callback: Callable[[str], None]) -> None:
        """Call ``callback`` with the user id whenever a refresh token turns out to be copied."""
        self._on_reuse.append(callback)

    async def by_password(self, username: str, password: str, address: str | None) -> Grant:
        """Return tokens for a username (an email address, case ignored) and its password.

        Raises:
            ApiError: 401 ``invalid_grant`` if anything of it is wrong, without saying what; 429
                after too many wrong attempts.
            UnavailableError: if too many others sign in right now, or the store cannot answer.
        """
        attempt = Attempt(username.strip().lower(), client_key(address))
        wait_s = self._throttle.begin(attempt, self._clock.monotonic_s())
        if wait_s is not None:
            raise _throttled(wait_s)
        account = await self._accounts.find_account(attempt.username)
        verdict = await self._passwords.verify(
            password, account.password_hash if account is not None else None
        )
        if account is None or not verdict.matches or account.state is AccountState.DISABLED:
            _log.warning("sign-in refused", username=attempt.username[:254], address=address)
            raise invalid_grant(_WRONG)
        self._throttle.succeeded(attempt)
        if verdict.better_hash is not None:
            await self._accounts.replace_password_hash(account.user_id, verdict.better_hash)
        return await self._grant_new_family(account)

    async def by_refresh_token(self, refresh_token: str) -> Grant:
        """Exchange a refresh token, once, for new tokens.

        Raises:
            ApiError: 401 ``invalid_grant`` if it is unknown, expired, revoked or was exchanged
                before; in the last case its whole family is revoked.
            UnavailableError: if the store cannot answer.
        """
        now_ms = self._clock.utc_ms()
        successor = secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
        rotation = await self._refresh_tokens.rotate(
            _sha256(refresh_token),
            _sha256(successor),
            expires_ms=now_ms + self._refresh_token_s * 1000,
            now_ms=now_ms,
        )
        if rotation.outcome is RotationOutcome.REUSED and rotation.user_id is not None:
            _log.error("refresh token used twice: family revoked", user_id=rotation.user_id)
            for callback in self._on_reuse:
                callback(rotation.user_id)
        if rotation.outcome is not RotationOutcome.ROTATED or rotation.user_id is None:
            raise invalid_grant(_WRONG_REFRESH)
        account = await self._accounts.account_of(rotation.user_id)
        if account is None or account.state is AccountState.DISABLED:
            await self._refresh_tokens.revoke_account(rotation.user_id)
            raise invalid_grant(_WRONG_REFRESH)
        return self._grant(account, successor)

    async def sign_out(self, refresh_token: str) -> None:
        """Revoke a refresh token and everything that came from the same sign-in.

        Raises:
            UnavailableError: if the store cannot answer.
        """
        await self._refresh_tokens.revoke_family(_sha256(refresh_token))

    async def _grant_new_family(self, account: Account) -> Grant:
        now_ms = self._clock.utc_ms()
        refresh_token = secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
        await self._refresh_tokens.start_family(
            RefreshToken(
                token_sha256=_sha256(refresh_token),
                family_id=secrets.token_hex(16),
                user_id=account.user_id,
                issued_ms=now_ms,
                expires_ms=now_ms + self._refresh_token_s * 1000,
            )
        )
        return self._grant(account, refresh_token)

    def _grant(self, account: Account, refresh_token: str) -> Grant:
        issued = self._issuer.issue(account, self._clock.utc_ms() // 1000)
        return Grant(account, issued.token, issued.expires_in_s, refresh_token)


def invalid_grant(detail: str) -> ApiError:
    """Return the 401 of RFC 6749 section 5.2 (which allows 401 beside 400) in the envelope."""
    challenge = {"WWW-Authenticate": 'Bearer realm="headframe"'}
    return ApiError(401, detail, headers=challenge, extra={"error": "invalid_grant"})


def _throttled(wait_s: int) -> ApiError:
    return ApiError(
        429,
        f"too many wrong attempts; again in {wait_s} s",
        headers={"Retry-After": str(max(wait_s, 1))},
        extra={"error": "slow_down"},
    )


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
