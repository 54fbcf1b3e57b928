"""The reader: connects for ever, keeps its session, says what is in its way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.config import EdgeConfig, MqttConfig
from edge.ingest import mqtt as mqtt_module
from edge.ingest.mqtt import LinkStage, MqttReader, client_id_of
from tests.support.eventually import until
from tests.support.ingest_bench import GAS, IngestLife, ingest_life
from tests.support.intake_log import IntakeLog
from tests.support.mqtt_packets import connack, publish
from tests.support.ports import free_port
from tests.support.staged_broker import StagedBroker

READING = b'{"ts":1700000000000,"seq":1,"metrics":{"a":1}}'


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_module, "RETRY_MIN_S", 0.001)
    monkeypatch.setattr(mqtt_module, "RETRY_MAX_S", 0.002)


@dataclass
class Reading:
    """A reader at work on a life of ingest."""

    life: IngestLife
    reader: MqttReader

    async def connected(self) -> None:
        await until(lambda: self.reader.link.stage is LinkStage.CONNECTED)


@pytest.fixture
async def reading(broker: StagedBroker) -> AsyncIterator[Reading]:
    async with ingest_life(IntakeLog()) as life, asyncio.TaskGroup() as group:
        reader = reader_of(life, MqttConfig(port=broker.port))
        task = group.create_task(reader.run())
        yield Reading(life, reader)
        reader.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def reader_of(life: IngestLife, mqtt: MqttConfig, *, expects_session: bool = False) -> MqttReader:
    config = EdgeConfig(site="kaduna", edge_id="edge-1", state_dir=Path("unused"), mqtt=mqtt)
    return MqttReader(
        config,
        intake=life.intake,
        clock=life.clock,
        counts=life.counts,
        jitter=lambda: 0.0,
        expects_session=expects_session,
    )


async def test_reads_and_acknowledges(broker: StagedBroker, reading: Reading) -> None:
    visitor = await broker.visitor()
    await visitor.greet()
    await reading.connected()
    visitor.say(publish(GAS, READING, packet_id=9))
    (puback,) = await visitor.hear()
    assert puback.body == b"\x00\x09"
    assert len(reading.life.log.rows) == 1
    assert reading.life.counts.connects == 1


async def test_comes_back_under_the_same_name_whenever_it_is_sent_away(
    broker: StagedBroker, reading: Reading
) -> None:
    for count in range(1, 4):
        visitor = await broker.visitor()
        (connect,) = await visitor.hear()
        assert connect.body.endswith(b"headframe-edge-1")
        assert connect.body[7] & 0x02 == 0  # no clean session
        visitor.say(connack(session_present=True))
        await reading.connected()
        visitor.hang_up()
        await until(lambda count=count: reading.life.counts.disconnects == count)
    assert reading.life.counts.sessions_lost == 0


async def test_a_session_that_the_broker_forgot_is_counted(
    broker: StagedBroker, reading: Reading
) -> None:
    for _ in range(2):
        visitor = await broker.visitor()
        await visitor.greet(session_present=False)
        await reading.connected()
        visitor.hang_up()
        await until(lambda: reading.reader.link.stage is not LinkStage.CONNECTED)
    assert reading.life.counts.sessions_lost == 1  # at the first there was none to forget


async def test_says_why_the_broker_refuses_and_tries_again(
    broker: StagedBroker, reading: Reading
) -> None:
    for _ in range(2):
        visitor = await broker.visitor()
        await visitor.hear()
        visitor.say(connack(5))
        await until(lambda: "not authorised" in (reading.reader.link.error or ""))
    visitor = await broker.visitor()
    await visitor.greet()
    await reading.connected()
    assert reading.reader.link.error is None


async def test_a_stop_acknowledges_what_was_read_and_says_goodbye(
    broker: StagedBroker, reading: Reading
) -> None:
    visitor = await broker.visitor()
    await visitor.greet()
    await reading.connected()
    visitor.say(publish(GAS, READING, packet_id=9))
    await until(lambda: reading.life.counts.messages == 1)
    reading.reader.stop_reading()
    visitor.say(publish(GAS, READING, packet_id=10))
    await reading.life.flush()
    reading.reader.close()
    heard = await visitor.hear() + await visitor.hear()
    # One PUBACK, and none for what came after the stop; then DISCONNECT.
    assert [(packet.kind, packet.body) for packet in heard] == [(4, b"\x00\x09"), (14, b"")]
    await until(lambda: reading.reader.link.stage is LinkStage.STOPPED)


async def test_nobody_listening_is_reported_and_retried() -> None:
    async with ingest_life(IntakeLog()) as life, asyncio.TaskGroup() as group:
        reader = reader_of(life, MqttConfig(port=free_port()))
        task = group.create_task(reader.run())
        await until(lambda: reader.link.error is not None)
        assert "onnect" in (reader.link.error or "")  # the wording is the operating system's
        task.cancel()


async def test_an_answer_that_never_comes_is_not_awaited_for_ever(
    broker: StagedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_module, "CONNECT_TIMEOUT_S", 0.05)
    async with ingest_life(IntakeLog()) as life, asyncio.TaskGroup() as group:
        reader = reader_of(life, MqttConfig(port=broker.port))
        task = group.create_task(reader.run())
        await broker.visitor()
        await broker.visitor()  # the second try
        assert "no answer" in (reader.link.error or "")
        task.cancel()


async def test_a_file_that_vanished_is_a_reason_like_any_other(tmp_path: Path) -> None:
    async with ingest_life(IntakeLog()) as life, asyncio.TaskGroup() as group:
        reader = reader_of(life, MqttConfig(password_file=tmp_path / "absent"))
        task = group.create_task(reader.run())
        await until(lambda: "mqtt.password_file" in (reader.link.error or ""))
        task.cancel()


def test_the_name_at_the_broker_never_changes_by_itself() -> None:
    config = EdgeConfig(site="kaduna", edge_id="edge-1", state_dir=Path("unused"))
    assert client_id_of(config) == "headframe-edge-1"
    named = config.model_copy(update={"mqtt": MqttConfig(client_id="other")})
    assert client_id_of(named) == "other"
