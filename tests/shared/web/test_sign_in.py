"""Signing in over HTTP, as OAuth 2 clients and as ours do it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from argon2 import PasswordHasher as Argon2Hasher

from shared.access.accounts import AccountState
from shared.access.roles import Role
from shared.web.throttle import GUESSES_PER_PAIR
from tests.support.web_world import (
    PASSWORD,
    REFRESH_TOKEN_S,
    TOKEN_S,
    Answer,
    World,
    account,
    web_world,
)

TOKEN = "/api/v1/auth/token"
USER = "u-1@kaduna.example"
GOOD = {"grant_type": "password", "username": USER, "password": PASSWORD}


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    async with web_world() as running:
        running.accounts.add(account(Role.ANALYST))
        yield running


async def sign_in(world: World, **changes: Any) -> Answer:
    return await world.ask("POST", TOKEN, json={**GOOD, **changes})


async def refresh(world: World, token: str) -> Answer:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return await world.ask("POST", TOKEN, data=form)


async def test_a_password_gives_tokens_in_the_envelope_and_beside_it(world: World) -> None:
    answer = await sign_in(world)
    body = answer.body
    assert (answer.status, body["status_code"], body["detail"]) == (200, 200, None)
    assert (body["token_type"], body["expires_in"]) == ("Bearer", TOKEN_S)
    for name in ("access_token", "token_type", "expires_in", "refresh_token"):
        assert body[name] == body["data"][name]
    assert (body["data"]["user_id"], body["data"]["roles"]) == ("u-1", ["analyst"])
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_token_works(world: World) -> None:
    token = (await sign_in(world)).body["access_token"]
    answer = await world.ask("GET", "/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.data["username"] == USER


async def test_a_form_works_as_well_and_under_both_prefixes(world: World) -> None:
    for path in (TOKEN, "/api/auth/token"):
        assert (await world.ask("POST", path, data=GOOD)).status == 200


async def test_the_grant_type_may_be_left_out_and_more_may_be_sent(world: World) -> None:
    form = {"username": USER, "password": PASSWORD, "scope": "", "client_id": "x", "audience": "y"}
    assert (await world.ask("POST", TOKEN, data=form)).status == 200


async def test_letter_case_and_blanks_around_the_username_do_not_matter(world: World) -> None:
    assert (await sign_in(world, username=f" {USER.upper()} ")).status == 200


@pytest.mark.parametrize(
    "changes",
    [{"password": "wrong"}, {"username": "ghost@kaduna.example"}, {"password": PASSWORD + " "}],
)
async def test_whatever_is_wrong_the_answer_is_the_same(
    world: World, changes: dict[str, str]
) -> None:
    answer = await sign_in(world, **changes)
    assert (answer.status, answer.body["error"]) == (401, "invalid_grant")
    assert answer.body["errors"][0]["code"] == "UNAUTHORIZED"
    assert answer.body["detail"] == (await sign_in(world, password="other")).body["detail"]


async def test_a_disabled_account_cannot_sign_in(world: World) -> None:
    world.accounts.add(account(Role.ADMIN, user_id="u-2", state=AccountState.DISABLED))
    assert (await sign_in(world, username="u-2@kaduna.example")).status == 401


async def test_an_account_that_waits_signs_in_without_a_role(world: World) -> None:
    world.accounts.add(account(Role.ADMIN, user_id="u-2", state=AccountState.PENDING))
    answer = await sign_in(world, username="u-2@kaduna.example")
    assert (answer.status, answer.data["roles"]) == (200, [])


@pytest.mark.parametrize(
    ("body", "error", "fields"),
    [
        ({}, "invalid_request", ["username", "password"]),
        ({"username": USER}, "invalid_request", ["password"]),
        ({"grant_type": "refresh_token"}, "invalid_request", ["refresh_token"]),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type", ["grant_type"]),
    ],
)
async def test_an_incomplete_request_names_what_is_missing(
    world: World, body: dict[str, str], error: str, fields: list[str]
) -> None:
    answer = await world.ask("POST", TOKEN, json=body)
    assert (answer.status, answer.body["error"], answer.fields) == (400, error, fields)


async def test_values_of_the_wrong_type_are_all_named_and_not_shown(world: World) -> None:
    answer = await world.ask("POST", TOKEN, json={"username": 7, "password": ["hunter2"]})
    assert (answer.status, answer.fields) == (400, ["username", "password"])
    assert b"hunter2" not in answer.content


async def test_a_refresh_token_is_exchanged_once(world: World) -> None:
    first = (await sign_in(world)).body["refresh_token"]
    second = (await refresh(world, first)).body["refresh_token"]
    assert second != first
    assert (await refresh(world, second)).status == 200


async def test_a_copied_refresh_token_ends_everything_that_came_from_it(world: World) -> None:
    first = (await sign_in(world)).body["refresh_token"]
    second = (await refresh(world, first)).body["refresh_token"]
    thief = await refresh(world, first)
    owner = await refresh(world, second)
    assert [(a.status, a.body["error"]) for a in (thief, owner)] == [(401, "invalid_grant")] * 2


async def test_another_sign_in_of_the_account_goes_on(world: World) -> None:
    first = (await sign_in(world)).body["refresh_token"]
    elsewhere = (await sign_in(world)).body["refresh_token"]
    await refresh(world, first)
    await refresh(world, first)
    assert (await refresh(world, elsewhere)).status == 200


async def test_of_two_exchanges_at_once_one_wins(world: World) -> None:
    token = (await sign_in(world)).body["refresh_token"]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(refresh(world, token)) for _ in range(2)]
    assert sorted(task.result().status for task in tasks) == [200, 401]


async def test_a_refresh_token_ends(world: World) -> None:
    token = (await sign_in(world)).body["refresh_token"]
    world.clock.advance_s(REFRESH_TOKEN_S)
    assert (await refresh(world, token)).status == 401


@pytest.mark.parametrize("token", ["x", "é" * 50, "a" * 256])
async def test_a_made_up_refresh_token_gives_nothing(world: World, token: str) -> None:
    assert (await refresh(world, token)).status == 401


async def test_an_account_disabled_meanwhile_gets_no_new_tokens(world: World) -> None:
    token = (await sign_in(world)).body["refresh_token"]
    world.accounts.add(account(Role.ANALYST, state=AccountState.DISABLED))
    assert (await refresh(world, token)).status == 401


async def test_a_role_taken_away_is_gone_with_the_next_token(world: World) -> None:
    token = (await sign_in(world)).body["refresh_token"]
    world.accounts.add(account(Role.OPERATOR))
    assert (await refresh(world, token)).data["roles"] == ["operator"]


async def test_signing_out_ends_the_refresh_token(world: World) -> None:
    grant = (await sign_in(world)).body
    headers = {"Authorization": f"Bearer {grant['access_token']}"}
    body = {"refresh_token": grant["refresh_token"]}
    answer = await world.ask("POST", "/api/auth/logout", json=body, headers=headers)
    assert (answer.status, answer.data) == (200, None)
    assert (await refresh(world, grant["refresh_token"])).status == 401


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ({}, {}),
        ({"Content-Type": "application/json"}, {}),
        ({"Content-Type": "application/json"}, {"chunked": True}),
    ],
)
async def test_signing_out_needs_no_body(
    world: World, kind: dict[str, str], options: dict[str, Any]
) -> None:
    headers = {**world.headers(Role.ANALYST), **kind}
    answer = await world.ask(
        "POST", "/api/auth/logout", headers=headers, skip_auto_headers=["Content-Type"], **options
    )
    assert answer.status == 200


async def test_without_a_body_nobody_signs_in(world: World) -> None:
    answer = await world.ask("POST", TOKEN, skip_auto_headers=["Content-Type"])
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_guessing_is_stopped_and_says_until_when(world: World) -> None:
    for _ in range(GUESSES_PER_PAIR):
        await sign_in(world, password="wrong")
    answer = await sign_in(world)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "300")
    world.clock.advance_s(300)
    assert (await sign_in(world)).status == 200


async def test_a_hash_made_too_cheaply_is_replaced_at_the_next_sign_in(world: World) -> None:
    cheap = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    world.accounts.accounts["u-1"] = account(Role.ANALYST, password_hash=cheap)
    await sign_in(world)
    assert world.accounts.accounts["u-1"].password_hash != cheap
    assert (await sign_in(world)).status == 200


async def test_the_published_key_is_the_one_that_signed(world: World) -> None:
    answer = await world.ask("GET", "/.well-known/jwks.json")
    (key,) = answer.body["keys"]
    assert (key["kid"], key["alg"], key["use"]) == (
        world.issuer.verification_key.kid,
        "RS256",
        "sig",
    )
    assert "d" not in key
