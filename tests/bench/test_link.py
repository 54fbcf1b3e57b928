"""The relay between edge and central passes bytes on, counts them, and can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from bench.link import Relay, open_relay
from shared.clock import SystemClock


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(100):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()


@contextlib.asynccontextmanager
async def _connection(
    relay: Relay,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@pytest.fixture
async def relay() -> AsyncGenerator[Relay]:
    async with (
        open_relay(SystemClock()) as relay,
        await asyncio.start_server(_echo, "127.0.0.1", 0) as far,
    ):
        relay.target = far.sockets[0].getsockname()
        yield relay
    await asyncio.sleep(0.05)  # the ends of aborted connections notice in later turns of the loop


async def test_passes_both_ways_and_counts(relay: Relay) -> None:
    async with _connection(relay) as (reader, writer):
        writer.write(b"12345")
        assert await reader.readexactly(5) == b"12345"
        assert (relay.up_bytes, relay.down_bytes, relay.passed_bytes) == (5, 5, 10)


async def test_a_cut_ends_what_is_open_and_refuses_what_is_new(relay: Relay) -> None:
    async with _connection(relay) as (reader, writer):
        writer.write(b"1")
        await reader.readexactly(1)
        relay.cut()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    async with _connection(relay) as (reader, _):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)


async def test_passes_again_once_the_target_is_back(relay: Relay) -> None:
    target = relay.target
    relay.cut()
    assert relay.linked_ms is None
    relay.target = target
    async with _connection(relay) as (reader, writer):
        writer.write(b"12")
        assert await reader.readexactly(2) == b"12"
    assert relay.linked_ms is not None
