"""Headquarters as an operator runs it: configuration files and real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.ports import free_port

PROGRAM = (sys.executable, "-m", "central")
PASSWORD = "correct-horse-battery"
RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class CentralSite:
    """Everything `headframe-central` needs, in one folder."""

    folder: Path
    config_file: Path
    api_port: int
    sync_port: int
    authority: Authority

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    async def command(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        """Run one command to its end; return exit code, stdout, stderr."""
        child = await asyncio.create_subprocess_exec(
            *(*PROGRAM, *arguments, "--config", str(self.config_file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await child.communicate(stdin.encode())
        assert child.returncode is not None
        return child.returncode, out.decode(), err.decode()

    async def add_account(self, username: str, role: str) -> None:
        arguments = ("user", "add", username, "--role", role, "--site", "kaduna")
        code, _, err = await self.command(*arguments, "--password-stdin", stdin=PASSWORD + "\n")
        assert code == 0, err

    async def get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        """Return status and JSON of a GET; (0, None) while nobody listens."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(self.url + path, headers=headers) as response,
            ):
                return response.status, await response.json(content_type=None)
        except aiohttp.ClientError:
            return 0, None

    async def text(self, path: str) -> str:
        """Return the body of a GET as text."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.url + path) as response,
        ):
            return await response.text()

    async def is_ready(self) -> bool:
        return (await self.get("/readyz"))[0] == 200

    async def token(self, username: str) -> str:
        form = {"username": username, "password": PASSWORD, "grant_type": "password"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + "/api/v1/auth/token", data=form) as response,
        ):
            assert response.status == 200, await response.text()
            return str((await response.json())["access_token"])


def central_site(folder: Path, database_url: str) -> CentralSite:
    """Return a site whose configuration is written, on free ports; nothing runs yet."""
    authority = Authority(folder / "certificates")
    listener = authority.issue("headframe-central", host="127.0.0.1")
    key_file = folder / "signing-key.pem"
    key = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    key_file.touch(0o600)
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    site = CentralSite(folder, folder / "central.toml", free_port(), free_port(), authority)
    site.config_file.write_text(
        f"""
        [database]
        url = "{database_url}"
        [auth]
        signing_key_file = "{key_file}"
        [api]
        port = {site.api_port}
        rate_limit_per_minute = 0
        rate_limit_anonymous_per_minute = 0
        [sync]
        port = {site.sync_port}
        cert_file = "{listener.cert_file}"
        key_file = "{listener.key_file}"
        client_ca_file = "{authority.ca_file}"
        """,
        encoding="utf-8",
    )
    return site


@dataclass
class Running:
    """A process of headquarters; its log is in ``log_file``."""

    process: asyncio.subprocess.Process
    log_file: Path

    def kill(self) -> None:
        self.process.kill()

    async def stopped(self, *, timeout_s: float = 5.0) -> int:
        """Ask it to stop and return its exit code; fails when it takes longer than promised."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(timeout_s):
            return await self.process.wait()

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    async def says(self, text: str) -> None:
        async def holds() -> bool:
            return text in self.log

        await eventually(holds)


@asynccontextmanager
async def running(site: CentralSite, command: str, **environment: str) -> AsyncGenerator[Running]:
    """Run ``headframe-central command`` for the length of the block; killed at its end."""
    log_file = site.folder / f"{command}-{free_port()}.log"
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, command, "--config", str(site.config_file)),
            stdout=log,
            stderr=log,
            env=os.environ | environment,
        )
    try:
        yield Running(process, log_file)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def serving(site: CentralSite) -> AsyncGenerator[Running]:
    """Run the web process and wait until it is ready."""
    async with running(site, "run") as process:
        await eventually(site.is_ready)
        yield process
