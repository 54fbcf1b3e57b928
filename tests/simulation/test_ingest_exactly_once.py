"""A mine full of misfortune: loss, duplicates, reorder, rebooting devices, an edge that is killed.

Whatever reached the broker is stored exactly once, and what did not is told by a flag. Every run is
drawn from its seed, which is the name of the test.
"""

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from edge.ingest.stream import Publish
from shared.domain.samples import Quality
from tests.support.clocks import HandClock
from tests.support.ingest_bench import IngestLife, ingest_life, message, sample, turn
from tests.support.intake_log import IntakeLog

T0_MS = 1_700_000_000_000
STEP_MS = 100
SENT_BY_EACH = 100
Reading = tuple[str, int, int]  # device, sequence number, ts_ms


@dataclass
class Misfortune:
    """How often, of one message, what goes wrong."""

    lost: float = 0.03
    doubled: float = 0.03
    swapped: float = 0.0
    reboot: float = 0.01


@dataclass
class Device:
    """Sends a count of readings and remembers what it sent in each run."""

    name: str
    chance: random.Random
    runs: list[list[Reading]] = field(default_factory=lambda: [[]])
    ts_ms: int = T0_MS

    def next_reading(self, reboot: float) -> Reading:
        run = self.runs[-1]
        self.ts_ms += STEP_MS
        if run and self.chance.random() < reboot:
            self.ts_ms += self.chance.randrange(1_500, 9_000)
            self.runs.append(run := [])
        seq = run[-1][1] + 1 if run else self.chance.choice((0, 1))
        run.append((self.name, seq, self.ts_ms))
        return run[-1]


@dataclass
class Broker:
    """At least once, as MQTT's QoS 1: what is not acknowledged is delivered again.

    ``in_order`` as mosquitto does; otherwise old messages come after new ones, as nats-server does.
    """

    chance: random.Random
    in_order: bool
    window: int
    queue: deque[Reading] = field(default_factory=deque[Reading])
    in_flight: dict[int, tuple[Reading, bool]] = field(
        default_factory=dict[int, tuple[Reading, bool]]
    )
    packet_id: int = 0

    def deliver(self, life: IngestLife) -> None:
        while self.queue and len(self.in_flight) < self.window:
            self.packet_id = self.packet_id % 65_535 + 1
            self.in_flight[self.packet_id] = (self.queue.popleft(), False)
            life.offer(self._message(self.packet_id, dup=False))

    def redeliver(self, life: IngestLife) -> None:
        """Take up the session of an edge that was killed."""
        if self.in_order:
            life.offer(*[self._message(packet_id, dup=True) for packet_id in self.in_flight])
            return
        again = [reading for reading, _ in self.in_flight.values()]
        self.in_flight.clear()
        at = self.chance.randrange(len(self.queue) + 1)
        self.queue = deque([*list(self.queue)[:at], *again, *list(self.queue)[at:]])

    def take_acknowledgements(self, life: IngestLife, taken: int) -> int:
        for packet_id in life.acknowledged[taken:]:
            self.in_flight.pop(packet_id, None)
        return len(life.acknowledged)

    def _message(self, packet_id: int, *, dup: bool) -> Publish:
        (device, seq, ts_ms), _ = self.in_flight[packet_id]
        topic = f"mine/v1/kaduna/sensor/{device}/telemetry"
        return message(sample(seq, ts_ms, a=seq), topic=topic, packet_id=packet_id, dup=dup)


@dataclass
class Mine:
    """What was sent, what reached the broker, and the log of all lives."""

    seed: int
    misfortune: Misfortune
    in_order: bool = True
    reached: list[Reading] = field(default_factory=list[Reading])
    log: IntakeLog = field(default_factory=IntakeLog)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.log.commit_turns = lambda: self.chance.randrange(1, 12)
        self.devices = [Device(f"gas-{n}", self.chance) for n in range(5)]
        self.broker = Broker(self.chance, self.in_order, self.chance.choice((1, 20, 500)))

    def send_all(self) -> None:
        for _ in range(SENT_BY_EACH):
            for device in self.devices:
                reading = device.next_reading(self.misfortune.reboot)
                if self.chance.random() >= self.misfortune.lost:
                    copies = 2 if self.chance.random() < self.misfortune.doubled else 1
                    self.reached.append(reading)
                    self.broker.queue.extend([reading] * copies)
        queue = self.broker.queue
        for at in range(len(queue) - 1):
            if self.chance.random() < self.misfortune.swapped:
                queue[at], queue[at + 1] = queue[at + 1], queue[at]

    async def run(self) -> None:
        """Live as often as the edge is killed, then once until everything is stored."""
        clock = HandClock(now_ms=T0_MS + 10**6)
        for _ in range(self.chance.randrange(1, 12)):
            async with ingest_life(self.log, clock) as life:
                await self._live(life, turns=self.chance.randrange(1, 120))
        async with ingest_life(self.log, clock) as life:
            while self.broker.queue or self.broker.in_flight:
                await self._live(life, turns=50)
                self.broker.redeliver(life)
            await life.flush()

    async def _live(self, life: IngestLife, turns: int) -> None:
        taken = 0
        self.broker.redeliver(life)
        for _ in range(turns):
            self.broker.deliver(life)
            await turn()
            if self.chance.random() < 0.5:  # acknowledgements take their time, or die with us
                taken = self.broker.take_acknowledgements(life, taken)

    def stored(self) -> list[tuple[Reading, int]]:
        names = {ix: series.name.asset_id for ix, series in self.log.series}
        found: list[tuple[Reading, int]] = []
        for series_ix, ts_ms, value, quality in self.log.rows:
            assert isinstance(value, float)
            found.append(((names[series_ix], int(value), ts_ms), quality))
        return found


@pytest.mark.parametrize("seed", range(25))
async def test_in_order_everything_is_stored_once_and_every_gap_is_flagged(seed: int) -> None:
    mine = Mine(seed, Misfortune())
    mine.send_all()
    await mine.run()
    stored = mine.stored()
    assert sorted(reading for reading, _ in stored) == sorted(mine.reached)
    flagged = {reading for reading, quality in stored if quality & Quality.GAP_BEFORE}
    assert flagged == {reading for device in mine.devices for reading in after_gaps(device, mine)}


def after_gaps(device: Device, mine: Mine) -> list[Reading]:
    """Return the readings that arrived although the one before them did not.

    What a device lost before its very first arrival nobody can know. A run that seems to go on
    where the one before it broke off hides its loss; whether it began at 0 or 1 is not known.
    """
    reached = set(mine.reached)
    found: list[Reading] = []
    last: Reading | None = None
    for run in device.runs:
        arrived = [reading for reading in run if reading in reached]
        for before, reading in zip([None, *arrived], arrived, strict=False):
            if before is not None:
                is_after_gap = reading[1] > before[1] + 1
            else:
                is_after_gap = last is not None and reading[1] > 1 and reading[1] != last[1] + 1
            if is_after_gap:
                found.append(reading)
            last = reading
    return found


@pytest.mark.parametrize("seed", range(25))
async def test_out_of_order_everything_is_stored_once(seed: int) -> None:
    mine = Mine(seed, Misfortune(swapped=0.05), in_order=False)
    mine.send_all()
    await mine.run()
    assert sorted(reading for reading, _ in mine.stored()) == sorted(mine.reached)


@pytest.mark.parametrize("seed", range(15))
async def test_out_of_order_a_loss_is_never_without_a_flag(seed: int) -> None:
    """Of each run with a loss inside, a later reading of the device is flagged."""
    mine = Mine(seed, Misfortune(swapped=0.05, reboot=0.0), in_order=False)
    mine.send_all()
    await mine.run()
    for device in mine.devices:
        flagged = [
            reading
            for reading, quality in mine.stored()
            if reading[0] == device.name and quality & Quality.GAP_BEFORE
        ]
        gaps = after_gaps(device, mine)
        assert bool(flagged) >= bool(gaps)
        for gap in gaps:
            assert any(reading[1] >= gap[1] for reading in flagged)
