"""Devices that publish to the edge itself, through cuts, kills and full disks, by seed.

Every device sends its readings in order and goes on only by PUBACK; what was not answered comes
again with DUP over the next connection. In the end each reading is stored once, and nothing was
answered that was not on disk at that moment.
"""

import random
from dataclasses import dataclass, field

import pytest

from edge.errors import LogFullError
from edge.ingest import intake as intake_module
from edge.ingest.listener.rights import PublishRights
from edge.ingest.listener.session import PublisherSession, State, Terms
from edge.ingest.stream import MQTT_3_1_1, MQTT_5
from tests.support.clocks import HandClock
from tests.support.ingest_bench import SITE, IngestLife, ingest_life, turn
from tests.support.intake_log import IntakeLog
from tests.support.mqtt_packets import acknowledged, packet, publish
from tests.support.publishers import connect

TERMS = Terms(
    payload_size_max_bytes=1_000,
    packet_size_max_bytes=10_000,
    in_flight_max=8,
    keepalive_max_s=600,
    idle_timeout_s=3_600.0,
    greeting_timeout_s=10.0,
    packet_timeout_s=60.0,
)
T0_MS = 1_700_000_000_000
READINGS = 150


@dataclass
class Device:
    """A device with readings to send; ``session`` is the edge's end of its connection."""

    name: str
    version: int
    chance: random.Random
    answered: int = 0  # readings before this one were answered
    sent: int = 0  # over this connection
    ever_sent: int = 0
    wire: bytes = b""  # said, and not arrived yet
    session: PublisherSession | None = None
    answers_due: list[int] = field(default_factory=list[int])

    @property
    def is_done(self) -> bool:
        return self.answered == READINGS

    def connect(self) -> None:
        self.session = PublisherSession(TERMS, 0.0)
        self.sent = self.answered
        self.wire = connect(version=self.version, client_id=self.name, username=self.name)

    def cut(self) -> None:
        """Lose the connection, with whatever was on its way in both directions."""
        if self.session is not None:
            self.session.lose()
        self.session, self.wire = None, b""

    def say_more(self) -> None:
        while self.sent < min(READINGS, self.answered + 8) and self.chance.random() < 0.7:
            self.wire += self._publish(self.sent, dup=self.sent < self.ever_sent)
            self.sent += 1
            self.ever_sent = max(self.ever_sent, self.sent)
        if self.chance.random() < 0.05:
            self.wire += packet(0xC0, b"")

    def _publish(self, number: int, *, dup: bool) -> bytes:
        payload = b'{"ts":%d,"seq":%d,"metrics":{"a":%d}}' % (T0_MS + number, number, number)
        topic = f"mine/v1/{SITE}/sensor/{self.name}/telemetry"
        properties = b"" if self.version == MQTT_5 else None
        return publish(topic, payload, packet_id=number + 1, dup=dup, properties=properties)

    def arrive(self, life: IngestLife) -> None:
        """Let some of what was said reach the edge, cut anywhere."""
        session = self.session
        assert session is not None
        size = self.chance.choice((1, 7, 60, 400))
        data, self.wire = self.wire[:size], self.wire[size:]
        messages = list(session.receive(data, 0.0))
        if session.state is State.JUDGED and self.chance.random() < 0.5:
            rights = PublishRights(SITE, [self.name])
            messages += session.accept(rights, session_present=False, given_id=None, now_s=0.0)
        if messages:
            life.intake.offer(messages, session.acknowledge)

    def hear(self, stored: set[tuple[str, int]]) -> None:
        """Take the edge's answers; what is answered must be on disk now."""
        assert self.session is not None
        for packet_id in acknowledged(self.session.take_output()):
            assert packet_id == self.answered + 1, "answers come in the order of arrival"
            assert (self.name, packet_id - 1) in stored, "answered and not on disk"
            self.answered += 1


def stored(log: IntakeLog) -> list[tuple[str, int]]:
    names = {ix: series.name.asset_id for ix, series in log.series}
    return [(names[ix], int(value)) for ix, _, value, _ in log.rows]


@pytest.mark.parametrize("seed", range(30))
async def test_everything_answered_is_stored_and_everything_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "COMMIT_RETRY_MIN_S", 0.0)
    chance = random.Random(seed)
    log, clock = IntakeLog(), HandClock(now_ms=T0_MS + 10**6)
    log.commit_turns = lambda: chance.randrange(1, 6)
    devices = [
        Device(f"gas-{n}", chance.choice((MQTT_3_1_1, MQTT_5)), random.Random(f"{seed}/{n}"))
        for n in range(6)
    ]
    while not all(device.is_done for device in devices):
        async with ingest_life(log, clock) as life:
            for _ in range(chance.randrange(1, 150)):
                await live(life, devices, chance)
        for device in devices:  # the edge was killed
            device.cut()
    everything = [(device.name, number) for device in devices for number in range(READINGS)]
    assert sorted(stored(log)) == sorted(everything)


async def live(life: IngestLife, devices: list[Device], chance: random.Random) -> None:
    """Let every device do something, and the edge work a little."""
    if chance.random() < 0.02:
        life.log.failures.append(LogFullError("full"))
    for device in devices:
        if device.session is None or device.session.state is State.ENDED:
            device.connect()
        elif chance.random() < 0.01:
            device.cut()
            continue
        device.say_more()
        device.arrive(life)
    await turn(chance.randrange(1, 4))
    life.clock.advance_s(0.01)
    on_disk = set(stored(life.log))
    for device in devices:
        if device.session is not None:
            device.hear(on_disk)
