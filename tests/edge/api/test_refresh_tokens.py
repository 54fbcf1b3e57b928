"""Refresh tokens of the edge, on a real file."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from edge.api.refresh_tokens import KEEP_EXPIRED_MS, LocalRefreshTokens
from edge.errors import LocalStateError
from shared.access.accounts import RefreshToken, Rotation, RotationOutcome

NOW_MS = 1_793_599_200_000
LATER_MS = NOW_MS + 1_000


@pytest.fixture
async def tokens(tmp_path: Path) -> AsyncGenerator[LocalRefreshTokens, None]:
    opened = await LocalRefreshTokens.open(tmp_path / "sign_ins.db")
    yield opened
    await opened.close()


async def start(
    tokens: LocalRefreshTokens, name: bytes, family: str = "f", user: str = "u"
) -> None:
    await tokens.start_family(RefreshToken(name, family, user, NOW_MS, LATER_MS))


async def rotate(
    tokens: LocalRefreshTokens, presented: bytes, successor: bytes, now_ms: int = NOW_MS
) -> RotationOutcome:
    rotation = await tokens.rotate(presented, successor, expires_ms=LATER_MS, now_ms=now_ms)
    return rotation.outcome


async def test_a_token_is_exchanged_once(tokens: LocalRefreshTokens) -> None:
    await start(tokens, b"1")
    rotation = await tokens.rotate(b"1", b"2", expires_ms=LATER_MS, now_ms=NOW_MS)
    assert rotation == Rotation(RotationOutcome.ROTATED, "u", "f")
    assert await rotate(tokens, b"2", b"3") is RotationOutcome.ROTATED


async def test_a_second_exchange_revokes_the_family(tokens: LocalRefreshTokens) -> None:
    await start(tokens, b"1")
    await rotate(tokens, b"1", b"2")
    assert await rotate(tokens, b"1", b"3") is RotationOutcome.REUSED
    assert await rotate(tokens, b"2", b"4") is RotationOutcome.REVOKED
    assert await rotate(tokens, b"3", b"5") is RotationOutcome.UNKNOWN


async def test_of_two_exchanges_at_once_one_wins(tokens: LocalRefreshTokens) -> None:
    await start(tokens, b"1")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(rotate(tokens, b"1", bytes([n]))) for n in (8, 9)]
    assert {task.result() for task in tasks} == {RotationOutcome.ROTATED, RotationOutcome.REUSED}


async def test_a_token_ends(tokens: LocalRefreshTokens) -> None:
    await start(tokens, b"1")
    assert await rotate(tokens, b"1", b"2", now_ms=LATER_MS) is RotationOutcome.EXPIRED


async def test_revoking_a_family_leaves_the_others(tokens: LocalRefreshTokens) -> None:
    await start(tokens, b"1", "f")
    await start(tokens, b"2", "g")
    await tokens.revoke_family(b"1")
    assert await rotate(tokens, b"1", b"3") is RotationOutcome.REVOKED
    assert await rotate(tokens, b"2", b"4") is RotationOutcome.ROTATED


async def test_revoking_an_account_takes_all_its_families(tokens: LocalRefreshTokens) -> None:
    await start(tokens, b"1", "f", "u")
    await start(tokens, b"2", "g", "u")
    await start(tokens, b"3", "h", "v")
    await tokens.revoke_account("u")
    outcomes = [await rotate(tokens, name, name + b"!") for name in (b"1", b"2", b"3")]
    assert outcomes == ["revoked", "revoked", "rotated"]


async def test_a_cancelled_sign_in_leaves_the_next_one_possible(tmp_path: Path) -> None:
    file = tmp_path / "sign_ins.db"
    tokens = await LocalRefreshTokens.open(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.TaskGroup() as group:
        cancelled = group.create_task(start(tokens, b"1"))
        await asyncio.sleep(0)  # its BEGIN waits for the other's transaction
        cancelled.cancel()
        other.execute("COMMIT")
    other.close()
    assert cancelled.cancelled()
    assert await rotate(tokens, b"1", b"3") is RotationOutcome.UNKNOWN
    await start(tokens, b"2")
    assert await rotate(tokens, b"2", b"4") is RotationOutcome.ROTATED
    await tokens.close()


async def test_they_survive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "sign_ins.db"
    before = await LocalRefreshTokens.open(file)
    await start(before, b"1")
    await before.close()
    after = await LocalRefreshTokens.open(file)
    assert await rotate(after, b"1", b"2") is RotationOutcome.ROTATED
    await after.close()


async def test_what_expired_long_ago_is_forgotten(tokens: LocalRefreshTokens) -> None:
    await start(tokens, b"1")
    later_ms = LATER_MS + KEEP_EXPIRED_MS + 1
    await tokens.start_family(RefreshToken(b"2", "g", "u", later_ms, later_ms + 1_000))
    assert await rotate(tokens, b"1", b"3", now_ms=later_ms) is RotationOutcome.UNKNOWN


async def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    opened = await LocalRefreshTokens.open(tmp_path / "sign_ins.db")
    files = await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
    modes = {stat.S_IMODE(file.stat().st_mode) for file in files}
    await opened.close()
    assert modes == {0o600}


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "sign_ins.db"
    file.write_bytes(b"this is not a database" * 100)
    with pytest.raises(LocalStateError, match="cannot be used"):
        await LocalRefreshTokens.open(file)
