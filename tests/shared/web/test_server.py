"""The server with TLS, and certificates and addresses that cannot be used."""

import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from shared.access.roles import Role
from shared.errors import ConfigurationError
from shared.web import sockets
from shared.web.server import Endpoint, serve
from tests.support.certificates import Authority
from tests.support.web_world import PASSWORD, account, web_world


async def test_with_a_certificate_it_speaks_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("server", host="127.0.0.1")
    trust = ssl.create_default_context(cafile=str(authority.ca_file))
    tls = {"cert_file": files.cert_file, "key_file": files.key_file}
    async with web_world(**tls) as world, aiohttp.ClientSession() as http:
        url = f"https://127.0.0.1:{world.port}/healthz"
        async with http.get(url, ssl=trust) as answer:
            assert (answer.status, answer.headers["Server"]) == (200, "headframe")


@pytest.mark.parametrize("given", ["cert_file", "key_file"])
async def test_half_a_certificate_never_means_no_tls(tmp_path: Path, given: str) -> None:
    files = Authority(tmp_path).issue("server", host="127.0.0.1")
    half = {given: getattr(files, given)}
    with pytest.raises(ConfigurationError, match="both"):
        async with serve(web.Application(), Endpoint(host="127.0.0.1", port=0, **half)):
            pass


async def test_a_certificate_that_is_none_is_told_by_name(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("nothing of the kind")
    endpoint = Endpoint(host="127.0.0.1", port=0, cert_file=file, key_file=file)
    with pytest.raises(ConfigurationError, match=r"cert\.pem"):
        async with serve(web.Application(), endpoint):
            pass


async def test_a_port_in_use_is_an_error_of_the_system() -> None:
    async with web_world() as world:
        with pytest.raises(OSError, match="in use"):
            async with web_world(port=world.port):
                pass


async def test_there_is_room_for_so_many_sockets_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "SOCKETS_MAX", 1)
    async with web_world() as world, world.http.ws_connect("/ws/sensors"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.http.ws_connect("/ws/sensors")
        assert refused.value.status == 503


async def test_a_copied_refresh_token_closes_its_owners_sockets() -> None:
    async with web_world() as world:
        world.accounts.add(account(Role.ANALYST))
        body = {"username": "u-1@kaduna.example", "password": PASSWORD}
        grant = (await world.ask("POST", "/api/v1/auth/token", json=body)).body
        async with world.http.ws_connect("/ws/sensors") as ws:
            await ws.send_json({"type": "auth", "token": f"Bearer {grant['access_token']}"})
            await ws.receive_json()
            form = {"grant_type": "refresh_token", "refresh_token": grant["refresh_token"]}
            for _ in range(2):
                await world.ask("POST", "/api/v1/auth/token", data=form)
            await ws.receive()
            assert ws.close_code == 4401
