"""The demo's accounts: asked for in a process of their own, see `account_job`."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.site.credentials import Login
from deploy.site.options import SITE
from deploy.site.program import run_to_end

JOB_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class CentralAccounts:
    """Makes one account per role where central lacks it, and exports all to the edge."""

    configuration: Path  # central's
    logins: Mapping[str, Login]  # by role
    edge_cache: Path

    async def ensure(self) -> None:
        """Add the accounts that central does not have; write the edge's cache.

        The cache is written at every start: passwords and roles may have changed since.

        Raises:
            SiteError: if central's store refuses.
        """
        logins = {
            role: {"username": login.username, "password": login.password}
            for role, login in self.logins.items()
        }
        await run_to_end(
            "making the accounts",
            (
                *(sys.executable, "-P", "-m", "deploy.site.account_job"),
                *("--config", str(self.configuration), "--site", SITE),
                *("--cache", str(self.edge_cache)),
            ),
            timeout_s=JOB_TIMEOUT_S,
            stdin=json.dumps(logins).encode(),
        )
