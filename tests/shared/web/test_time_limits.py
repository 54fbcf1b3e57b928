"""Nobody holds the server up: slow bodies, slow answers, silent connections."""

import asyncio

import pytest

from shared.access.roles import Role
from shared.web import dispatch, server
from tests.support.sites import FakeSite
from tests.support.web_world import web_world

HEAD = (
    b"POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n"
)


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BODY_TIMEOUT_S", 0.1)
    async with web_world() as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(HEAD + b'{"usern')
        answer = await reader.readuntil(b"\r\n")
        writer.close()
    assert answer == b"HTTP/1.1 408 Request Timeout\r\n"


async def test_an_answer_that_does_not_come_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleepy(FakeSite):
        async def sites(self) -> list[str]:
            await asyncio.Event().wait()
            raise AssertionError("nothing ever wakes it")

    monkeypatch.setattr(dispatch, "ANSWER_TIMEOUT_S", 0.1)
    async with web_world(site=Sleepy()) as world:
        headers = world.headers(Role.ANALYST, sites=("*",))
        answer = await world.ask("GET", "/api/v1/assets/vehicles", headers=headers)
    assert (answer.status, answer.body["errors"][0]["code"]) == (503, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize("sent", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_a_request_that_never_ends_is_closed(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server, "IDLE_TIMEOUT_S", 0.2)
    async with web_world() as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(sent)
        assert await reader.read() == b""
        writer.close()


async def test_a_connection_that_drips_is_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "IDLE_TIMEOUT_S", 0.3)
    async with web_world() as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        ended = asyncio.ensure_future(reader.read())  # noqa: TID251 - read beside writing
        for _ in range(100):
            writer.write(b"X")
            await asyncio.sleep(0.02)
            if ended.done():
                break
        assert ended.done()
        writer.close()
