"""`headframe replay`: publishes a recorded file through a mapping and accounts for all of it."""

import asyncio
import json
import math
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.errors import SiteError, SiteUsageError
from deploy.publisher import (
    BrokerAddress,
    Publisher,
    open_publisher,
    parse_address,
    read_credentials,
)
from deploy.replay.conversion import Account, Converter, Message, parse_time, read_zone
from deploy.replay.mapping import Mapping, mapping_names, read_mapping
from deploy.replay.recordings import Member, open_recording, read_lines
from deploy.replay.tables import Row, read_table, side_by_side
from shared.clock import Clock, SystemClock
from shared.ids import is_name
from shared.logs import configure_logs, get_log

DRAIN_TIMEOUT_S = 30.0
REPORT_EVERY_S = 10.0
BATCH_MAX = 5_000  # samples of one message; the edge refuses more than its own limit
YIELD_EVERY = 200  # messages between two turns of the loop, so that acknowledgements are read

_log = get_log("replay")


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to publish, where, and how fast."""

    file: Path
    mapping: Mapping
    broker: BrokerAddress
    site: str
    speed: float  # times real speed; math.inf = as fast as possible
    start: str | None
    batch: int
    packed: bool
    row_limit: int | None


@dataclass(slots=True)
class Summary:
    """What became of the recording."""

    messages_sent: int = 0
    messages_acknowledged: int = 0
    messages_refused: int = 0
    samples: int = 0
    values: int = 0
    seconds: float = 0.0
    stopped_early: bool = False
    account: Account = field(default_factory=Account)


def replay(
    file: Annotated[Path, typer.Argument(help="A data file, archive or folder.")],
    mapping: Annotated[
        str, typer.Option(help=f"Mapping file, or one of: {', '.join(mapping_names())}.")
    ],
    mqtt: Annotated[str, typer.Option(help="Broker, HOST:PORT.")] = "127.0.0.1:1883",
    credentials: Annotated[
        Path | None, typer.Option(help="credentials.json with an `mqtt` entry.")
    ] = None,
    speed: Annotated[str, typer.Option(help="N times real speed, or `max`.")] = "1",
    site: Annotated[str, typer.Option(help="Site name in the topics.")] = "kaduna",
    start: Annotated[
        str | None,
        typer.Option(help="Shift all times so that the first is this one: ISO 8601 or `now`."),
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=BATCH_MAX, help="Samples of a topic in one message.")
    ] = 1,
    packed: Annotated[bool, typer.Option("--msgpack", help="msgpack instead of JSON.")] = False,
    rows: Annotated[int | None, typer.Option(min=1, help="Stop after so many rows.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The summary as one JSON object.")
    ] = False,
) -> None:
    """Publish a recorded data file over MQTT at QoS 1, and say what became of it.

    Exit code 0: every message was acknowledged; 1: some were not; 2: usage.

    Examples:
      headframe replay methane-train.arff --mapping coalmine-methane --speed max
          --credentials .state/credentials.json

      headframe replay pumps.tar.gz --mapping my-pumps.toml --mqtt 10.0.0.5:1883 --speed 60
    """
    configure_logs(as_json=as_json)
    try:
        options = ReplayOptions(
            file=file,
            mapping=read_mapping(mapping),
            broker=_broker(mqtt, credentials),
            site=_checked_site(site),
            speed=_checked_speed(speed),
            start=start,
            batch=batch,
            packed=packed,
            row_limit=rows,
        )
        summary = uvloop.run(run_replay(options, SystemClock(), quiet=as_json))
    except SiteError as error:
        typer.echo(f"headframe replay: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    _show(summary, as_json=as_json)
    raise typer.Exit(1 if summary.messages_refused else 0)


async def run_replay(options: ReplayOptions, clock: Clock, *, quiet: bool) -> Summary:
    """Publish the whole recording and return the account of it.

    Stops early, with everything sent so far accounted for, on SIGTERM or SIGINT.

    Raises:
        SiteUsageError: if file, mapping or times cannot be used.
        SiteError: if the broker cannot be reached.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    summary = Summary()
    began_s = clock.monotonic_s()
    converter = Converter(options.mapping, options.site)
    summary.account = converter.account
    with open_recording(options.file, options.mapping.file.members) as members:
        messages = _messages(members, converter, options)
        client_id = f"headframe-replay-{options.site}-{clock.utc_ms()}"
        async with open_publisher(options.broker, client_id=client_id) as publisher:
            sender = _Sender(options, publisher, clock, summary)
            with _progress(converter.account, summary, quiet=quiet) as show:
                await sender.send_all(messages, stop, show)
                summary.messages_refused = await publisher.drain(DRAIN_TIMEOUT_S)
            summary.messages_sent = publisher.sent
            summary.messages_acknowledged = publisher.acknowledged
    summary.stopped_early = stop.is_set()
    summary.seconds = round(clock.monotonic_s() - began_s, 3)
    return summary


def _messages(
    members: list[Member], converter: Converter, options: ReplayOptions
) -> Iterator[Message]:
    file = options.mapping.file

    def table(member: Member) -> Iterator[Row]:
        return read_table(read_lines(member, file.encoding), member.name, member.stem, file)

    sources = (
        [(side_by_side([table(member) for member in members]), members[0].stem)]
        if file.combine == "columns"
        else [(table(member), member.stem) for member in members]
    )
    for rows, stem in sources:
        for row in rows:
            if options.row_limit is not None and converter.account.rows >= options.row_limit:
                return
            yield from converter.convert(row, stem)


class _Sender:
    """Keeps the pace, numbers the samples of each topic, and packs batches."""

    def __init__(
        self, options: ReplayOptions, publisher: Publisher, clock: Clock, summary: Summary
    ) -> None:
        self._options = options
        self._publisher = publisher
        self._clock = clock
        self._summary = summary
        self._began_s = clock.monotonic_s()
        self._sequence: dict[str, int] = {}
        self._waiting: dict[str, list[dict[str, Any]]] = {}
        self._shift_ms: int | None = None
        self._first_ms = 0

    async def send_all(
        self, messages: Iterator[Message], stop: asyncio.Event, show: "_Progress"
    ) -> None:
        for count, message in enumerate(messages):
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
                show.update()
            await self._keep_pace(message.ts_ms, stop)
            if stop.is_set():
                break
            await self._take(message)
        for topic in list(self._waiting):
            await self._flush(topic)
        show.update()

    async def _keep_pace(self, ts_ms: int, stop: asyncio.Event) -> None:
        if self._shift_ms is None:
            self._first_ms = ts_ms
            self._shift_ms = self._shift(ts_ms)
        if math.isinf(self._options.speed):
            return
        due_s = self._began_s + (ts_ms - self._first_ms) / 1000.0 / self._options.speed
        wait_s = due_s - self._clock.monotonic_s()
        if wait_s > 0:
            try:
                async with asyncio.timeout(wait_s):
                    await stop.wait()
            except TimeoutError:
                return

    def _shift(self, first_ms: int) -> int:
        start = self._options.start
        if start is None:
            return 0
        now_ms = self._clock.utc_ms()
        if start == "now":
            if self._options.speed > 1.0:
                raise SiteUsageError(
                    "--start now: only with --speed 1 or less, or later samples lie in the future"
                )
            return now_ms - first_ms
        try:
            return parse_time(start, "iso", read_zone("UTC")) - first_ms
        except ValueError as error:
            raise SiteUsageError(f"--start: {error}") from error

    async def _take(self, message: Message) -> None:
        sequence = self._sequence.get(message.topic, 0)
        self._sequence[message.topic] = sequence + 1
        ts_ms = message.ts_ms + (self._shift_ms or 0)
        waiting = self._waiting.setdefault(message.topic, [])
        waiting.append({"ts": ts_ms, "seq": sequence, **message.content})
        self._summary.samples += 1
        self._summary.values += len(message.content.get("metrics", "1"))
        if len(waiting) >= self._options.batch:
            await self._flush(message.topic)

    async def _flush(self, topic: str) -> None:
        samples = self._waiting.pop(topic, [])
        if not samples:
            return
        content = samples[0] if len(samples) == 1 else {"samples": samples}
        encode = msgspec.msgpack.encode if self._options.packed else msgspec.json.encode
        await self._publisher.publish(topic, encode(content))


class _Progress:
    """Shows how far the replay is: a bar on a terminal, a log line now and then elsewhere."""

    def __init__(self, account: Account, summary: Summary, *, quiet: bool) -> None:
        self._account = account
        self._summary = summary
        console = Console(stderr=True)
        self._bar = None
        if console.is_terminal and not quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(*columns, TimeElapsedColumn(), console=console)
            self._task = self._bar.add_task("rows", total=None)
        self._clock = SystemClock()
        self._next_s = self._clock.monotonic_s() + REPORT_EVERY_S

    def __enter__(self) -> "_Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._account.rows)
        elif self._clock.monotonic_s() >= self._next_s:
            self._next_s = self._clock.monotonic_s() + REPORT_EVERY_S
            _log.info("replaying", rows=self._account.rows, samples=self._summary.samples)


def _progress(account: Account, summary: Summary, *, quiet: bool) -> _Progress:
    return _Progress(account, summary, quiet=quiet)


def _show(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(summary)))
        return
    rate = summary.samples / summary.seconds if summary.seconds else 0.0
    typer.echo(
        f"rows {summary.account.rows}, samples {summary.samples}, values {summary.values} "
        f"in {summary.seconds:.1f} s ({rate:.0f} samples/s)"
    )
    typer.echo(
        f"messages: sent {summary.messages_sent}, acknowledged {summary.messages_acknowledged}, "
        f"refused {summary.messages_refused}"
    )
    typer.echo(
        f"refused from the file: {summary.account.refused_rows} rows, "
        f"{summary.account.refused_cells} cells"
    )
    for problem in summary.account.problems:
        typer.echo(f"  {problem}")
    if summary.stopped_early:
        typer.echo("stopped before the end of the file")


def _broker(mqtt: str, credentials: Path | None) -> BrokerAddress:
    host, port = parse_address(mqtt)
    username, password = read_credentials(credentials) if credentials else (None, None)
    return BrokerAddress(host, port, username, password)


def _checked_site(site: str) -> str:
    if not is_name(site):
        raise SiteUsageError(f"--site: expected [a-z0-9][a-z0-9_-]{{0,63}}, got {site!r}")
    return site


def _checked_speed(text: str) -> float:
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < 1e9:
        raise SiteUsageError(f"--speed: expected a number above 0, or max, got {text!r}")
    return speed
