"""The command line of an edge node: ``headframe-edge``. Owns arguments, exit codes and output.

Exit codes: 0 done, 1 a check or the work failed, 2 usage or configuration.
"""

import asyncio
import http.client
import json
import os
import signal
import ssl
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvloop

from edge.config import EdgeConfig
from edge.errors import LogForeignError, LogVersionError
from edge.ingest.findings import Grade
from edge.log.declared import DeclaredGap
from edge.log.gap_file import read_gaps
from edge.log.quarantine import QuarantineReader, open_quarantine_reader
from edge.log.records import QuarantineEntry
from edge.runtime.checks import broker_findings, failed_checks
from edge.runtime.daemon import EdgeDaemon
from edge.runtime.device_command import device_app
from edge.runtime.doctor import examine
from edge.runtime.report import (
    EdgeReport,
    read_report,
    report_from_metrics,
    report_lines,
)
from shared.clock import SystemClock, iso_utc
from shared.configuration import load_configuration
from shared.errors import ConfigurationError, HeadframeError
from shared.logs import configure_logs
from shared.version import installed_version, version_option

EXIT_FAILED = 1
EXIT_USAGE = 2
_ASK_TIMEOUT_S = 3.0  # a loopback answer takes milliseconds; a stuck edge must not hang `status`
_PREVIEW_CHARACTERS = 80  # of a payload in a list

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run and look at an edge node: it reads the mine over MQTT and keeps every reading.",
    epilog="Example: headframe-edge status --config /etc/headframe/edge.toml",
)
quarantine_app = typer.Typer(
    no_args_is_help=True,
    help="Messages that were not accepted.",
    epilog="Example: headframe-edge quarantine list --reason bad_json --limit 20",
)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(device_app, name="device")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="TOML file; HEADFRAME_… and flags override it.")
]
StateDir = Annotated[Path | None, typer.Option("--state-dir", help="Overrides state_dir.")]
Site = Annotated[str | None, typer.Option(help="Overrides site.")]
EdgeId = Annotated[str | None, typer.Option(help="Overrides edge_id.")]
Broker = Annotated[str | None, typer.Option("--mqtt", help="HOST:PORT, overrides mqtt.host, port.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line, for machines.")]


@app.callback()
def _program(_shown: Annotated[bool, version_option("headframe-edge")] = False) -> None:
    pass


@app.command(
    epilog="Example: headframe-edge run --config /etc/headframe/edge.toml --mqtt 10.0.0.5:1883"
)
def run(
    config_file: ConfigFile = None,
    state_dir: StateDir = None,
    site: Site = None,
    edge_id: EdgeId = None,
    mqtt: Broker = None,
    as_json: AsJson = False,
) -> None:
    """Run the edge until SIGTERM or Ctrl-C; it stops in order within 5 seconds."""
    flags = _flags(state_dir=state_dir, site=site, edge_id=edge_id, mqtt=mqtt)
    config = _load(config_file, flags | {"log_json": True if as_json else None})
    configure_logs(as_json=config.log_json, level=config.log_level)
    try:
        uvloop.run(_run(config))
    except (ConfigurationError, LogVersionError, LogForeignError) as error:
        _fail(str(error), EXIT_USAGE)
    except HeadframeError as error:
        _fail(f"{error.code}: {error}", EXIT_FAILED)


@app.command(epilog="Example: headframe-edge check --config /etc/headframe/edge.toml")
def check(
    config_file: ConfigFile = None,
    state_dir: StateDir = None,
    site: Site = None,
    edge_id: EdgeId = None,
    as_json: AsJson = False,
) -> None:
    """Check configuration, files and state directory without starting anything."""
    config = _load(config_file, _flags(state_dir=state_dir, site=site, edge_id=edge_id))
    failures, warnings = list(failed_checks(config)), list[str]()
    for finding in broker_findings(config):
        told = f"{finding.told}; set: {finding.remedy}" if finding.remedy else finding.told
        if finding.grade is not Grade.OK:
            (failures if finding.grade is Grade.FAILED else warnings).append(told)
    if as_json:
        typer.echo(json.dumps({"ok": not failures, "failures": failures, "warnings": warnings}))
    else:
        for mark, lines in (("FAILED", failures), ("warning", warnings)):
            for line in lines:
                typer.echo(f"{mark} {line}", err=True)
        if not failures:
            typer.echo(f"ok: {config.edge_id} of {config.site}, state in {config.state_dir}")
    if failures:
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example: headframe-edge doctor --config /etc/headframe/edge.toml")
def doctor(
    config_file: ConfigFile = None,
    state_dir: StateDir = None,
    site: Site = None,
    edge_id: EdgeId = None,
    as_json: AsJson = False,
) -> None:
    """Try broker, rights, disk, clock and central as the edge uses them, and say what to mend.

    Disturbs no running edge. Exit code 1 if something fails; warnings alone are 0.
    """
    config = _load(config_file, _flags(state_dir=state_dir, site=site, edge_id=edge_id))
    _act_as_owner(config.state_dir)
    findings = asyncio.run(examine(config, SystemClock()))
    for finding in findings:
        if as_json:
            typer.echo(json.dumps(asdict(finding)))
        else:
            typer.echo(f"{finding.grade:<8}{finding.name:<16} {finding.told}")
            if finding.remedy:
                typer.echo(f"{'':<24} → {finding.remedy}")
    if any(finding.grade is Grade.FAILED for finding in findings):
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example: headframe-edge status --config /etc/headframe/edge.toml --json")
def status(
    config_file: ConfigFile = None,
    state_dir: StateDir = None,
    site: Site = None,
    edge_id: EdgeId = None,
    as_json: AsJson = False,
) -> None:
    """Show links, backlog, quarantine and the last commit; exit code 1 if the edge is not well.

    Asks the running edge on its own port. If it does not run, shows what it left behind.
    """
    config = _load(config_file, _flags(state_dir=state_dir, site=site, edge_id=edge_id))
    now_ms = SystemClock().utc_ms()
    report = _ask(config, now_ms) or read_report(config.state_dir)
    if report is None:
        _fail(f"no edge answers and none has left a report in {config.state_dir}", EXIT_FAILED)
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        for line in report_lines(report, now_ms):
            typer.echo(line)
    if not report.running or report.log_refusing:
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example: headframe-edge version")
def version(as_json: AsJson = False) -> None:
    """Show the version."""
    number = installed_version()
    typer.echo(json.dumps({"version": number}) if as_json else f"headframe-edge {number}")


@quarantine_app.command(
    "list", epilog="Example: headframe-edge quarantine list --reason bad_json --limit 20"
)
def quarantine_list(
    config_file: ConfigFile = None,
    state_dir: StateDir = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Newest entries to show.")] = 50,
    reason: Annotated[str | None, typer.Option(help="Only entries refused for this.")] = None,
    as_json: AsJson = False,
) -> None:
    """List refused messages, newest first; works while the edge runs."""
    with _quarantine(_state_dir(config_file, state_dir)) as reader:
        entries = reader.list_entries(limit, reason)
    for entry in entries:
        typer.echo(json.dumps(_document(entry)) if as_json else _line(entry))


@quarantine_app.command("show", epilog="Example: headframe-edge quarantine show 17 > payload.bin")
def quarantine_show(
    number: Annotated[int, typer.Argument(help="The number in the list.")],
    config_file: ConfigFile = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one refused message: why on stderr, its payload as it came on stdout."""
    with _quarantine(_state_dir(config_file, state_dir)) as reader:
        entry = reader.show_entry(number)
    if entry is None:
        _fail(f"no entry {number} in the quarantine", EXIT_FAILED)
    if as_json:
        typer.echo(json.dumps(_document(entry)))
        return
    typer.echo(_line(entry), err=True)
    sys.stdout.buffer.write(entry.payload)
    sys.stdout.buffer.flush()


@app.command(epilog="Example: headframe-edge gaps --limit 20 --json")
def gaps(
    config_file: ConfigFile = None,
    state_dir: StateDir = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Newest gaps to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what is declared lost before it reached the edge, newest first."""
    folder = _state_dir(config_file, state_dir)
    try:
        _act_as_owner(folder)
        found = read_gaps(folder, limit)
    except HeadframeError as error:
        _fail(str(error), EXIT_FAILED)
    for gap in found:
        typer.echo(json.dumps(asdict(gap)) if as_json else _gap_line(gap))


def main() -> None:
    """Run the command line."""
    app(prog_name="headframe-edge")


async def _run(config: EdgeConfig) -> None:
    daemon = EdgeDaemon(config, clock=SystemClock(), environment=os.environ, pid=os.getpid())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.request_stop)
    await daemon.run()


def _flags(
    *,
    state_dir: Path | None = None,
    site: str | None = None,
    edge_id: str | None = None,
    mqtt: str | None = None,
) -> dict[str, Any]:
    flags: dict[str, Any] = {"state_dir": state_dir, "site": site, "edge_id": edge_id}
    if mqtt is not None:
        host, _, port = mqtt.rpartition(":")
        if not host:
            _fail(f"--mqtt: expected HOST:PORT, got {mqtt!r}", EXIT_USAGE)
        flags |= {"mqtt.host": host, "mqtt.port": port}
    return flags


def _load(file: Path | None, flags: dict[str, Any]) -> EdgeConfig:
    try:
        return load_configuration(EdgeConfig, file=file, environment=os.environ, flags=flags)
    except ConfigurationError as error:
        _fail(str(error), EXIT_USAGE)


def _state_dir(file: Path | None, state_dir: Path | None) -> Path:
    return state_dir if state_dir is not None else _load(file, {}).state_dir


@contextmanager
def _quarantine(state_dir: Path) -> Generator[QuarantineReader]:
    try:
        _act_as_owner(state_dir)
        with closing(open_quarantine_reader(state_dir)) as reader:
            yield reader
    except HeadframeError as error:
        _fail(str(error), EXIT_FAILED)


def _act_as_owner(state_dir: Path) -> None:
    """Give up root for the account the edge runs under.

    SQLite leaves files beside a database that it reads; root's would lock the edge out of its own.
    """
    if os.geteuid() == 0 and state_dir.is_dir():
        owner = state_dir.stat()
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)


def _ask(config: EdgeConfig, now_ms: int) -> EdgeReport | None:
    """Return the report of the running edge, or ``None`` if none answers."""
    api = config.api
    connection: http.client.HTTPConnection
    if api.tls_cert_file is not None:
        # The edge's own certificate is what we trust: there may be no authority on this node.
        context = ssl.create_default_context(cafile=str(api.tls_cert_file))
        context.check_hostname = False
        connection = http.client.HTTPSConnection(
            api.host, api.port, timeout=_ASK_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(api.host, api.port, timeout=_ASK_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return report_from_metrics(answer.read().decode(), now_ms) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _line(entry: QuarantineEntry) -> str:
    preview = entry.payload.decode("utf-8", "replace")[:_PREVIEW_CHARACTERS]
    return (
        f"{entry.id:>6}  {iso_utc(entry.at_ms)}  {entry.reason}  {entry.topic}  "
        f"{entry.field}: {entry.detail}  ({entry.size_bytes} bytes) {preview!r}"
    )


def _gap_line(gap: DeclaredGap) -> str:
    numbers = f"  {gap.first_seq} to {gap.last_seq}" if gap.last_seq else ""
    since = iso_utc(gap.from_ms) if gap.from_ms else "an unknown time"
    return (
        f"{gap.reason}  {gap.topic or 'any device'}  {gap.missing} messages{numbers}  "
        f"between {since} and {iso_utc(gap.until_ms)}"
    )


def _document(entry: QuarantineEntry) -> dict[str, Any]:
    return asdict(entry) | {
        "at": iso_utc(entry.at_ms),
        "payload": entry.payload.decode("utf-8", "backslashreplace"),
        "sha256": entry.sha256.hex(),
    }


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
