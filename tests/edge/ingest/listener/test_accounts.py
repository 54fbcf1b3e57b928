"""Who a greeting proves to be: passwords, certificates, guesses, and files that change."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config import ListenerConfig
from edge.ingest.listener import accounts as accounts_module
from edge.ingest.listener.accounts import PublisherAccounts, TooBusyError
from edge.ingest.listener.accounts_file import (
    PublisherAccount,
    add_publisher,
    generate_password,
    hash_generated,
    load_publishers,
)
from edge.ingest.listener.settings import check_listener, listener_faults
from shared.errors import ConfigurationError
from shared.web.throttle import GUESSES_PER_PAIR
from tests.support.certificates import Authority
from tests.support.clocks import HandClock
from tests.support.publishers import PASSWORD, account, write_accounts

RIGHT = PASSWORD.encode()
BY_CERTIFICATE = {"username": "truck-1", "certificate": "truck-1.kaduna"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    both = account("gas-2") | {"certificate": "gas-2.kaduna"}
    return write_accounts(tmp_path / "accounts.json", account("gas-1"), both, BY_CERTIFICATE)


@pytest.fixture
def accounts(file: Path, clock: HandClock) -> Iterator[PublisherAccounts]:
    made = PublisherAccounts(file, clock)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("username", "password", "certificate", "found"),
    [
        ("gas-1", RIGHT, None, "gas-1"),
        ("gas-1", b"wrong", None, None),
        ("gas-1", None, None, None),
        ("gas-9", RIGHT, None, None),
        (None, None, None, None),
        ("gas-2", RIGHT, None, None),  # needs both
        ("gas-2", RIGHT, "gas-2.kaduna", "gas-2"),
        ("gas-2", b"wrong", "gas-2.kaduna", None),
        (None, None, "gas-2.kaduna", None),
        (None, None, "truck-1.kaduna", "truck-1"),
        ("truck-1", None, "truck-1.kaduna", "truck-1"),
        ("truck-1", RIGHT, None, None),
        ("gas-1", b"x" * 100_000, None, None),
    ],
)
async def test_proves(
    accounts: PublisherAccounts,
    username: str | None,
    password: bytes | None,
    certificate: str | None,
    found: str | None,
) -> None:
    judged = await accounts.judge(username, password, certificate, "10.0.0.1")
    assert (judged.username if judged else None) == found


async def test_a_proof_that_was_verified_is_not_hashed_again(
    accounts: PublisherAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[bytes] = []

    def matches(stored: str, password: bytes) -> bool:
        hashed.append(password)
        return password == RIGHT

    monkeypatch.setattr(accounts_module, "_matches", matches)
    for password in (RIGHT, RIGHT, b"wrong", b"wrong", RIGHT):
        await accounts.judge("gas-1", password, None, "10.0.0.1")
    assert hashed == [RIGHT, b"wrong", b"wrong"]


async def test_guessing_is_stopped_and_those_already_known_come_in_all_the_same(
    accounts: PublisherAccounts, clock: HandClock
) -> None:
    assert await accounts.judge("gas-1", RIGHT, None, "10.0.0.1")
    for guess in range(GUESSES_PER_PAIR):
        assert await accounts.judge("gas-1", b"%d" % guess, None, "10.0.0.1") is None
    with pytest.raises(TooBusyError):
        await accounts.judge("gas-1", b"again", None, "10.0.0.1")
    assert await accounts.judge("gas-1", RIGHT, None, "10.0.0.1")
    clock.advance_s(301)
    assert await accounts.judge("gas-1", b"again", None, "10.0.0.1") is None


async def test_hundreds_at_once_are_all_let_in_one_after_the_other(
    tmp_path: Path, clock: HandClock
) -> None:
    names = [f"gas-{n}" for n in range(200)]
    file = write_accounts(tmp_path / "many.json", *(account(name) for name in names))
    accounts = PublisherAccounts(file, clock)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(accounts.judge(name, RIGHT, None, "10.0.0.1")) for name in names]
    assert all(task.result() for task in tasks)
    accounts.close()


async def test_a_changed_file_holds_and_a_broken_one_changes_nothing(
    accounts: PublisherAccounts, file: Path, clock: HandClock
) -> None:
    write_accounts(file, account("gas-7"))
    clock.advance_s(2)
    assert await accounts.judge("gas-7", RIGHT, None, "10.0.0.1")
    assert await accounts.judge("gas-1", RIGHT, None, "10.0.0.1") is None
    await asyncio.to_thread(file.write_text, "[{")
    clock.advance_s(2)
    assert await accounts.judge("gas-7", RIGHT, None, "10.0.0.1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[{", "not valid JSON"),
        ('[{"username": "a"}]', "password_hash, a certificate or both"),
        ('[{"username": "a", "password_hash": "secret"}]', "password_hash"),
        ('[{"username": "a", "certificate": "b", "device": "c"}]', "device"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_and_no_hash_with_it(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=told) as raised:
        load_publishers(file)
    assert "secret" not in str(raised.value)


def test_a_generated_password_is_long_and_its_hash_can_be_verified() -> None:
    password = generate_password()
    assert len(password) >= 24
    assert hash_generated(password).startswith("$argon2id$")


def test_an_account_is_added_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    for name, devices in (("a", ()), ("b", ("gas-1",)), ("a", ("gas-2",))):
        made = PublisherAccount(username=name, password_hash=hash_generated("x"), devices=devices)
        add_publisher(file, made)
    assert {each.username: tuple(each.publishes_as) for each in load_publishers(file)} == {
        "a": ("gas-2",),
        "b": ("gas-1",),
    }
    assert file.stat().st_mode & 0o777 == 0o600


def faults(tmp_path: Path, **config: object) -> str:
    values: dict[str, object] = {
        "enabled": True,
        "accounts_file": write_accounts(tmp_path / "accounts.json", account("gas-1")),
    }
    return "\n".join(listener_faults(ListenerConfig(**(values | config))))  # pyright: ignore[reportArgumentType]


def test_what_cannot_be_listened_on_is_said_with_its_key(tmp_path: Path) -> None:
    own = Authority(tmp_path / "ca").issue("edge", host="127.0.0.1")
    tls = {"tls_cert_file": own.cert_file, "tls_key_file": own.key_file}
    assert faults(tmp_path) == ""
    assert faults(tmp_path, host="localhost") == ""
    assert "listener.host: 0.0.0.0" in faults(tmp_path, host="0.0.0.0")
    assert "listener.host: edge.mine" in faults(tmp_path, host="edge.mine")
    assert faults(tmp_path, host="0.0.0.0", insecure=True) == ""
    assert faults(tmp_path, host="0.0.0.0", **tls) == ""
    assert "must be given together" in faults(tmp_path, tls_cert_file=own.cert_file)
    assert "client_ca_file" in faults(tmp_path, client_ca_file=own.cert_file)
    assert "accounts_file: nobody" in faults(tmp_path, accounts_file=None)
    assert "cannot be read" in faults(tmp_path, accounts_file=tmp_path / "none")
    bad = {"tls_cert_file": own.key_file, "tls_key_file": own.cert_file}
    assert "TLS files cannot be used" in faults(tmp_path, **bad)
    assert faults(tmp_path, enabled=False, accounts_file=None) == ""
    with pytest.raises(ConfigurationError):
        check_listener(ListenerConfig(enabled=True))
