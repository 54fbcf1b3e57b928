"""`headframe up`: parses the options and runs a site in the foreground."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import SiteError
from deploy.site.announcements import Announcer
from deploy.site.options import SiteOptions, parse_broker, parse_rate_limit
from deploy.site.site import run_site, state_folder
from shared.clock import SystemClock

app = typer.Typer(pretty_exceptions_show_locals=False)


@app.command()
def up(  # one parameter per option of the contract
    *,
    state: Annotated[
        Path | None, typer.Option(help="Where everything is kept. [default: ./.state]")
    ] = None,
    central_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Central's API and dashboard.")
    ] = 8000,
    edge_port: Annotated[
        int, typer.Option(min=1, max=65535, help="The edge's API and page.")
    ] = 8100,
    control_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Remote control (from that part on).")
    ] = 8101,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65535, help="The embedded broker.")] = 1883,
    sync_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Central's listener for edges. [default: a free one]"),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback it needs TLS or --insecure.")
    ] = "127.0.0.1",
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate chain of the web, PEM.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve other machines without TLS.")
    ] = False,
    no_sim: Annotated[bool, typer.Option("--no-sim", help="Without the simulated mine.")] = False,
    rate_limit: Annotated[
        str | None,
        typer.Option(metavar="N|off", help="Requests a minute, per account and address."),
    ] = None,
    postgres: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A PostgreSQL 15+ instead of the embedded one."),
    ] = None,
    mqtt: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A broker instead of the embedded one.")
    ] = None,
    mqtt_credentials: Annotated[
        Path | None,
        typer.Option(help='For --mqtt: JSON file with "username" and "password".'),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line on stdout.")
    ] = False,
) -> None:
    """Start a complete site: central, PostgreSQL, an edge, a broker and a simulated mine.

    Prints READY and the addresses when everything answers; the accounts are in credentials.json.
    Ctrl-C stops everything in order. The next start goes on with the same data.

    Examples:
      headframe up

      headframe up --state /srv/demo --central-port 9000 --no-sim

      headframe up --mqtt 10.0.0.5:1883 --postgres postgresql://headframe@db/headframe
    """
    announcer = Announcer(SystemClock(), as_json=as_json)
    try:
        options = SiteOptions(
            state=state_folder(state),
            host=host,
            central_port=central_port,
            edge_port=edge_port,
            control_port=control_port,
            mqtt_port=mqtt_port,
            sync_port=sync_port,
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure=insecure,
            with_sim=not no_sim,
            rate_limit_per_minute=parse_rate_limit(rate_limit),
            postgres_url=postgres,
            broker=parse_broker(mqtt) if mqtt else None,
            broker_credentials=mqtt_credentials,
        )
        asyncio.run(run_site(options, announcer, SystemClock()))
    except SiteError as error:
        announcer.failure(str(error), error.exit_code)
        raise typer.Exit(error.exit_code) from None
