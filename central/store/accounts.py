"""Accounts on PostgreSQL. Owns who exists; knows nothing of tokens or passwords in clear."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from central.errors import AccountError
from central.store.database import Database
from central.store.queries import load_queries
from shared.access.accounts import Account, AccountState
from shared.access.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What is asked for a new account; ``username`` is an email address."""

    username: str
    password_hash: str
    roles: tuple[Role, ...]
    sites: tuple[str, ...]
    first_name: str = ""
    last_name: str = ""
    state: AccountState = AccountState.ACTIVE


class PostgresAccounts:
    """`shared.access.accounts.AccountStore` on PostgreSQL, and what the command line needs.

    Every method raises StoreError while the server is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_queries("account")

    async def find_account(self, username: str) -> Account | None:
        """Return the account with this username (in lower case), whatever its state."""
        return await self._one("by_username", {"username": username})

    async def account_of(self, user_id: str) -> Account | None:
        """Return the account with this id, whatever its state."""
        return await self._one("by_id", {"user_id": user_id})

    async def replace_password_hash(self, user_id: str, password_hash: str) -> None:
        """Keep a hash made with today's cost for the same password; unknown ids are ignored."""
        parameters = {"user_id": user_id, "password_hash": password_hash}
        await self._database.rows(self._sql["rehash"], parameters)

    async def all_accounts(self) -> list[Account]:
        """Return every account, by username."""
        return [_account(row) for row in await self._database.rows(self._sql["all"], {})]

    async def create(self, new: NewAccount) -> Account:
        """Add an account and return it; the username is put in lower case.

        Raises:
            AccountError: if the username is taken.
        """
        account = Account(
            user_id=str(uuid4()),
            username=new.username.lower(),
            password_hash=new.password_hash,
            roles=new.roles,
            sites=new.sites,
            state=new.state,
        )
        parameters = {
            "user_id": account.user_id,
            "username": account.username,
            "password_hash": account.password_hash,
            "roles": [str(role) for role in account.roles],
            "sites": list(account.sites),
            "state": str(account.state),
            "first_name": new.first_name,
            "last_name": new.last_name,
        }
        if not await self._database.rows(self._sql["add"], parameters):
            raise AccountError(
                f"username: {account.username} is taken; choose another or change it"
            )
        return account

    async def change_password(self, username: str, password_hash: str) -> None:
        """Set a new password and end every sign-in made with the old one.

        Raises:
            AccountError: if there is no such account.
        """
        await self._change("change_password", username, {"password_hash": password_hash})

    async def set_state(self, username: str, state: AccountState) -> None:
        """Activate or disable an account; either way its sign-ins end.

        Raises:
            AccountError: if there is no such account.
        """
        await self._change("set_state", username, {"state": str(state)})

    async def _change(self, query: str, username: str, changes: dict[str, str]) -> None:
        async with self._database.transaction() as connection:
            parameters = {"username": username.lower()} | changes
            cursor = await connection.execute(self._sql[query], parameters)
            row = await cursor.fetchone()
            if row is None:
                raise AccountError(f"username: there is no account {username.lower()}")
            await connection.execute(self._sql["revoke_account"], {"user_id": row[0]})

    async def _one(self, query: str, parameters: dict[str, str]) -> Account | None:
        if any("\x00" in text for text in parameters.values()):
            return None  # PostgreSQL cannot even be asked
        rows = await self._database.rows(self._sql[query], parameters)
        return _account(rows[0]) if rows else None


def _account(row: Sequence[Any]) -> Account:
    user_id, username, password_hash, roles, sites, state = row
    known = set(Role)
    return Account(
        user_id=user_id,
        username=username,
        password_hash=password_hash,
        # A role that a newer program granted gives no right here.
        roles=tuple(Role(role) for role in roles if role in known),
        sites=tuple(sites),
        state=AccountState(state),
    )
