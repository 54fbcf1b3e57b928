"""`headframe-central quarantine list|show|release`: what could not be applied, and trying again."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from central.command import EXIT_FAILED, EXIT_USAGE, AsJson, ConfigFile, attempt, fail, load
from central.store.database import Database
from central.store.quarantine import ENTRIES_MAX, HeldEntry, Quarantine
from shared.clock import SystemClock, iso_utc
from shared.domain.samples import quality_name

ROWS_SHOWN = 20

Answer = TypeVar("Answer")
Site = Annotated[str | None, typer.Option(help="Only of this site.")]
Reason = Annotated[str | None, typer.Option(help="Only for this reason.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Rows and batches that central holds and could not apply.",
    epilog="Example: headframe-central quarantine list --reason bad_value",
)


@app.command("list", epilog="Example: headframe-central quarantine list --site pit-1 --json")
def list_entries(
    site: Site = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=ENTRIES_MAX)] = 100,
    released: Annotated[bool, typer.Option("--released", help="Also what was released.")] = False,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List what is kept aside, and parked batches, the newest first."""
    entries = _with_database(
        config_file,
        lambda database: Quarantine(database).entries(
            site=site, reason=reason, with_released=released, limit=limit
        ),
        as_json=as_json,
    )
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries]))
        return
    for entry in entries:
        typer.echo(_line(entry))


@app.command(epilog="Example: headframe-central quarantine show 17 --rows 5")
def show(
    number: Annotated[int, typer.Argument(min=1, help="As `list` shows it.")],
    rows: Annotated[int, typer.Option(min=0, max=1_000_000, help="Rows shown.")] = ROWS_SHOWN,
    body: Annotated[
        Path | None, typer.Option(help="Write the batch's body, verbatim, to this file.")
    ] = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one entry with its rows: series, time, value, quality."""

    async def read(database: Database) -> tuple[HeldEntry | None, Any]:
        store = Quarantine(database)
        return await store.entry(number), await store.body(number, rows_max=rows)

    entry, held = _with_database(config_file, read, as_json=as_json)
    if entry is None or held is None:
        fail(f"no entry {number} in the quarantine", EXIT_FAILED)
    if body is not None:
        attempt(lambda: body.write_bytes(held.body))
    if as_json:
        typer.echo(json.dumps(asdict(entry) | {"held_rows": [asdict(row) for row in held.rows]}))
        return
    typer.echo(_line(entry))
    typer.echo(entry.detail)
    for row in held.rows:
        quality = quality_name(row.quality)
        typer.echo(f"  {row.series}  {iso_utc(row.ts_ms)}  {row.value!r}  {quality}")


@app.command(epilog="Example: headframe-central quarantine release 17 18")
def release(
    entries: Annotated[list[str] | None, typer.Argument(help="As `list` shows them.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that `list` shows, of --site and --reason.")
    ] = False,
    site: Site = None,
    reason: Reason = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Try again what was kept aside; each row is applied once. Exit code 1: some is still refused.

    Parked batches go back to the inbox and are unpacked by the worker.
    """
    if everything == bool(entries):
        fail("give either entries or --all", EXIT_USAGE)
    from central.inbox.unpack import prepare  # noqa: PLC0415 numpy takes a moment to load
    from central.store.releasing import Releasing  # noqa: PLC0415

    async def work(database: Database) -> Any:
        chosen = list(entries or ())
        if everything:
            found = await Quarantine(database).entries(site=site, reason=reason)
            chosen = [entry.entry_id for entry in reversed(found)]
        return await Releasing(database, SystemClock(), prepare).release(chosen)

    try:
        done = _with_database(config_file, work, as_json=as_json)
    except ValueError as error:
        fail(str(error), EXIT_USAGE)
    typer.echo(
        json.dumps(asdict(done))
        if as_json
        else f"released {done.rows} rows, {done.still_held} still refused, "
        f"{done.unparked} batches back to the inbox"
    )
    raise typer.Exit(EXIT_FAILED if done.still_held else 0)


def _line(entry: HeldEntry) -> str:
    where = f"{entry.site}/{entry.edge} epoch {entry.epoch} lane {entry.lane} seq {entry.seq}"
    rows = f"{entry.rows} of {entry.batch_rows} rows"
    what = f"{entry.entry_id}  {entry.state}  {iso_utc(entry.since_ms)}  {entry.reason}"
    return f"{what}  {rows}  {where}"


def _with_database(
    config_file: Path | None,
    work: Callable[[Database], Awaitable[Answer]],
    *,
    as_json: bool,
) -> Answer:
    config = load(config_file, as_json=as_json)

    async def opened() -> Answer:
        database = Database(config.database, application="headframe-command")
        try:
            return await work(database)
        finally:
            await database.close()

    return attempt(lambda: asyncio.run(opened()))
