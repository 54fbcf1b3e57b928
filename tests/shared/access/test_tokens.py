"""Access tokens: what is accepted, what is refused, and why."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from shared.access.accounts import Account, AccountState
from shared.access.roles import Role
from shared.access.tokens import (
    AUDIENCE,
    TOKEN_LENGTH_MAX,
    TOKEN_TYPE,
    TokenIssuer,
    TokenVerifier,
    VerificationKey,
    jwks_document,
    load_jwks,
    load_signing_key,
    with_thumbprint,
)
from shared.errors import AccessError, ConfigurationError

NOW_S = 1_793_599_200
KEY = with_thumbprint(RSAKey.import_key(rsa.generate_private_key(65537, 2048)))
OTHER_KEY = with_thumbprint(RSAKey.import_key(rsa.generate_private_key(65537, 2048)))
ISSUER = TokenIssuer(KEY, issuer="central", lifetime_s=900)
ACCOUNT = Account("u-1", "a@kaduna.example", "hash", (Role.ANALYST,), ("kaduna",))


def verifier() -> TokenVerifier:
    return TokenVerifier([ISSUER.verification_key])


def forged(*, key: Any = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return a token that differs from a good one in what is named; None leaves a claim out."""
    claims = {
        "iss": "central",
        "aud": AUDIENCE,
        "sub": "u-1",
        "username": "a@kaduna.example",
        "roles": ["analyst"],
        "sites": ["kaduna"],
        "exp": NOW_S + 900,
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": "RS256", "typ": TOKEN_TYPE, "kid": KEY.kid, **(header or {})}
    return jwt.encode(head, claims, key, algorithms=[str(head["alg"])])


def test_a_token_says_who_it_speaks_for() -> None:
    principal = verifier().verify(ISSUER.issue(ACCOUNT, NOW_S).token, NOW_S)
    assert (principal.user_id, principal.roles, principal.sites) == (
        "u-1",
        (Role.ANALYST,),
        ("kaduna",),
    )
    assert principal.expires_s == NOW_S + 900


def test_a_token_ends_with_its_last_second() -> None:
    token, judge = ISSUER.issue(ACCOUNT, NOW_S).token, verifier()
    assert judge.verify(token, NOW_S + 899.9).user_id == "u-1"
    with pytest.raises(AccessError, match="expired"):
        judge.verify(token, NOW_S + 900)


def test_an_account_that_waits_for_approval_gets_no_role() -> None:
    waiting = Account("u-2", "b@x.example", "", (Role.ADMIN,), ("kaduna",), AccountState.PENDING)
    assert verifier().verify(ISSUER.issue(waiting, NOW_S).token, NOW_S).roles == ()


def test_a_role_of_a_newer_version_gives_nothing_and_spoils_nothing() -> None:
    token = forged(roles=["analyst", "moon_walker"])
    assert verifier().verify(token, NOW_S).roles == (Role.ANALYST,)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "e30.e30.e30",
        forged(key=OTHER_KEY),
        forged(header={"kid": "unknown"}),
        forged(header={"kid": ""}),
        forged(header={"typ": "JWT"}),
        forged(aud="another"),
        forged(iss="another"),
        forged(sub=None),
        forged(exp=None),
        forged(exp="soon"),
        forged(roles=7),
        forged(sites=None),
        "a" * (TOKEN_LENGTH_MAX + 1),
    ],
)
def test_refuses_what_is_not_our_token(token: str) -> None:
    with pytest.raises(AccessError):
        verifier().verify(token, NOW_S)


def test_refuses_a_token_signed_with_the_public_key_as_a_secret() -> None:
    # The classic confusion: HS256 with the verifier's RSA public key as the shared secret.
    public_pem = KEY.as_pem(private=False)
    secret = OctKey.import_key(public_pem.hex())
    with pytest.raises(AccessError):
        verifier().verify(forged(key=secret, header={"alg": "HS256"}), NOW_S)


def test_refuses_a_token_without_a_signature() -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    body = part({"aud": AUDIENCE, "sub": "u-1", "exp": NOW_S + 900, "roles": [], "sites": []})
    head = part({"alg": "none", "typ": TOKEN_TYPE, "kid": KEY.kid})
    with pytest.raises(AccessError):
        verifier().verify(f"{head}.{body}.", NOW_S)


def test_a_changed_byte_of_the_signature_is_refused() -> None:
    token = ISSUER.issue(ACCOUNT, NOW_S).token
    head, body, signature = token.split(".")
    wrong = ("A" if signature[10] != "A" else "B").join((signature[:10], signature[11:]))
    with pytest.raises(AccessError):
        verifier().verify(f"{head}.{body}.{wrong}", NOW_S)


def test_a_removed_key_is_not_accepted_even_for_a_token_seen_before() -> None:
    token, judge = ISSUER.issue(ACCOUNT, NOW_S).token, verifier()
    judge.verify(token, NOW_S)
    judge.replace_keys([VerificationKey(OTHER_KEY.kid or "", OTHER_KEY)])
    with pytest.raises(AccessError):
        judge.verify(token, NOW_S)


def test_what_is_remembered_of_tokens_is_bounded() -> None:
    judge = TokenVerifier([ISSUER.verification_key], remembered_max=3)
    for _ in range(10):
        judge.verify(ISSUER.issue(ACCOUNT, NOW_S).token, NOW_S)
        assert judge.remembered <= 3


def test_the_published_keys_verify_and_hold_nothing_private(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    document = jwks_document([ISSUER.verification_key])
    file.write_text(json.dumps(document))
    assert not {"d", "p", "q", "dp", "dq", "qi"} & document["keys"][0].keys()
    token = ISSUER.issue(ACCOUNT, NOW_S).token
    assert TokenVerifier(load_jwks(file)).verify(token, NOW_S).user_id == "u-1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"keys": 7}',
        '{"keys": [{"kty": "RSA"}]}',
        '{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}',
    ],
)
def test_a_broken_key_set_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=str(file)):
        load_jwks(file)


def written_key(file: Path, key: Any, mode: int = 0o600) -> Path:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(pem)
    file.chmod(mode)
    return file


def test_a_key_file_gives_a_stable_kid(tmp_path: Path) -> None:
    file = written_key(tmp_path / "key.pem", KEY.raw_value)
    assert load_signing_key(file).kid == KEY.kid


def test_refuses_a_key_that_everybody_may_read(tmp_path: Path) -> None:
    file = written_key(tmp_path / "key.pem", KEY.raw_value, mode=0o644)
    with pytest.raises(ConfigurationError, match="everybody may read"):
        load_signing_key(file)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024)]
)
def test_refuses_a_key_of_another_kind_or_too_short(tmp_path: Path, key: Any) -> None:
    with pytest.raises(ConfigurationError):
        load_signing_key(written_key(tmp_path / "key.pem", key))


def test_refuses_a_missing_or_senseless_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_signing_key(tmp_path / "none.pem")
    file = tmp_path / "key.pem"
    file.write_bytes(os.urandom(64))
    file.chmod(0o600)
    with pytest.raises(ConfigurationError):
        load_signing_key(file)
