"""The system account the embedded PostgreSQL runs under: never root."""

import asyncio
import os
import pwd
import sys
from dataclasses import replace
from pathlib import Path

from deploy.errors import SiteError, SiteUsageError
from deploy.site.children import LAUNCHER, Account
from deploy.site.postgres_binaries import PostgresBinaries

CANDIDATES = ("postgres", "nobody")
_PROBE_TIMEOUT_S = 20.0


async def choose_account(binaries: PostgresBinaries, data_parent: Path) -> Account | None:
    """Return the account to use, None for the caller's own when that is not root.

    As root: an account that exists already, with the right to pass closed folders where it
    cannot reach ``data_parent`` or ``binaries`` otherwise.

    Raises:
        SiteUsageError: if no account can reach them.
    """
    if os.geteuid() != 0:
        return None
    account = _existing_account()
    for tried in (account, replace(account, read_anywhere=True)):
        if await _reaches(tried, binaries, data_parent):
            return tried
    raise SiteUsageError(
        f"--state {data_parent}: PostgreSQL does not run as root, and the account {account.name}"
        f" cannot pass to this folder or to {binaries.folder}; choose a --state that every account"
        " may enter, start as an ordinary user, or give --postgres URL"
    )


def _existing_account() -> Account:
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        groups = tuple(os.getgrouplist(name, entry.pw_gid))
        return Account(name, entry.pw_uid, entry.pw_gid, groups)
    raise SiteError(
        f"PostgreSQL does not run as root and none of the accounts {', '.join(CANDIDATES)} exists;"
        " start as an ordinary user or give --postgres URL"
    )


async def _reaches(account: Account, binaries: PostgresBinaries, data_parent: Path) -> bool:
    # Only trying it tells: modes, ACLs, mount options and missing capabilities all count.
    script = 'cd "$1" && "$2" --version >/dev/null'
    test = ("/bin/sh", "-c", script, "sh", str(data_parent), str(binaries.postgres))
    options = [f"--parent={os.getpid()}", "--death-signal=9"]
    options += [f"--uid={account.uid}", f"--gid={account.gid}"]
    options += ["--groups=" + ",".join(str(group) for group in account.groups)]
    options += ["--read-anywhere"] if account.read_anywhere else []
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", str(LAUNCHER), *options, "--", *test),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd="/",
    )
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            return await child.wait() == 0
    except TimeoutError:
        child.kill()
        await child.wait()
        return False
