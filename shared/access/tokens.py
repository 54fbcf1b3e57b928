"""Access tokens: RS256 JWTs, their keys and who they speak for. Owns the claims.

Any part that has the public keys can verify a token without asking anybody, which is what lets a
site work alone. Only RS256 is accepted, whatever a token's header says.
"""

import base64
import json
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, RSAKey

from shared.access.accounts import Account
from shared.access.roles import Role
from shared.errors import AccessError, ConfigurationError

AUDIENCE = "headframe"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068: an access token cannot be mistaken for another JWT
TOKEN_LENGTH_MAX = 8192  # an HTTP header line; ours have < 1,500 characters
RSA_BITS_MIN = 2048
VERIFIED_TOKENS_MAX = 4096  # a verification costs 70 µs, a lookup 1 µs; 4,096 tokens are 8 MB

_ALGORITHMS = ("RS256",)
_ROLE_NAMES = frozenset(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified token speaks for, and until when."""

    user_id: str
    username: str
    roles: tuple[Role, ...]
    sites: tuple[str, ...]
    expires_s: int  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and, where it may sign for one issuer only, that issuer."""

    kid: str
    key: RSAKey
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A signed access token."""

    token: str
    expires_in_s: int


def load_signing_key(file: Path) -> RSAKey:
    """Return the RSA private key in ``file`` (PEM, unencrypted); its kid is its thumbprint.

    Raises:
        ConfigurationError: if the file cannot be read, others may read it, or it holds no RSA
            private key of at least ``RSA_BITS_MIN`` bits.
    """
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        pem = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    if mode & stat.S_IROTH:
        raise ConfigurationError(f"{file}: everybody may read this private key (mode {mode:04o})")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{file}: not a private key in PEM: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < RSA_BITS_MIN:
        raise ConfigurationError(f"{file}: expected an RSA key of {RSA_BITS_MIN} bits or more")
    return with_thumbprint(RSAKey.import_key(key))


def with_thumbprint(key: RSAKey) -> RSAKey:
    """Return ``key`` with its use, algorithm and RFC 7638 thumbprint as kid."""
    parameters = {"use": "sig", "alg": "RS256", "kid": key.thumbprint()}
    return RSAKey.import_key(key.raw_value, cast("Any", parameters))


def load_jwks(file: Path) -> list[VerificationKey]:
    """Return the RSA signature keys in a JWKS file; keys of other types are left out.

    Raises:
        ConfigurationError: if the file cannot be read or is no JWKS.
    """
    try:
        document = json.loads(file.read_bytes())
        entries = [entry for entry in document["keys"] if entry.get("kty") == "RSA"]
        if any(_modulus_bits(entry["n"]) < RSA_BITS_MIN for entry in entries):
            raise ConfigurationError(f"{file}: an RSA key has less than {RSA_BITS_MIN} bits")
        keys = [RSAKey.import_key(entry) for entry in entries]
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
        raise ConfigurationError(f"{file}: not a JWKS: {error}") from error
    return [VerificationKey(key.kid or key.thumbprint(), key) for key in keys]


def _modulus_bits(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "==")).bit_length()


def jwks_document(keys: Iterable[VerificationKey]) -> dict[str, list[dict[str, Any]]]:
    """Return the public halves of ``keys`` as a JSON Web Key Set."""
    return {"keys": [dict(key.key.as_dict(private=False)) for key in keys]}


class TokenIssuer:
    """Signs access tokens with one key under one issuer name."""

    def __init__(self, key: RSAKey, *, issuer: str, lifetime_s: int) -> None:
        self._key = key
        self._issuer = issuer
        self._lifetime_s = lifetime_s

    @property
    def verification_key(self) -> VerificationKey:
        """Return the public half, bound to this issuer."""
        return VerificationKey(self._key.kid or "", self._key, self._issuer)

    def issue(self, account: Account, now_s: int) -> IssuedToken:
        """Return a token for ``account``; an account that waits for approval gets no role."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": account.user_id,
            "username": account.username,
            "roles": list(account.granted_roles),
            "sites": list(account.sites),
            "iat": now_s,
            "exp": now_s + self._lifetime_s,
            "jti": secrets.token_hex(16),
        }
        header = {"alg": "RS256", "typ": TOKEN_TYPE, "kid": self._key.kid}
        token = jwt.encode(header, claims, self._key, algorithms=list(_ALGORITHMS))
        return IssuedToken(token, self._lifetime_s)


class TokenVerifier:
    """Turns tokens into principals by the keys it was given; remembers what it verified."""

    def __init__(
        self, keys: Iterable[VerificationKey], *, remembered_max: int = VERIFIED_TOKENS_MAX
    ) -> None:
        self._remembered_max = remembered_max
        self._keys: dict[str, VerificationKey] = {}
        self._verified: dict[str, Principal] = {}
        self.replace_keys(keys)

    @property
    def keys(self) -> tuple[VerificationKey, ...]:
        """Return the keys in use."""
        return tuple(self._keys.values())

    @property
    def remembered(self) -> int:
        """Return how many verified tokens are remembered."""
        return len(self._verified)

    def replace_keys(self, keys: Iterable[VerificationKey]) -> None:
        """Accept only tokens of ``keys`` from now on."""
        self._keys = {key.kid: key for key in keys}
        self._verified.clear()

    def verify(self, token: str, now_s: float) -> Principal:
        """Return whom ``token`` speaks for.

        Raises:
            AccessError: if it is malformed, of an unknown key, wrongly signed, expired, or not
                meant for Headframe; the message says which, and nothing of the token's content.
        """
        principal = self._verified.get(token)
        if principal is None:
            principal = self._check(token)
            if len(self._verified) >= self._remembered_max:
                self._verified.clear()
            self._verified[token] = principal
        if now_s >= principal.expires_s:
            self._verified.pop(token, None)
            raise AccessError("the token has expired")
        return principal

    def _check(self, token: str) -> Principal:
        if len(token) > TOKEN_LENGTH_MAX:
            raise AccessError("the token is too long")
        try:
            decoded = jwt.decode(token, self._key_for, algorithms=list(_ALGORITHMS))
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise AccessError("the token is malformed or its signature is wrong") from error
        key = self._keys[decoded.header["kid"]]
        claims = decoded.claims
        if decoded.header.get("typ") != TOKEN_TYPE or claims.get("aud") != AUDIENCE:
            raise AccessError("the token is not an access token of Headframe")
        if key.issuer is not None and claims.get("iss") != key.issuer:
            raise AccessError("the token's issuer and its key do not belong together")
        return _principal(claims)

    def _key_for(self, guest: GuestProtocol) -> RSAKey:
        key = self._keys.get(str(guest.headers().get("kid")))
        if key is None:
            raise AccessError("the token is signed with a key that is not known here")
        return key.key


def _principal(claims: Mapping[str, Any]) -> Principal:
    try:
        return Principal(
            user_id=str(claims["sub"]),
            username=str(claims["username"]),
            # A role this version does not know gives no right; the others still count.
            roles=tuple(Role(role) for role in claims["roles"] if role in _ROLE_NAMES),
            sites=tuple(str(site) for site in claims["sites"]),
            expires_s=int(claims["exp"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AccessError("the token lacks a claim or has one of the wrong type") from error
