"""The command line of headquarters: ``headframe-central``. Owns arguments, exit codes and output.

Exit codes: 0 done, 1 the work failed, 2 usage or configuration.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Protocol, TypeVar, cast

import typer
import uvloop

from central.command import EXIT_USAGE, AsJson, ConfigFile, attempt, fail, fail_with, load
from central.config import CentralConfig
from central.quarantine_command import app as quarantine_app
from central.store.account_documents import account_document, may_be_cached
from central.store.accounts import NewAccount, PostgresAccounts
from central.store.address import address_of
from central.store.database import Database
from shared.access.accounts import ALL_SITES, AccountState
from shared.access.passwords import PasswordHasher
from shared.access.roles import Role
from shared.access.tokens import TokenIssuer, jwks_document, load_signing_key
from shared.clock import SystemClock
from shared.errors import HeadframeError
from shared.ids import is_name
from shared.version import installed_version, version_option

PASSWORD_LENGTH_MIN = 10  # the contract's rule for every account
PRIVATE_MODE = 0o600

Answer = TypeVar("Answer")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run headquarters: reconcile the edges into PostgreSQL, serve pages, REST and sockets.",
    epilog="Example: headframe-central run --config /etc/headframe/central.toml",
)
user_app = typer.Typer(
    no_args_is_help=True,
    help="People and programs that may sign in.",
    epilog="Example: headframe-central user list",
)
jwks_app = typer.Typer(
    no_args_is_help=True,
    help="The public keys of the tokens issued here.",
    epilog="Example: headframe-central jwks export --output jwks.json",
)
app.add_typer(user_app, name="user")
app.add_typer(jwks_app, name="jwks")
app.add_typer(quarantine_app, name="quarantine")

Username = Annotated[str, typer.Argument(help="An email address.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="Read the password from the first line of this file.")
]
Output = Annotated[
    Path | None, typer.Option("--output", help="Write to this file (mode 0600) instead of stdout.")
]


@app.callback()
def _program(_shown: Annotated[bool, version_option("headframe-central")] = False) -> None:
    pass


@app.command(epilog="Example: headframe-central run --config /etc/headframe/central.toml")
def run(config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Take in batches and serve the API until SIGTERM or Ctrl-C; stops within 5 seconds."""
    # Here and below: what few commands need takes a second to load, and `user add` should not.
    from central.app import CentralWebProcess  # noqa: PLC0415

    config = load(config_file, as_json=as_json)
    _serve(
        lambda: CentralWebProcess(
            config, clock=SystemClock(), environment=os.environ, pid=os.getpid()
        )
    )


@app.command(epilog="Example: headframe-central worker --config /etc/headframe/central.toml")
def worker(
    config_file: ConfigFile = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Overrides worker.metrics_port.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Unpack the inbox until SIGTERM or Ctrl-C; any number of workers may run."""
    from central.worker import UnpackWorker  # noqa: PLC0415

    config = load(config_file, as_json=as_json, **{"worker.metrics_port": metrics_port})
    _serve(
        lambda: UnpackWorker(config, clock=SystemClock(), environment=os.environ, pid=os.getpid())
    )


@app.command(epilog="Example: headframe-central migrate --config /etc/headframe/central.toml")
def migrate(config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Bring the database to this program's schema; `run` does the same at its start."""
    from central.store.schema import upgrade_schema  # noqa: PLC0415

    config = load(config_file, as_json=as_json)
    revision = attempt(lambda: upgrade_schema(address_of(config.database)))
    typer.echo(json.dumps({"revision": revision}) if as_json else f"schema revision {revision}")


@app.command(epilog="Example: headframe-central version")
def version(as_json: AsJson = False) -> None:
    """Show the version."""
    number = installed_version()
    typer.echo(json.dumps({"version": number}) if as_json else f"headframe-central {number}")


@user_app.command(
    "add", epilog="Example: headframe-central user add ann@mine.example --role analyst --site pit-1"
)
def user_add(
    username: Username,
    role: Annotated[list[Role], typer.Option(help="May be given more than once.")],
    site: Annotated[
        list[str], typer.Option(help=f"A site, or {ALL_SITES!r}; may be given more than once.")
    ],
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add an active account."""
    config = load(config_file, as_json=as_json)
    new = NewAccount(
        username=_checked_username(username),
        password_hash=PasswordHasher().hash_now(_password(password_file, stdin=password_stdin)),
        roles=tuple(dict.fromkeys(role)),
        sites=tuple(dict.fromkeys(map(_checked_site, site))),
    )
    account = _with_accounts(config, lambda accounts: accounts.create(new))
    document = account_document(account, with_hash=False)
    typer.echo(json.dumps(document) if as_json else f"added {account.username}")


@user_app.command("list", epilog="Example: headframe-central user list --json")
def user_list(
    config_file: ConfigFile = None,
    as_json: AsJson = False,
    with_hashes: Annotated[
        bool, typer.Option("--with-hashes", help="Also the password hashes; with --json.")
    ] = False,
) -> None:
    """List all accounts; with --json as one JSON array."""
    config = load(config_file, as_json=as_json)
    accounts = _with_accounts(config, lambda store: store.all_accounts())
    if as_json:
        documents = [account_document(each, with_hash=with_hashes) for each in accounts]
        typer.echo(json.dumps(documents))
        return
    for each in accounts:
        typer.echo(f"{each.username}  {each.state}  {','.join(each.roles)}  {','.join(each.sites)}")


@user_app.command("passwd", epilog="Example: headframe-central user passwd ann@mine.example")
def user_passwd(
    username: Username,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Set a new password; every sign-in made with the old one ends."""
    config = load(config_file, as_json=as_json)
    password = PasswordHasher().hash_now(_password(password_file, stdin=password_stdin))
    _with_accounts(config, lambda accounts: accounts.change_password(username, password))
    done = {"username": username.lower(), "password": "changed"}
    typer.echo(json.dumps(done) if as_json else f"changed the password of {username.lower()}")


@user_app.command("disable", epilog="Example: headframe-central user disable ann@mine.example")
def user_disable(
    username: Username, config_file: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Forbid an account to sign in; its refresh tokens end at once, its access token in minutes."""
    _set_state(config_file, username, AccountState.DISABLED, as_json=as_json)


@user_app.command("enable", epilog="Example: headframe-central user enable ann@mine.example")
def user_enable(
    username: Username, config_file: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Let a disabled or pending account sign in."""
    _set_state(config_file, username, AccountState.ACTIVE, as_json=as_json)


@user_app.command(
    "export",
    epilog="Example: headframe-central user export --site pit-1 --output accounts.json",
)
def user_export(
    config_file: ConfigFile = None,
    site: Annotated[str | None, typer.Option(help="Only accounts of this site.")] = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Write the accounts an edge caches, so that people can sign in with no link to central."""
    config = load(config_file, as_json=as_json)
    accounts = _with_accounts(config, lambda store: store.all_accounts())
    documents = [
        account_document(each, with_hash=True)
        for each in accounts
        if may_be_cached(each) and (site is None or {site, ALL_SITES} & set(each.sites))
    ]
    _write(json.dumps(documents, indent=1), output)


@jwks_app.command(
    "export", epilog="Example: headframe-central jwks export --output central-jwks.json"
)
def jwks_export(
    config_file: ConfigFile = None, output: Output = None, as_json: AsJson = False
) -> None:
    """Write the public keys with which edges verify central's tokens."""
    auth = load(config_file, as_json=as_json).auth
    key = attempt(lambda: load_signing_key(auth.signing_key_file))
    issuer = TokenIssuer(key, issuer=auth.issuer, lifetime_s=auth.access_token_s)
    _write(json.dumps(jwks_document([issuer.verification_key]), indent=1), output)


def main() -> None:
    """Run the command line."""
    app(prog_name="headframe-central")


class Process(Protocol):
    """What runs until it is asked to stop."""

    def request_stop(self) -> None:
        """Begin to stop."""
        ...

    async def run(self) -> None:
        """Return when stopped."""
        ...


def _serve(make: Callable[[], Process]) -> None:
    async def until_stopped() -> None:
        process = make()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, process.request_stop)
        await process.run()

    try:
        attempt(lambda: uvloop.run(until_stopped()))
    except ExceptionGroup as group:
        known = group.subgroup((HeadframeError, OSError))
        if known is None:
            raise
        fail_with(_first_of(known))


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    if isinstance(first, ExceptionGroup):
        return _first_of(cast("ExceptionGroup[Exception]", first))
    return first


def _with_accounts(
    config: CentralConfig, work: Callable[[PostgresAccounts], Awaitable[Answer]]
) -> Answer:
    async def opened() -> Answer:
        database = Database(config.database, application="headframe-command")
        try:
            return await work(PostgresAccounts(database))
        finally:
            await database.close()

    return attempt(lambda: asyncio.run(opened()))


def _set_state(file: Path | None, username: str, state: AccountState, *, as_json: bool) -> None:
    config = load(file, as_json=as_json)
    _with_accounts(config, lambda accounts: accounts.set_state(username, state))
    done = {"username": username.lower(), "state": str(state)}
    typer.echo(json.dumps(done) if as_json else f"{username.lower()} is {state}")


def _password(file: Path | None, *, stdin: bool) -> str:
    if stdin == (file is not None):
        if stdin or not sys.stdin.isatty():
            fail("give one of --password-stdin and --password-file", EXIT_USAGE)
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    elif file is not None:
        password = attempt(lambda: file.read_text(encoding="utf-8")).partition("\n")[0]
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < PASSWORD_LENGTH_MIN:
        fail(f"password: expected at least {PASSWORD_LENGTH_MIN} characters", EXIT_USAGE)
    return password


def _checked_username(text: str) -> str:
    name, at, domain = text.partition("@")
    if not (name and at and domain) or len(text) > 254 or not text.isprintable() or " " in text:
        fail(f"username: expected an email address, got {text[:80]!r}", EXIT_USAGE)
    return text


def _checked_site(text: str) -> str:
    if text != ALL_SITES and not is_name(text):
        fail(f"site: expected a site name or {ALL_SITES!r}, got {text[:80]!r}", EXIT_USAGE)
    return text


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text)
        return

    def write() -> None:
        part = output.with_name(output.name + ".part")
        part.unlink(missing_ok=True)
        part.touch(PRIVATE_MODE)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(output)

    attempt(write)


if __name__ == "__main__":
    main()
