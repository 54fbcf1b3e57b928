"""The demo's accounts: made in central through its own command line, cached for the edge."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from deploy.errors import SiteError
from deploy.site.credentials import Login
from deploy.site.options import SITE
from deploy.site.program import own_program, run_to_end

COMMAND_TIMEOUT_S = 60.0
COMMANDS_AT_ONCE = 2  # the reference machine's cores; each starts an interpreter


@dataclass(frozen=True, slots=True)
class CentralAccounts:
    """Makes one account per role where central lacks it, and exports all to the edge."""

    configuration: Path  # central's
    logins: Mapping[str, Login]  # by role
    edge_cache: Path

    async def ensure(self) -> None:
        """Add the accounts that central does not have; write the edge's cache.

        Raises:
            SiteError: if central refuses.
        """
        known = await self._known()
        missing = {
            role: login for role, login in self.logins.items() if login.username not in known
        }
        await self._add_all(missing)
        # At every start: passwords and roles may have changed since.
        await self._central("user", "export", "--site", SITE, "--output", str(self.edge_cache))

    async def _add_all(self, missing: Mapping[str, Login]) -> None:
        room = asyncio.Semaphore(COMMANDS_AT_ONCE)

        async def add(role: str, login: Login) -> None:
            async with room:
                await self._central(
                    *("user", "add", login.username, "--role", role, "--site", SITE),
                    "--password-stdin",
                    stdin=login.password + "\n",
                )

        try:
            async with asyncio.TaskGroup() as group:
                for role, login in missing.items():
                    group.create_task(add(role, login), name=f"account-{role}")
        except* SiteError as failures:
            raise SiteError(str(failures.exceptions[0])) from failures

    async def _known(self) -> set[str]:
        text = await self._central("user", "list", "--json")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise SiteError(f"headframe-central user list told no JSON list: {text[:200]!r}")
        return {str(entry["username"]) for entry in cast("list[dict[str, Any]]", found)}

    async def _central(self, *arguments: str, stdin: str = "") -> str:
        command = (*own_program("headframe-central"), *arguments)
        return await run_to_end(
            f"headframe-central {' '.join(arguments[:2])}",
            (*command, "--config", str(self.configuration)),
            timeout_s=COMMAND_TIMEOUT_S,
            stdin=stdin.encode(),
        )
