"""The demo's accounts: made in central through its own command line, cached for the edge."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from deploy.errors import SiteError
from deploy.site.credentials import Login
from deploy.site.options import SITE
from deploy.site.private_files import write_private
from deploy.site.program import own_program, run_to_end

COMMAND_TIMEOUT_S = 60.0


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
        known = {str(entry["username"]) for entry in await self._listed()}
        for role, login in self.logins.items():
            if login.username not in known:
                await self._add(role, login)
        write_private(self.edge_cache, json.dumps(await self._listed("--with-hashes")) + "\n")

    async def _add(self, role: str, login: Login) -> None:
        await self._central(
            *("user", "add", login.username, "--role", role, "--site", SITE, "--password-stdin"),
            stdin=login.password,
        )

    async def _listed(self, *options: str) -> list[dict[str, Any]]:
        text = await self._central("user", "list", "--json", *options)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise SiteError(f"headframe-central user list told no JSON list: {text[:200]!r}")
        return cast("list[dict[str, Any]]", found)

    async def _central(self, *arguments: str, stdin: str = "") -> str:
        command = (*own_program("headframe-central"), *arguments)
        return await run_to_end(
            f"headframe-central {arguments[0]}",
            (*command, "--config", str(self.configuration)),
            timeout_s=COMMAND_TIMEOUT_S,
            stdin=stdin.encode(),
        )
