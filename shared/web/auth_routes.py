"""Signing in over HTTP, and the public keys that verify what it gives."""

from dataclasses import dataclass, fields
from typing import Annotated, Any

import msgspec
from pydantic import ConfigDict, Field

from shared.access.tokens import jwks_document
from shared.clock import iso_utc
from shared.errors import ApiError, ErrorCode, Mistake
from shared.web import examples
from shared.web.parameters import Parameters
from shared.web.routes import (
    API_UNVERSIONED,
    API_V1,
    FORM_BODY,
    JSON_BODY,
    Audience,
    Call,
    Reply,
    Route,
)
from shared.web.sign_in import Grant

JWKS_CACHE_S = 300  # how long a verifier may not know a new key
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749, 5.1


class TokenRequest(Parameters):
    """The password and refresh_token grants of OAuth 2 (RFC 6749, 4.3 and 6)."""

    # Whatever else a client sends is not for us to judge: RFC 6749, 3.2.
    model_config = ConfigDict(frozen=True, extra="ignore")

    grant_type: Annotated[
        str, Field(max_length=64, json_schema_extra={"enum": ["password", "refresh_token"]})
    ] = "password"
    username: Annotated[str | None, Field(max_length=254, description="an email address")] = None
    password: Annotated[str | None, Field(max_length=1024)] = None
    refresh_token: Annotated[str | None, Field(max_length=256)] = None


class SignOutRequest(Parameters):
    """What is to end."""

    refresh_token: Annotated[str | None, Field(max_length=256)] = None


@dataclass(frozen=True, slots=True)
class TokenView:
    """The members of RFC 6749, 5.1."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Field(description="seconds")]
    refresh_token: Annotated[str, Field(description="may be exchanged once")]


@dataclass(frozen=True, slots=True)
class GrantView(TokenView):
    """What a sign-in gives, and to whom."""

    user_id: str
    roles: list[str]
    sites: Annotated[list[str], Field(description="`*` stands for every site")]


@dataclass(frozen=True, slots=True)
class AccountView:
    """The account that is signed in, as its token says."""

    user_id: str
    username: str
    roles: list[str]
    sites: list[str]
    expires_at: str


@dataclass(frozen=True, slots=True)
class KeySetView:
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, str]]


async def _token(call: Call) -> Reply:
    asked = call.body_as(TokenRequest)
    sign_in = call.parts.sign_in
    match asked.grant_type:
        case "password":
            username, password = _required(asked, "username", "password")
            grant = await sign_in.by_password(username, password, call.request.remote)
        case "refresh_token":
            (refresh_token,) = _required(asked, "refresh_token")
            grant = await sign_in.by_refresh_token(refresh_token)
        case _:
            raise _refused(
                "unsupported_grant_type", "expected password or refresh_token", "grant_type"
            )
    view = _grant_view(grant)
    top_level: dict[str, Any] = {
        member.name: getattr(view, member.name) for member in fields(TokenView)
    }
    return Reply(view, headers=_NO_STORE, extra=top_level)


def _required(asked: TokenRequest, *names: str) -> list[str]:
    values = [getattr(asked, name) for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise _refused("invalid_request", f"is required for the {asked.grant_type} grant", *missing)
    return values


def _refused(error: str, why: str, *fields: str) -> ApiError:
    mistakes = [Mistake(ErrorCode.INVALID_REQUEST, field, why) for field in fields]
    return ApiError(
        400, f"{' and '.join(fields)}: {why}", mistakes=mistakes, extra={"error": error}
    )


def _grant_view(grant: Grant) -> GrantView:
    account = grant.account
    return GrantView(
        access_token=grant.access_token,
        token_type="Bearer",  # noqa: S106 - the name of a scheme
        expires_in=grant.expires_in_s,
        refresh_token=grant.refresh_token,
        user_id=account.user_id,
        roles=list(account.granted_roles),
        sites=list(account.sites),
    )


async def _sign_out(call: Call) -> Reply:
    refresh_token = call.body_as(SignOutRequest).refresh_token
    if refresh_token is not None:
        await call.parts.sign_in.sign_out(refresh_token)
    return Reply(None, detail="signed out", headers=_NO_STORE)


async def _me(call: Call) -> Reply:
    principal = call.principal
    return Reply(
        AccountView(
            user_id=principal.user_id,
            username=principal.username,
            roles=list(principal.roles),
            sites=list(principal.sites),
            expires_at=iso_utc(principal.expires_s * 1000),
        )
    )


async def _jwks(call: Call) -> Reply:
    document = jwks_document(call.parts.verifier.keys)
    headers = {"Cache-Control": f"public, max-age={JWKS_CACHE_S}"}
    return Reply(msgspec.json.encode(document), headers=headers)


AUTH_ROUTES = (
    Route(
        method="POST",
        path="/auth/token",
        name="sign_in",
        summary="Sign in with a password, or exchange a refresh token",
        description=(
            "The answer is the envelope and has access_token, token_type, expires_in and"
            " refresh_token at the top level as well, so that OAuth 2 clients work unchanged. A"
            " refresh token works once; a second use revokes everything that came from it."
        ),
        access=Audience.ANYONE,
        answer=_token,
        tag="auth",
        prefixes=(API_V1, API_UNVERSIONED),
        body=TokenRequest,
        body_types=(JSON_BODY, FORM_BODY),
        body_example={
            "grant_type": "password",
            "username": "analyst@kaduna.example",
            "password": "…",
        },
        data=GrantView,
        beside=TokenView,
        beside_refusal={"error": "invalid_request"},  # RFC 6749, 5.2
        errors=(401,),
        example=examples.GRANT,
    ),
    Route(
        method="POST",
        path="/auth/logout",
        name="sign_out",
        summary="End a sign-in",
        description=(
            "Revokes the refresh token and all that came from the same sign-in. The access token"
            " that was sent along ends by itself, within 15 minutes."
        ),
        access=Audience.SIGNED_IN,
        answer=_sign_out,
        tag="auth",
        prefixes=(API_V1, API_UNVERSIONED),
        body=SignOutRequest,
        body_example={"refresh_token": "h4Qz…"},
    ),
    Route(
        method="GET",
        path="/auth/me",
        name="get_me",
        summary="The account that is signed in",
        access=Audience.SIGNED_IN,
        answer=_me,
        tag="auth",
        prefixes=(API_V1, API_UNVERSIONED),
        data=AccountView,
        example=examples.ME,
    ),
    Route(
        method="GET",
        path="/.well-known/jwks.json",
        name="get_keys",
        summary="Public keys that verify access tokens",
        access=Audience.ANYONE,
        answer=_jwks,
        tag="auth",
        prefixes=("",),
        data=KeySetView,
        enveloped=False,
    ),
)
