"""Accounts and refresh tokens on a real PostgreSQL."""

import asyncio
from dataclasses import replace

import pytest

from central.errors import AccountError, DataRefusedError
from central.store.accounts import NewAccount, PostgresAccounts
from central.store.refresh_tokens import FORGET_AFTER_MS, PostgresRefreshTokens
from shared.access.accounts import Account, AccountState, RefreshToken, RotationOutcome
from shared.access.roles import Role
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS

LATER_MS = NOW_MS + 60_000


async def ann(world: CentralWorld) -> Account:
    new = NewAccount(
        username="Ann@Mine.example",
        password_hash="$argon2id$x",
        roles=(Role.ANALYST, Role.SUPERVISOR),
        sites=("kaduna",),
    )
    return await PostgresAccounts(world.database).create(new)


def first_token(account: Account) -> RefreshToken:
    return RefreshToken(b"one", "family", account.user_id, NOW_MS, LATER_MS)


async def rotated(tokens: PostgresRefreshTokens, old: bytes, new: bytes) -> RotationOutcome:
    rotation = await tokens.rotate(old, new, expires_ms=LATER_MS, now_ms=NOW_MS)
    return rotation.outcome


async def test_an_account_is_found_by_name_and_by_id(world: CentralWorld) -> None:
    accounts, created = PostgresAccounts(world.database), await ann(world)
    assert created.username == "ann@mine.example"
    assert await accounts.find_account("ann@mine.example") == created
    assert await accounts.account_of(created.user_id) == created
    assert await accounts.all_accounts() == [created]
    for stranger in ("nobody", "", "\x00", "' OR true --"):
        assert await accounts.find_account(stranger) is None
        assert await accounts.account_of(stranger) is None


async def test_a_username_is_taken_once(world: CentralWorld) -> None:
    await ann(world)
    with pytest.raises(AccountError, match="taken"):
        await ann(world)


async def test_a_new_password_ends_every_sign_in(world: CentralWorld) -> None:
    accounts, tokens = PostgresAccounts(world.database), PostgresRefreshTokens(world.database)
    account = await ann(world)
    await tokens.start_family(first_token(account))
    await accounts.change_password("ANN@mine.example", "$argon2id$y")
    assert await accounts.find_account(account.username) == replace(
        account, password_hash="$argon2id$y"
    )
    assert await rotated(tokens, b"one", b"two") is RotationOutcome.REVOKED
    with pytest.raises(AccountError, match="no account"):
        await accounts.change_password("nobody@mine.example", "$argon2id$y")


async def test_a_rehash_leaves_sign_ins_alone(world: CentralWorld) -> None:
    accounts, tokens = PostgresAccounts(world.database), PostgresRefreshTokens(world.database)
    account = await ann(world)
    await tokens.start_family(first_token(account))
    await accounts.replace_password_hash(account.user_id, "$argon2id$z")
    await accounts.replace_password_hash("unknown", "$argon2id$z")
    found = await accounts.account_of(account.user_id)
    assert found == replace(account, password_hash="$argon2id$z")
    assert await rotated(tokens, b"one", b"two") is RotationOutcome.ROTATED


async def test_a_disabled_account_keeps_its_id_and_loses_its_sign_ins(world: CentralWorld) -> None:
    accounts, tokens = PostgresAccounts(world.database), PostgresRefreshTokens(world.database)
    account = await ann(world)
    await tokens.start_family(first_token(account))
    await accounts.set_state(account.username, AccountState.DISABLED)
    found = await accounts.account_of(account.user_id)
    assert found == replace(account, state=AccountState.DISABLED)
    assert await rotated(tokens, b"one", b"two") is RotationOutcome.REVOKED


async def test_a_role_that_this_program_does_not_know_gives_no_right(world: CentralWorld) -> None:
    account = await ann(world)
    await world.sql("UPDATE account SET roles = '{emperor,analyst}'")
    found = await PostgresAccounts(world.database).account_of(account.user_id)
    assert found == replace(account, roles=(Role.ANALYST,))


async def test_a_token_is_exchanged_once_and_its_copy_ends_the_family(
    world: CentralWorld,
) -> None:
    tokens = PostgresRefreshTokens(world.database)
    account = await ann(world)
    await tokens.start_family(first_token(account))
    rotation = await tokens.rotate(b"one", b"two", expires_ms=LATER_MS, now_ms=NOW_MS)
    assert (rotation.outcome, rotation.user_id) == (RotationOutcome.ROTATED, account.user_id)
    assert rotation.family_id == "family"
    assert await rotated(tokens, b"one", b"three") is RotationOutcome.REUSED
    assert await rotated(tokens, b"two", b"four") is RotationOutcome.REVOKED
    assert await rotated(tokens, b"three", b"four") is RotationOutcome.UNKNOWN


async def test_of_concurrent_exchanges_one_succeeds_and_the_family_ends(
    world: CentralWorld,
) -> None:
    tokens = PostgresRefreshTokens(world.database)
    await tokens.start_family(first_token(await ann(world)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(rotated(tokens, b"one", b"%d" % n)) for n in range(5)]
    outcomes = sorted(task.result() for task in tasks)
    # The first copy revokes the family; what comes after it finds it revoked.
    assert outcomes.count(RotationOutcome.ROTATED) == 1
    assert outcomes.count(RotationOutcome.REUSED) == 1
    assert outcomes.count(RotationOutcome.REVOKED) == 3


async def test_an_expired_token_is_told_from_an_unknown_one_for_a_day(world: CentralWorld) -> None:
    tokens = PostgresRefreshTokens(world.database)
    await tokens.start_family(first_token(await ann(world)))
    late = await tokens.rotate(b"one", b"two", expires_ms=LATER_MS, now_ms=LATER_MS)
    assert late.outcome is RotationOutcome.EXPIRED
    await tokens.forget_expired(LATER_MS + FORGET_AFTER_MS - 1)
    assert await rotated(tokens, b"one", b"two") is RotationOutcome.ROTATED  # the clock went back
    await tokens.forget_expired(LATER_MS + FORGET_AFTER_MS)
    assert await rotated(tokens, b"two", b"three") is RotationOutcome.UNKNOWN


async def test_signing_out_revokes_one_family_and_all(world: CentralWorld) -> None:
    tokens, account = PostgresRefreshTokens(world.database), await ann(world)
    await tokens.start_family(first_token(account))
    await tokens.start_family(replace(first_token(account), token_sha256=b"b", family_id="other"))
    await tokens.revoke_family(b"one")
    await tokens.revoke_family(b"never seen")
    assert await rotated(tokens, b"one", b"two") is RotationOutcome.REVOKED
    await tokens.revoke_account(account.user_id)
    assert await rotated(tokens, b"b", b"c") is RotationOutcome.REVOKED


async def test_a_family_needs_an_account(world: CentralWorld) -> None:
    tokens = PostgresRefreshTokens(world.database)
    with pytest.raises(DataRefusedError):
        await tokens.start_family(RefreshToken(b"one", "family", "nobody", NOW_MS, LATER_MS))
