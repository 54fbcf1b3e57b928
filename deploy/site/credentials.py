"""The generated accounts of a demo site, and `credentials.json` that tells them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from deploy.errors import SiteUsageError
from deploy.site.options import SITE, SiteOptions
from deploy.site.private_files import make_password, write_private
from deploy.site.state_dir import StateDir, read_table
from shared.access.passwords import PasswordHasher
from shared.access.roles import Role

MAIL_DOMAIN = f"{SITE}.example"  # RFC 2606: belongs to nobody
DEVICE = "mqtt"


@dataclass(frozen=True, slots=True)
class Login:
    """A user name, always an email address, and its password."""

    username: str
    password: str


def ensure_credentials(state: StateDir, device: Login) -> Mapping[str, Login]:
    """Return one login per role, made at the first start, and write `credentials.json`.

    ``device`` is the broker's test device; a password changed by hand in the file is kept.
    """
    kept = read_table(state.credentials)
    logins = {role.value: _kept_or_new(kept, role.value) for role in Role}
    told = {**logins, DEVICE: device}
    table = {
        name: {"username": login.username, "password": login.password}
        for name, login in told.items()
    }
    if table != kept:
        write_private(state.credentials, json.dumps(table, indent=2) + "\n")
    return logins


def broker_login(state: StateDir, options: SiteOptions) -> Login:
    """Return the test device's login: of the embedded broker, or as given for another one.

    Raises:
        SiteUsageError: if the given file holds none.
    """
    if options.broker is None:
        entry = read_table(state.credentials).get(DEVICE)
        login = _login_in(entry)
        return login or Login(f"{DEVICE}@{MAIL_DOMAIN}", make_password())
    if options.broker_credentials is None:
        return Login("", "")  # a broker that lets everybody in
    found = read_table(options.broker_credentials)
    login = _login_in(found.get(DEVICE, found))
    if login is None:
        raise SiteUsageError(
            f'--mqtt-credentials {options.broker_credentials}: expected {{"username", "password"}}'
        )
    return login


def publishers_text(device: Login) -> str:
    """Return the accounts of the edge's own listener: the test device, which speaks for all.

    Its password may have been changed by hand, so its hash is as dear as a person's.
    """
    hasher = PasswordHasher()
    try:
        password_hash = hasher.hash_now(device.password)
    finally:
        hasher.close()
    account = {"username": device.username, "password_hash": password_hash, "devices": ["*"]}
    return json.dumps([account]) + "\n"


def _kept_or_new(kept: Mapping[str, Any], role: str) -> Login:
    return _login_in(kept.get(role)) or Login(f"{role}@{MAIL_DOMAIN}", make_password())


def _login_in(entry: object) -> Login | None:
    if not isinstance(entry, dict):
        return None
    table = cast("dict[str, object]", entry)
    username, password = table.get("username"), table.get("password")
    if isinstance(username, str) and isinstance(password, str) and username and password:
        return Login(username, password)
    return None
