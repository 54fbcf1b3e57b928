"""`headframe-edge device`: accounts of devices at the edge's own listener."""

import json
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import LogError
from edge.ingest.listener.accounts_file import (
    PublisherAccount,
    add_publisher,
    generate_password,
    hash_generated,
)
from shared.errors import ConfigurationError

device_app = typer.Typer(
    no_args_is_help=True,
    help="Accounts of devices at the edge's own listener.",
    epilog="Example: headframe-edge device add gas-1 --file /etc/headframe/publishers.json",
)


@device_app.callback()
def _device() -> None:
    pass


@device_app.command(
    "add",
    epilog="Example: headframe-edge device add gas-1 --file /etc/headframe/publishers.json",
)
def device_add(
    username: Annotated[str, typer.Argument(help="Name at sign-in.")],
    file: Annotated[Path, typer.Option(help="listener.accounts_file; made if it is not there.")],
    device: Annotated[
        list[str] | None,
        typer.Option(help="Id, or kind/id, it may publish as; again for more. Default: its name."),
    ] = None,
    certificate: Annotated[
        str | None, typer.Option(help="Common name of its certificate, instead of a password.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Add a publisher's account, or give it a new password, which is shown once."""
    password = None if certificate else generate_password()
    account = PublisherAccount(
        username=username,
        password_hash=None if password is None else hash_generated(password),
        certificate=certificate,
        devices=tuple(device or ()),
    )
    try:
        add_publisher(file, account)
    except (ConfigurationError, LogError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"username": username, "password": password}))
    else:
        typer.echo(password or f"{username} signs in with its certificate")
