"""`headframe bench ingest|live|sync|query`: measures a whole site on this machine."""

import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from bench.central import CentralOptions, bench_central
from bench.ingest import IngestOptions, bench_ingest
from bench.listener import ListenerOptions, bench_listener
from bench.live import LiveOptions, bench_live
from bench.query import QueryOptions, bench_query
from bench.report import Report
from bench.site import SiteOptions
from bench.sync import SyncOptions, bench_sync
from shared.clock import Clock, SystemClock
from shared.errors import HeadframeError
from shared.logs import configure_logs

WARMUP_MAX_S = 5.0  # new series, first connections; of short runs at most a quarter

app = typer.Typer(
    add_completion=False,
    help="Measure a whole site on this machine. Exit code 1: something was lost or doubled.",
    epilog="Example: headframe bench ingest",
    no_args_is_help=True,
)

Measure = Callable[[SiteOptions, Clock], Coroutine[Any, Any, Report]]

Folder = Annotated[
    Path | None,
    typer.Option(help="Where the measured site lives; kept. Default: a temporary folder."),
]
Mqtt = Annotated[
    str | None, typer.Option(help="A real broker, HOST:PORT, instead of the embedded one.")
]
MqttCredentials = Annotated[
    Path | None, typer.Option(help="Accounts at that broker, as `headframe up` takes them.")
]
Postgres = Annotated[
    str | None, typer.Option(help="URL of a real PostgreSQL instead of the embedded one.")
]
Json = Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")]
JsonFile = Annotated[Path | None, typer.Option(help="Write the report as JSON to this file too.")]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Options that all benchmarks share."""

    folder: Path | None
    mqtt: str | None
    mqtt_credentials: Path | None
    postgres: str | None
    as_json: bool
    json_file: Path | None


@app.command()
def ingest(
    rate: Annotated[float, typer.Option(min=1, help="Single-sample messages a second.")] = 5_000.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long to publish.")] = 300.0,
    sources: Annotated[int, typer.Option(min=1, max=10_000, help="Publishing devices.")] = 500,
    metrics: Annotated[int, typer.Option(min=1, max=100, help="Values in each sample.")] = 3,
    edge_only: Annotated[
        bool, typer.Option("--edge-only", help="Embedded broker and edge alone, no central.")
    ] = False,
    listener: Annotated[
        bool, typer.Option("--listener", help="Publish to the edge itself; no central, no broker.")
    ] = False,
    connections: Annotated[
        int, typer.Option(min=1, max=1_000, help="With --listener: publishing devices.")
    ] = 400,
    folder: Folder = None,
    mqtt: Mqtt = None,
    mqtt_credentials: MqttCredentials = None,
    postgres: Postgres = None,
    as_json: Json = False,
    json_file: JsonFile = None,
) -> None:
    """Publish-to-commit latency at a steady rate, and whether everything is stored once.

    Examples:
      headframe bench ingest

      headframe bench ingest --rate 2000 --seconds 60 --json

      headframe bench ingest --listener --rate 40000 --connections 400 --seconds 30
    """

    def measure(site: SiteOptions, clock: Clock) -> Coroutine[Any, Any, Report]:
        warmup_s = min(WARMUP_MAX_S, seconds / 4)
        if listener:
            asked = ListenerOptions(site, rate, seconds, connections, warmup_s)
            return bench_listener(asked, clock)
        options = IngestOptions(
            site=site,
            rate=rate,
            seconds=seconds,
            sources=sources,
            metrics=metrics,
            warmup_s=warmup_s,
            with_central=not edge_only,
        )
        return bench_ingest(options, clock)

    _run(measure, Surroundings(folder, mqtt, mqtt_credentials, postgres, as_json, json_file))


@app.command()
def live(
    rate: Annotated[float, typer.Option(min=1, help="Single-sample messages a second.")] = 200.0,
    seconds: Annotated[
        float, typer.Option(min=1, max=600, help="How long to publish; sign-ins last 15 min.")
    ] = 60.0,
    sources: Annotated[int, typer.Option(min=1, max=10_000, help="Publishing devices.")] = 100,
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser",
            help="Measure the page too. Default: where a Chromium is installed.",
            show_default=False,
        ),
    ] = None,
    folder: Folder = None,
    mqtt: Mqtt = None,
    mqtt_credentials: MqttCredentials = None,
    postgres: Postgres = None,
    as_json: Json = False,
    json_file: JsonFile = None,
) -> None:
    """Time from publishing a sample until it is on sockets and on the screen.

    Examples:
      headframe bench live

      headframe bench live --rate 1000 --seconds 30 --no-browser
    """

    def measure(site: SiteOptions, clock: Clock) -> Coroutine[Any, Any, Report]:
        options = LiveOptions(
            site=site,
            rate=rate,
            seconds=seconds,
            sources=sources,
            warmup_s=min(WARMUP_MAX_S, seconds / 4),
            with_browser=browser,
        )
        return bench_live(options, clock)

    _run(measure, Surroundings(folder, mqtt, mqtt_credentials, postgres, as_json, json_file))


@app.command()
def sync(
    rate: Annotated[float, typer.Option(min=1, help="Messages a second, link open.")] = 1_000.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long, link open.")] = 60.0,
    outage_rate: Annotated[float, typer.Option(min=1, help="Messages a second, link cut.")] = 100.0,
    outage_seconds: Annotated[float, typer.Option(min=1, help="How long, link cut.")] = 60.0,
    batch: Annotated[
        int, typer.Option(min=1, max=5_000, help="Samples of a message, link cut.")
    ] = 200,
    folder: Folder = None,
    mqtt: Mqtt = None,
    mqtt_credentials: MqttCredentials = None,
    postgres: Postgres = None,
    as_json: Json = False,
    json_file: JsonFile = None,
) -> None:
    """Delay and bytes from edge to central, and how fast a backlog is caught up after an outage.

    Examples:
      headframe bench sync

      headframe bench sync --outage-seconds 600 --json-file sync.json
    """

    def measure(site: SiteOptions, clock: Clock) -> Coroutine[Any, Any, Report]:
        options = SyncOptions(
            site=site,
            rate=rate,
            seconds=seconds,
            outage_rate=outage_rate,
            outage_seconds=outage_seconds,
            batch=batch,
        )
        return bench_sync(options, clock)

    _run(measure, Surroundings(folder, mqtt, mqtt_credentials, postgres, as_json, json_file))


@app.command()
def query(
    samples: Annotated[
        int, typer.Option(min=1_000, max=10_000_000, help="Stored in the one series.")
    ] = 100_000,
    points: Annotated[int, typer.Option(min=1, max=10_000, help="In each answer.")] = 1_000,
    requests: Annotated[int, typer.Option(min=1, help="How often it is asked.")] = 300,
    chart: Annotated[Path | None, typer.Option(help="Write a PNG chart to this file.")] = None,
    folder: Folder = None,
    mqtt: Mqtt = None,
    mqtt_credentials: MqttCredentials = None,
    postgres: Postgres = None,
    as_json: Json = False,
    json_file: JsonFile = None,
) -> None:
    """Time of `analytics/telemetry` over one long series, over HTTP.

    Examples:
      headframe bench query

      headframe bench query --samples 10000000 --chart query.png
    """

    def measure(site: SiteOptions, clock: Clock) -> Coroutine[Any, Any, Report]:
        return bench_query(QueryOptions(site, samples, points, requests, chart), clock)

    _run(measure, Surroundings(folder, mqtt, mqtt_credentials, postgres, as_json, json_file))


@app.command()
def central(
    samples: Annotated[
        int, typer.Option(min=500_000, max=100_000_000, help="Unpacked with each index.")
    ] = 2_000_000,
    edges: Annotated[int, typer.Option(min=1, max=500, help="Whose batches wait.")] = 50,
    chart: Annotated[Path | None, typer.Option(help="Write a PNG chart to this file.")] = None,
    folder: Folder = None,
    postgres: Postgres = None,
    as_json: Json = False,
    json_file: JsonFile = None,
) -> None:
    """From batches in central's durable inbox to rows, with each index; rollups; per row beside it.

    Examples:
      headframe bench central

      headframe bench central --samples 10000000 --chart central.png
    """

    def measure(site: SiteOptions, clock: Clock) -> Coroutine[Any, Any, Report]:
        options = CentralOptions(site.folder, site.postgres, samples, edges, chart)
        return bench_central(options, clock)

    _run(measure, Surroundings(folder, None, None, postgres, as_json, json_file))


def _run(measure: Measure, around: Surroundings) -> None:
    configure_logs(as_json=around.as_json)
    with tempfile.TemporaryDirectory(prefix="headframe-bench-") as temporary:
        site = SiteOptions(
            folder=around.folder or Path(temporary),
            mqtt=around.mqtt,
            mqtt_credentials=around.mqtt_credentials,
            postgres=around.postgres,
        )
        try:
            report = uvloop.run(measure(site, SystemClock()))
        except HeadframeError as error:
            typer.echo(f"headframe bench: {error}", err=True)
            raise typer.Exit(getattr(error, "exit_code", 1)) from error
    if around.json_file is not None:
        around.json_file.write_text(report.as_json(), encoding="utf-8")
    typer.echo(report.as_json() if around.as_json else report.as_text(), nl=False)
    raise typer.Exit(0 if report.passed else 1)
