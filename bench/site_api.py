"""The servers of a site as their users reach them."""

import aiohttp

from bench.errors import BenchError


async def access_token(session: aiohttp.ClientSession, login: tuple[str, str]) -> str:
    """Sign in with user name and password at the server of ``session``; return the token.

    Raises:
        BenchError: if the server refuses.
    """
    username, password = login
    form = {"grant_type": "password", "username": username, "password": password}
    async with session.post("/api/v1/auth/token", data=form) as response:
        if response.status != 200:
            raise BenchError(f"signing in as {username} failed: {await response.text()}")
        body: dict[str, str] = await response.json()
        return body["access_token"]
