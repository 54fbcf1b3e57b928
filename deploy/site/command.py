"""`headframe up`: parses the options and runs a site in the foreground."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import SiteError
from deploy.publisher import BrokerAddress, parse_address
from deploy.sim.scenarios import scenario_names
from deploy.site.announcements import Announcer
from deploy.site.options import SiteOptions, parse_rate_limit
from deploy.site.site import run_site
from shared.clock import SystemClock

DEFAULT_STATE = Path(".state")  # below the folder where the command is called

_Folder = Annotated[Path, typer.Option(help="Where everything is kept.")]
_CentralPort = Annotated[int, typer.Option(min=1, max=65535, help="Central's API and dashboard.")]
_EdgePort = Annotated[int, typer.Option(min=1, max=65535, help="The edge's API and page.")]
_ControlPort = Annotated[
    int, typer.Option(min=1, max=65535, help="Remote control (from that part on).")
]
_MqttPort = Annotated[int, typer.Option(min=1, max=65535, help="The embedded broker.")]
_ListenerPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="The edge's own listener for devices; default: off."),
]
_SyncPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Central's listener for edges; default: a free one."),
]
_Host = Annotated[
    str, typer.Option(help="Address to listen on; beyond loopback with TLS or --insecure.")
]
_TlsCert = Annotated[Path | None, typer.Option(help="Certificate chain for the web, PEM.")]
_TlsKey = Annotated[Path | None, typer.Option(help="Key of that certificate, PEM.")]
_Insecure = Annotated[bool, typer.Option("--insecure", help="Serve other machines without TLS.")]
_NoSim = Annotated[bool, typer.Option("--no-sim", help="Without the simulated mine.")]
_Scenario = Annotated[
    str | None,
    typer.Option(help=f"Script for the simulated mine: {', '.join(scenario_names())}."),
]
_RateLimit = Annotated[
    str | None, typer.Option(metavar="N|off", help="Requests a minute, per account and address.")
]
_Postgres = Annotated[
    str | None, typer.Option(metavar="URL", help="A PostgreSQL 15+ instead of the embedded one.")
]
_Mqtt = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="A broker instead of the embedded one.")
]
_MqttCredentials = Annotated[
    Path | None, typer.Option(help='For --mqtt: JSON file with "username" and "password".')
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def up(
    *,
    state: _Folder = DEFAULT_STATE,
    central_port: _CentralPort = 8000,
    edge_port: _EdgePort = 8100,
    control_port: _ControlPort = 8101,
    mqtt_port: _MqttPort = 1883,
    listener_port: _ListenerPort = None,
    sync_port: _SyncPort = None,
    host: _Host = "127.0.0.1",
    tls_cert: _TlsCert = None,
    tls_key: _TlsKey = None,
    insecure: _Insecure = False,
    no_sim: _NoSim = False,
    scenario: _Scenario = None,
    rate_limit: _RateLimit = None,
    postgres: _Postgres = None,
    mqtt: _Mqtt = None,
    mqtt_credentials: _MqttCredentials = None,
    as_json: _Json = False,
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
            state=state,
            host=host,
            central_port=central_port,
            edge_port=edge_port,
            control_port=control_port,
            mqtt_port=mqtt_port,
            listener_port=listener_port,
            sync_port=sync_port,
            tls_cert=tls_cert.absolute() if tls_cert else None,
            tls_key=tls_key.absolute() if tls_key else None,
            insecure=insecure,
            with_sim=not no_sim,
            scenario=scenario,
            rate_limit_per_minute=parse_rate_limit(rate_limit),
            postgres_url=postgres,
            broker=BrokerAddress(*parse_address(mqtt)) if mqtt else None,
            broker_credentials=mqtt_credentials,
        )
        asyncio.run(run_site(options, announcer, SystemClock()))
    except SiteError as error:
        announcer.failure(str(error), error.exit_code)
        raise typer.Exit(error.exit_code) from None
