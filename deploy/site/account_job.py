"""Makes the demo's accounts in central's store and caches them for the edge; a process of its own.

``python -m deploy.site.account_job --config CENTRAL.toml --site SITE --cache ACCOUNTS.json`` reads
``{"role": {"username", "password"}}`` from stdin. One process does what nine calls of
`headframe-central` would, each of which takes a second or more to start.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from central.config import CentralConfig
from central.store.account_documents import account_document, may_be_cached
from central.store.accounts import NewAccount, PostgresAccounts
from central.store.database import Database
from deploy.site.private_files import write_private
from shared.access.accounts import ALL_SITES, Account
from shared.access.passwords import PasswordHasher
from shared.access.roles import Role
from shared.configuration import load_configuration
from shared.errors import HeadframeError


def main() -> None:
    """Do the job; end with 1 and one line if central's store refuses."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    chosen = parser.parse_args()
    logins: dict[str, dict[str, str]] = json.load(sys.stdin)
    try:
        asyncio.run(_work(chosen.config, chosen.site, chosen.cache, logins))
    except (HeadframeError, OSError) as error:
        sys.exit(str(error))


async def _work(
    config_file: Path, site: str, cache: Path, logins: Mapping[str, Mapping[str, str]]
) -> None:
    config = load_configuration(CentralConfig, file=config_file, environment=os.environ, flags={})
    database = Database(config.database, application="headframe-up")
    try:
        accounts = PostgresAccounts(database)
        known = {account.username for account in await accounts.all_accounts()}
        hasher = PasswordHasher()
        for role, login in logins.items():
            if login["username"] not in known:
                await accounts.create(_new_account(role, login, site, hasher))
        write_private(cache, cache_text(await accounts.all_accounts(), site))
    finally:
        await database.close()


def cache_text(accounts: list[Account], site: str) -> str:
    """Return what the edge of ``site`` may know of ``accounts``, password hashes included."""
    documents = [
        account_document(account, with_hash=True)
        for account in accounts
        if may_be_cached(account) and {site, ALL_SITES} & set(account.sites)
    ]
    return json.dumps(documents, indent=1) + "\n"


def _new_account(
    role: str, login: Mapping[str, str], site: str, hasher: PasswordHasher
) -> NewAccount:
    return NewAccount(
        username=login["username"],
        password_hash=hasher.hash_now(login["password"]),
        roles=(Role(role),),
        sites=(site,),
    )


if __name__ == "__main__":
    main()
