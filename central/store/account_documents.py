"""Accounts as JSON: for machines that list them and for the cache of an edge. Pure."""

from typing import Any

from shared.access.accounts import Account, AccountState


def account_document(account: Account, *, with_hash: bool) -> dict[str, Any]:
    """Return ``account`` as a JSON object; the password's hash only where it is asked for."""
    document: dict[str, Any] = {
        "username": account.username,
        "user_id": account.user_id,
        "roles": [str(role) for role in account.roles],
        "sites": list(account.sites),
        "state": str(account.state),
    }
    if with_hash:
        document["password_hash"] = account.password_hash
    return document


def may_be_cached(account: Account) -> bool:
    """Tell whether an edge may sign this account in by itself: active, with a role and a site."""
    return account.state is AccountState.ACTIVE and bool(account.roles) and bool(account.sites)
