"""Passwords: right, wrong, unknown, and never too many at once."""

import asyncio
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher as Argon2Hasher

from shared.access.passwords import PASSWORD_SIZE_MAX_BYTES, WAITING_MAX, PasswordHasher
from shared.errors import UnavailableError


@pytest.fixture
def passwords() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher()
    yield hasher
    hasher.close()


async def test_the_right_password_matches(passwords: PasswordHasher) -> None:
    stored = await passwords.hash("SecurePass123")
    assert stored.startswith("$argon2id$")
    verdict = await passwords.verify("SecurePass123", stored)
    assert (verdict.matches, verdict.better_hash) == (True, None)


async def test_a_wrong_password_does_not(passwords: PasswordHasher) -> None:
    stored = await passwords.hash("SecurePass123")
    assert not (await passwords.verify("SecurePass124", stored)).matches


async def test_nobody_has_the_password_of_the_unknown_user(passwords: PasswordHasher) -> None:
    # The very text behind the hash that unknown users are compared with.
    assert not (await passwords.verify("nobody has this password", None)).matches


async def test_a_hash_made_too_cheaply_is_made_anew(passwords: PasswordHasher) -> None:
    cheap = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash("SecurePass123")
    verdict = await passwords.verify("SecurePass123", cheap)
    assert verdict.matches
    assert verdict.better_hash is not None
    assert (await passwords.verify("SecurePass123", verdict.better_hash)).better_hash is None


@pytest.mark.parametrize("stored", ["", "plain", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$x"])
async def test_a_stored_text_that_is_no_hash_matches_nothing(
    passwords: PasswordHasher, stored: str
) -> None:
    assert not (await passwords.verify("", stored)).matches


@pytest.mark.parametrize("password", ["x" * (PASSWORD_SIZE_MAX_BYTES + 1), "\ud800"])
async def test_a_password_that_cannot_be_one_is_wrong(
    passwords: PasswordHasher, password: str
) -> None:
    stored = await passwords.hash("SecurePass123")
    assert not (await passwords.verify(password, stored)).matches


@pytest.mark.parametrize("password", ["", "x" * (PASSWORD_SIZE_MAX_BYTES + 1)])
async def test_no_hash_is_made_of_nothing_or_of_too_much(
    passwords: PasswordHasher, password: str
) -> None:
    with pytest.raises(ValueError, match="bytes"):
        await passwords.hash(password)


async def test_too_many_at_once_are_refused_and_the_others_served(
    passwords: PasswordHasher,
) -> None:
    stored = await passwords.hash("SecurePass123")
    results: list[bool] = []

    async def one() -> None:
        try:
            results.append((await passwords.verify("SecurePass123", stored)).matches)
        except UnavailableError:
            results.append(False)

    async with asyncio.TaskGroup() as group:
        for _ in range(WAITING_MAX + 3):
            group.create_task(one())
    assert (results.count(True), results.count(False)) == (WAITING_MAX, 3)
