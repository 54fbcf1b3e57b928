"""`headframe sim`: runs the simulated mine against a broker."""

import asyncio
import signal
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop

from deploy.errors import SiteError, SiteUsageError
from deploy.publisher import (
    BrokerAddress,
    Publisher,
    open_publisher,
    parse_address,
    read_credentials,
)
from deploy.sim.mine import Mine, Size
from deploy.sim.pacing import Pace
from deploy.sim.satellite import Link, open_relay, parse_relay
from deploy.sim.scenarios import QUIET, Lever, Scenario, read_scenario, scenario_names
from shared.clock import Clock, SystemClock
from shared.ids import is_name
from shared.logs import configure_logs, get_log
from shared.units import quantity_of

RATE_MAX_PER_S = 5_000.0
TICK_S = 0.02
REPORT_EVERY_S = 30.0
DRAIN_TIMEOUT_S = 3.0

_log = get_log("sim")


@dataclass(frozen=True, slots=True)
class SimOptions:
    """What to simulate and where to publish it."""

    broker: BrokerAddress
    site: str
    seed: int
    rate_per_s: float
    speed: float
    duration_s: float | None
    scenario: Scenario
    satellite: str | None
    satellite_delay_ms: float


def sim(
    mqtt: Annotated[str, typer.Option(help="Broker, HOST:PORT.")] = "127.0.0.1:1883",
    credentials: Annotated[
        Path | None, typer.Option(help="credentials.json with an `mqtt` entry.")
    ] = None,
    site: Annotated[str, typer.Option(help="Site name in the topics.")] = "kaduna",
    seed: Annotated[int, typer.Option(help="Same seed, same mine.")] = 1,
    rate: Annotated[
        float, typer.Option(min=1.0, max=RATE_MAX_PER_S, help="Messages per second, 1 to 5000.")
    ] = 50.0,
    speed: Annotated[
        float, typer.Option(min=0.01, max=1000.0, help="Simulated seconds per second.")
    ] = 1.0,
    duration: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so many seconds; default: never.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help=f"Script to play: {', '.join(scenario_names())}.")
    ] = None,
    satellite: Annotated[
        str | None,
        typer.Option(help="Stand in for the satellite link: relay HOST:PORT=HOST:PORT."),
    ] = None,
    satellite_delay_ms: Annotated[
        float, typer.Option(min=0.0, max=2000.0, help="One-way delay of that link in ms.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Log lines as JSON.")] = False,
) -> None:
    """Run the simulated mine: haul trucks, pumps, a ventilated section, workers.

    Time stamps are the wall clock's; with `--speed` a shift of haulage passes in minutes.

    Examples:
      headframe sim --mqtt 127.0.0.1:1883 --credentials .state/credentials.json

      headframe sim --rate 5000 --duration 60

      headframe sim --scenario gas-inflow --speed 4
    """
    configure_logs(as_json=as_json)
    try:
        if not is_name(site):
            raise SiteUsageError(f"--site: expected [a-z0-9][a-z0-9_-]{{0,63}}, got {site!r}")
        host, port = parse_address(mqtt)
        username, password = read_credentials(credentials) if credentials else (None, None)
        options = SimOptions(
            broker=BrokerAddress(host, port, username, password),
            site=site,
            seed=seed,
            rate_per_s=rate,
            speed=speed,
            duration_s=duration,
            scenario=read_scenario(scenario) if scenario else QUIET,
            satellite=satellite,
            satellite_delay_ms=satellite_delay_ms,
        )
        uvloop.run(run_simulation(options, SystemClock()))
    except SiteError as error:
        typer.echo(f"headframe sim: {error}", err=True)
        raise typer.Exit(error.exit_code) from error


async def run_simulation(options: SimOptions, clock: Clock) -> None:
    """Publish until the duration is over or SIGTERM or SIGINT arrives, then wait for the last acks.

    Raises:
        SiteError: if the broker cannot be reached at the start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        link: Link | None = None
        if options.satellite is not None:
            relay = parse_relay(options.satellite, options.satellite_delay_ms)
            link = await stack.enter_async_context(open_relay(relay))
        publisher = await stack.enter_async_context(
            open_publisher(options.broker, client_id=f"headframe-sim-{options.site}")
        )
        voice = _Voice(options, publisher, clock)
        await voice.announce()
        await _publish_until(stop, options, voice, clock, link)
        lost = await publisher.drain(DRAIN_TIMEOUT_S)
        _log.info("stopped", sent=publisher.sent, acknowledged=publisher.acknowledged, open=lost)


async def _publish_until(
    stop: asyncio.Event, options: SimOptions, voice: "_Voice", clock: Clock, link: Link | None
) -> None:
    start_s = stepped_s = clock.monotonic_s()
    pace = Pace(options.rate_per_s, start_s)
    report_s = start_s + REPORT_EVERY_S
    while not stop.is_set():
        now_s = clock.monotonic_s()
        if options.duration_s is not None and now_s - start_s >= options.duration_s:
            return
        voice.mine.step((now_s - stepped_s) * options.speed)
        stepped_s = now_s
        if link is not None:
            link.set_up(up=voice.mine.levers[Lever.SATELLITE_UP] >= 0.5)
        for _ in range(pace.due(now_s)):
            await voice.speak()
        if now_s >= report_s:
            report_s += REPORT_EVERY_S
            voice.report(pace)
        pause_s = max(TICK_S, pace.next_due_s() - clock.monotonic_s())
        try:
            async with asyncio.timeout(min(pause_s, 1.0)):
                await stop.wait()
        except TimeoutError:
            continue


class _Voice:
    """Turns sources into messages in turn, each topic with its own sequence numbers."""

    def __init__(self, options: SimOptions, publisher: Publisher, clock: Clock) -> None:
        size = Size().for_rate(options.rate_per_s)
        self.mine = Mine(options.site, options.seed, size, options.scenario)
        self._publisher = publisher
        self._clock = clock
        self._next = 0
        self._sequence: dict[str, int] = {}

    async def announce(self) -> None:
        """Publish the birth of every device with the units of its metrics."""
        boot_id = uuid.uuid4().hex
        units: dict[str, dict[str, str]] = {}
        for source in self.mine.sources:
            device = source.topic.rsplit("/", 1)[0]
            metrics = source.payload().get("metrics", {})
            units.setdefault(device, {}).update(
                {name: quantity_of(name).unit for name in metrics if quantity_of(name).unit}
            )
        for device, metrics in units.items():
            birth = {
                "ts": self._clock.utc_ms(),
                "seq": 0,
                "boot_id": boot_id,
                "metrics": {name: {"unit": unit} for name, unit in metrics.items()},
            }
            await self._publisher.publish(f"{device}/birth", msgspec.json.encode(birth))

    async def speak(self) -> None:
        """Publish the next source's message. Positions go as msgpack, the rest as JSON."""
        source = self.mine.sources[self._next]
        self._next = (self._next + 1) % len(self.mine.sources)
        sequence = self._sequence.get(source.topic, 0)
        self._sequence[source.topic] = sequence + 1
        message = {"ts": self._clock.utc_ms(), "seq": sequence, **source.payload()}
        if source.topic.endswith("/position"):
            payload = msgspec.msgpack.encode(message)
        else:
            payload = msgspec.json.encode(message)
        await self._publisher.publish(source.topic, payload)

    def report(self, pace: Pace) -> None:
        """Log what was sent, acknowledged and given up so far."""
        _log.info(
            "publishing",
            sent=self._publisher.sent,
            acknowledged=self._publisher.acknowledged,
            given_up=pace.given_up,
            ch4_return_pct=round(self.mine.section.ch4_pct(0.9), 2),
        )
