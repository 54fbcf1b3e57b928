"""The stand-in for the satellite link carries bytes, and carries none while it is cut."""

import asyncio

import pytest

from deploy.errors import SiteUsageError
from deploy.sim.satellite import RelayAddress, open_relay, parse_relay
from tests.support.ports import free_port


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1024):
        writer.write(chunk)
    writer.close()
    await writer.wait_closed()


async def test_carries_bytes_both_ways_and_holds_them_while_cut() -> None:
    target = await asyncio.start_server(echo, "127.0.0.1", 0)
    target_port = target.sockets[0].getsockname()[1]
    listen_port = free_port()
    async with (
        target,
        open_relay(RelayAddress("127.0.0.1", listen_port, "127.0.0.1", target_port)) as link,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", listen_port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        link.set_up(up=False)
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.readexactly(3)
        link.set_up(up=True)
        assert await reader.readexactly(3) == b"two"
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0)  # one turn for the echo server to see the end


@pytest.mark.parametrize("text", ["", "8443", "a:1=b", "a:1", "a:x=b:2", "a:1=b:99999"])
def test_refuses_addresses_of_another_form(text: str) -> None:
    with pytest.raises(SiteUsageError, match="HOST:PORT=HOST:PORT"):
        parse_relay(text, 0.0)


def test_reads_both_ends() -> None:
    assert parse_relay("127.0.0.1:1=10.0.0.2:2", 300.0) == RelayAddress(
        "127.0.0.1", 1, "10.0.0.2", 2, 0.3
    )
