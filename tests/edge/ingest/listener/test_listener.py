"""The listener on real sockets, over a log in memory: who comes in, who waits, who must go."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.config import IngestConfig, ListenerConfig
from edge.ingest import intake as intake_module
from edge.ingest.listener import listener as listener_module
from edge.ingest.listener.endings import Ending
from edge.ingest.listener.listener import DurableListener
from edge.ingest.listener.session_file import SessionFile
from edge.ingest.listener.settings import terms_of
from shared.clock import SystemClock
from shared.errors import ConfigurationError
from tests.support.eventually import until
from tests.support.ingest_bench import GAS, SITE, IngestLife, ingest_life
from tests.support.intake_log import IntakeLog
from tests.support.mqtt_packets import packet, publish
from tests.support.ports import free_port
from tests.support.publisher_socket import PublisherSocket, publisher_socket
from tests.support.publishers import account, connect, write_accounts

DEATH = f"mine/v1/{SITE}/sensor/gas-1/death"


@dataclass
class House:
    """A running listener and the ingest behind it."""

    life: IngestLife
    listener: DurableListener
    port: int

    def ended(self, ending: Ending) -> int:
        return self.listener.counts.endings.get(ending.value, 0)


@asynccontextmanager
async def house(
    folder: Path, log: IntakeLog | None = None, *accounts: dict[str, Any], **config: Any
) -> AsyncGenerator[House]:
    file = write_accounts(folder / "publishers.json", *(accounts or (account("gas-1"),)))
    section = ListenerConfig(enabled=True, port=free_port(), accounts_file=file, **config)
    async with ingest_life(log or IntakeLog()) as life:
        listener = DurableListener(
            section,
            terms_of(section, IngestConfig()),
            site=SITE,
            intake=life.intake,
            sessions=SessionFile(folder),
            clock=SystemClock(),
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(listener.run())
            await listener.listening.wait()
            yield House(life, listener, section.port)
            task.cancel()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as running:
        yield running


def reading(seq: int, packet_id: int, *, dup: bool = False) -> bytes:
    payload = json.dumps({"ts": 1_700_000_000_000 + seq, "seq": seq, "metrics": {"a": seq}})
    return publish(GAS, payload.encode(), packet_id=packet_id, dup=dup)


async def acknowledged(device: PublisherSocket, count: int) -> list[int]:
    heard = [await device.hear() for _ in range(count)]
    return [int.from_bytes(one.body[:2], "big") for one in heard if one and one.kind == 4]


async def test_a_message_is_stored_and_then_answered(home: House) -> None:
    async with publisher_socket(home.port) as device:
        connack = await device.greet()
        assert connack is not None
        assert connack.body == b"\x00\x00"
        device.say(reading(1, 7), reading(2, 8))
        assert await acknowledged(device, 2) == [7, 8]
        assert [value for _, value in home.life.log.values()["sensor/gas-1/a"]] == [1, 2]


async def test_nothing_is_answered_before_the_commit(tmp_path: Path) -> None:
    log = IntakeLog(gate=asyncio.Event())
    async with house(tmp_path, log) as home, publisher_socket(home.port) as device:
        await device.greet()
        device.say(reading(1, 7))
        await until(lambda: home.life.intake.load.messages == 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await device.reader.read(1)
        assert log.gate is not None
        log.gate.set()
        assert await acknowledged(device, 1) == [7]


async def test_a_redelivery_over_a_new_connection_is_recognised(home: House) -> None:
    async with publisher_socket(home.port) as device:
        await device.greet()
        device.say(reading(1, 7))
        await acknowledged(device, 1)
    async with publisher_socket(home.port) as device:
        await device.greet()
        device.say(reading(1, 7, dup=True))
        assert await acknowledged(device, 1) == [7]
    assert len(home.life.log.rows) == 1
    assert home.life.counts.duplicates == 1


@pytest.mark.parametrize(
    ("greeting", "ending"),
    [
        ({"password": "wrong"}, Ending.BAD_LOGIN),
        ({"username": "nobody"}, Ending.BAD_LOGIN),
        ({"username": None, "password": None}, Ending.BAD_LOGIN),
        ({"client_id": "", "clean": False}, Ending.BAD_CLIENT_ID),
        ({"will": ("mine/v1/kaduna/sensor/gas-2/death", b"")}, Ending.NOT_PERMITTED),
    ],
)
async def test_who_may_not_come_in_is_counted_by_reason(
    home: House, greeting: dict[str, Any], ending: Ending
) -> None:
    async with publisher_socket(home.port) as device:
        connack = await device.greet(**greeting)
        assert connack is not None
        assert connack.body[1] != 0
        assert await device.hear() is None
    await until(lambda: home.listener.connections == 0)
    assert home.listener.counts.refused == {ending.value: 1}


async def test_a_nameless_v5_publisher_is_given_a_name(home: House) -> None:
    async with publisher_socket(home.port) as device:
        connack = await device.greet(version=5, client_id="")
        assert connack is not None
        assert b"given-" in connack.body


async def test_what_it_may_not_say_is_kept_as_refused_and_then_answered(home: House) -> None:
    async with publisher_socket(home.port) as device:
        await device.greet()
        device.say(publish("mine/v1/kaduna/sensor/gas-2/telemetry", b"{}", packet_id=1))
        device.say(publish("mine/v1/kaduna/sensor/gas-1/cmd", b"{}", packet_id=2))
        assert await acknowledged(device, 2) == [1, 2]
    assert [entry.reason for entry in home.life.log.quarantined] == ["not_permitted"] * 2


async def test_a_session_is_found_again_also_by_the_next_edge(tmp_path: Path) -> None:
    seen: list[int] = []
    for _ in range(2):
        async with house(tmp_path) as home:
            for _ in range(2):
                async with publisher_socket(home.port) as device:
                    connack = await device.greet(clean=False)
                    assert connack is not None
                    seen.append(connack.body[0])
                    device.say(packet(0xE0, b""))
                await until(lambda: home.listener.connections == 0)
            home.listener.close()
    assert seen == [0, 1, 1, 1]


async def test_a_second_connection_of_the_same_publisher_takes_over(home: House) -> None:
    async with publisher_socket(home.port) as old, publisher_socket(home.port) as new:
        await old.greet(version=5)
        await new.greet(version=5)
        told = await old.hear()
        assert told is not None
        assert (told.kind, told.body) == (14, b"\x8e")
        assert await old.hear() is None
        new.say(b"\xc0\x00")
        pong = await new.hear()
        assert pong is not None
        assert home.ended(Ending.TAKEN_OVER) == 1


async def test_nobody_takes_over_the_connection_of_another_account(tmp_path: Path) -> None:
    accounts = (account("gas-1"), account("gas-2"))
    async with (
        house(tmp_path, None, *accounts) as home,
        publisher_socket(home.port) as one,
        publisher_socket(home.port) as two,
    ):
        await one.greet(client_id="same")
        await two.greet(client_id="same", username="gas-2")
        one.say(b"\xc0\x00")
        assert await one.hear() is not None


async def test_a_broken_connection_publishes_the_last_will(home: House) -> None:
    async with publisher_socket(home.port) as device:
        await device.greet(will=(DEATH, b""))
    await until(lambda: home.listener.counts.wills == 1)
    await home.life.flush()
    assert home.life.log.values()["sensor/gas-1/online"][0][1] is False


async def test_a_will_with_a_delay_is_withdrawn_by_a_reconnect(home: House) -> None:
    greeting: dict[str, Any] = {
        "version": 5,
        "clean": False,
        "properties": b"\x11\x00\x00\x00\x3c",  # the session lasts 60 s
        "will": (DEATH, b""),
        "will_properties": b"\x18\x00\x00\x00\x3c",  # and so long the will waits
    }
    async with publisher_socket(home.port) as device:
        await device.greet(**greeting)
    await until(lambda: home.ended(Ending.LOST) == 1)
    async with publisher_socket(home.port) as device:
        connack = await device.greet(**greeting)
        assert connack is not None
        assert connack.body[0] == 1
        device.say(packet(0xE0, b""))
        await device.hear()
    assert home.listener.counts.wills == 0


async def test_everybody_waits_when_the_log_is_behind_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "WAITING_MESSAGES_MAX", 10)
    log = IntakeLog(gate=asyncio.Event())
    accounts = [account(f"gas-{n}", "*") for n in range(20)]
    async with (
        house(tmp_path, log, *accounts, in_flight_max=5) as home,
        asyncio.TaskGroup() as group,
    ):
        for n in range(20):
            group.create_task(publish_all(home.port, f"gas-{n}"))
        await until(lambda: home.listener.counts.pauses > 0)
        assert log.gate is not None
        log.gate.set()
        await until(lambda: len(log.rows) == 20 * 50)
    assert len(log.rows) == 20 * 50


async def publish_all(port: int, name: str) -> None:
    """Publish 50 readings with five in flight and wait for every answer."""
    topic = f"mine/v1/{SITE}/sensor/{name}/telemetry"
    async with publisher_socket(port) as device:
        await device.greet(username=name, client_id=name)
        for first in range(1, 51, 5):
            for seq in range(first, first + 5):
                payload = b'{"ts":1700000000000,"seq":%d,"metrics":{"a":%d}}' % (seq, seq)
                device.say(publish(topic, payload, packet_id=seq))
            assert await acknowledged(device, 5) == list(range(first, first + 5))


async def test_more_than_may_connect_are_closed_at_once(tmp_path: Path) -> None:
    async with (
        house(tmp_path, connections_max=1) as home,
        publisher_socket(home.port) as one,
        publisher_socket(home.port) as two,
    ):
        assert await one.greet() is not None
        assert await two.greet() is None
    assert home.listener.counts.refused == {"too_many_connections": 1}


async def test_a_flood_of_connects_from_one_address_is_cut_off(tmp_path: Path) -> None:
    async with house(tmp_path, connects_per_minute_max=3) as home:
        for _ in range(5):
            async with publisher_socket(home.port) as device:
                await device.greet()
        await until(lambda: home.ended(Ending.CONNECTS_TOO_FAST) == 2)
    assert home.listener.counts.accepted == 3


async def test_one_that_says_nothing_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "SWEEP_EVERY_S", 0.01)
    async with (
        house(tmp_path, greeting_timeout_s=0.05) as home,
        publisher_socket(home.port) as device,
    ):
        device.say(connect()[:5])
        assert await device.hear() is None
    assert home.listener.counts.refused == {"no_greeting": 1}


async def test_one_that_does_not_read_its_answers_is_not_read_and_then_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "SWEEP_EVERY_S", 0.01)
    async with (
        house(tmp_path, packet_timeout_s=0.1) as home,
        publisher_socket(home.port) as device,
    ):
        await device.greet()
        while not device.writer.is_closing() and not home.ended(Ending.SLOW_READER):
            device.say(b"\xc0\x00" * 32_768)
            await asyncio.sleep(0.01)
        await until(lambda: home.ended(Ending.SLOW_READER) == 1)


async def test_unfinished_packets_have_a_limit_for_all_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "HELD_BYTES_MAX", 100_000)
    async with house(tmp_path) as home, publisher_socket(home.port) as device:
        await device.greet(version=5)
        device.say(publish(GAS, b"x" * 400_000, packet_id=1, properties=b"")[:300_000])
        told = await device.hear()
        assert told is not None
        assert told.body == b"\x97"
    assert home.listener.counts.refused == {"buffers_full": 1}


async def test_a_stop_answers_what_was_read_says_goodbye_and_takes_nobody_in(home: House) -> None:
    async with publisher_socket(home.port) as device:
        await device.greet(version=5, will=(DEATH, b""))
        payload = b'{"ts":1,"seq":1,"metrics":{"a":1}}'
        device.say(publish(GAS, payload, packet_id=7, properties=b""))
        await until(lambda: home.listener.counts.messages == 1)
        home.listener.stop_reading()
        await home.life.flush()
        home.listener.close()
        assert await acknowledged(device, 1) == [7]
        told = await device.hear()
        assert told is not None
        assert told.body == b"\x8b"
        assert await device.hear() is None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", home.port)
    assert home.listener.counts.wills == 0


async def test_an_address_in_use_is_said_with_the_key(tmp_path: Path, home: House) -> None:
    section = ListenerConfig(
        enabled=True, port=home.port, accounts_file=tmp_path / "publishers.json"
    )
    second = DurableListener(
        section,
        terms_of(section, IngestConfig()),
        site=SITE,
        intake=home.life.intake,
        sessions=SessionFile(tmp_path),
        clock=SystemClock(),
    )
    with pytest.raises(ConfigurationError, match=r"listener\.port"):
        await second.run()
