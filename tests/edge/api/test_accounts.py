"""Accounts from the file that central keeps up to date."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge.api.accounts import CHECK_INTERVAL_S, CachedAccounts, load_accounts
from shared.access.accounts import AccountState
from shared.access.roles import Role
from shared.errors import ConfigurationError
from tests.support.clocks import HandClock

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaA"


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "username": "A@Kaduna.example",
        "user_id": "u-1",
        "password_hash": HASH,
        "roles": ["analyst"],
        "sites": ["kaduna"],
        **changes,
    }


def written(file: Path, *entries: dict[str, Any]) -> Path:
    file.write_text(json.dumps(entries))
    return file


async def test_accounts_are_found_by_name_and_by_id(tmp_path: Path) -> None:
    accounts = CachedAccounts(written(tmp_path / "a.json", entry()), HandClock())
    found = await accounts.find_account("a@kaduna.example")
    assert found is not None
    assert (found.user_id, found.roles, found.sites) == ("u-1", (Role.ANALYST,), ("kaduna",))
    assert await accounts.account_of("u-1") == found
    assert await accounts.account_of("u-2") is None


async def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    file, clock = written(tmp_path / "a.json", entry()), HandClock()
    accounts = CachedAccounts(file, clock)
    written(file, entry(state="disabled"), entry(username="b@x.example", user_id="u-2"))
    clock.advance_s(CHECK_INTERVAL_S)
    found = await accounts.account_of("u-1")
    assert found is not None
    assert found.state is AccountState.DISABLED
    assert await accounts.find_account("b@x.example") is not None


@pytest.mark.parametrize("text", ["", "{", "{}", "[7]", '[{"username": "x"}]'])
async def test_a_broken_file_leaves_the_accounts_as_they_were(tmp_path: Path, text: str) -> None:
    file, clock = written(tmp_path / "a.json", entry()), HandClock()
    accounts = CachedAccounts(file, clock)
    file.write_text(text)
    clock.advance_s(CHECK_INTERVAL_S)
    assert await accounts.account_of("u-1") is not None
    written(file, entry(user_id="u-9"))
    clock.advance_s(CHECK_INTERVAL_S)
    assert await accounts.account_of("u-9") is not None


async def test_a_file_that_is_gone_leaves_the_accounts_as_they_were(tmp_path: Path) -> None:
    file, clock = written(tmp_path / "a.json", entry()), HandClock()
    accounts = CachedAccounts(file, clock)
    file.unlink()
    clock.advance_s(CHECK_INTERVAL_S)
    assert await accounts.account_of("u-1") is not None


async def test_without_a_file_there_is_nobody_until_central_sends_one(tmp_path: Path) -> None:
    assert await CachedAccounts(None, HandClock()).find_account("a@kaduna.example") is None
    file, clock = tmp_path / "a.json", HandClock()
    accounts = CachedAccounts(file, clock)
    assert await accounts.account_of("u-1") is None
    written(file, entry())
    clock.advance_s(CHECK_INTERVAL_S)
    assert await accounts.account_of("u-1") is not None


def test_what_is_wrong_in_a_file_is_named_without_showing_a_hash(tmp_path: Path) -> None:
    file = written(tmp_path / "a.json", entry(), entry(roles=["king"], password_hash="pl4in"))
    with pytest.raises(ConfigurationError) as refused:
        load_accounts(file)
    message = str(refused.value)
    assert str(file) in message
    assert "[1.roles.0]" in message
    assert "[1.password_hash]" in message
    assert "pl4in" not in message


def test_a_field_of_a_newer_central_spoils_nothing(tmp_path: Path) -> None:
    assert load_accounts(written(tmp_path / "a.json", entry(shoe_size=43)))
