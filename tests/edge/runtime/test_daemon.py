"""A whole edge in one process: start, work, staged stop, and what it does when a part breaks."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edge.config import ApiConfig, EdgeConfig, LogConfig, MqttConfig
from edge.errors import LogError
from edge.log.journal import Journal
from edge.runtime import daemon as daemon_module
from edge.runtime.daemon import EdgeDaemon
from edge.runtime.lifecycle import Phase, StopStage
from edge.runtime.report import read_report
from shared.clock import Clock, SystemClock
from shared.errors import ConfigurationError
from tests.support.eventually import until
from tests.support.ingest_bench import GAS
from tests.support.mqtt_packets import publish
from tests.support.ports import free_port
from tests.support.staged_broker import StagedBroker

CLOCK = SystemClock()


@pytest.fixture(autouse=True)
def own_collector() -> Iterator[None]:
    """Take back what an edge does to the garbage collector of its process."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def config_of(state_dir: Path, mqtt_port: int = 1, api_port: int | None = None) -> EdgeConfig:
    return EdgeConfig(
        site="kaduna",
        edge_id="edge-1",
        state_dir=state_dir,
        mqtt=MqttConfig(port=mqtt_port),
        api=ApiConfig(port=api_port or free_port()),
    )


@asynccontextmanager
async def running(
    config: EdgeConfig, clock: Clock = CLOCK
) -> AsyncGenerator[tuple[EdgeDaemon, asyncio.Task[None]]]:
    daemon = EdgeDaemon(config, clock=clock, environment={}, pid=1)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(daemon.run())
        await until(lambda: daemon.phase is not Phase.STARTING)
        yield daemon, task
        daemon.request_stop()


async def stored(state_dir: Path) -> int:
    journal = Journal.open(state_dir, "kaduna", "edge-1", LogConfig(), CLOCK)
    samples = journal.state().lanes[2].backlog_samples
    await journal.close()
    return samples


async def test_works_and_stops_in_order(tmp_path: Path, broker: StagedBroker) -> None:
    async with running(config_of(tmp_path, broker.port)) as (daemon, task):
        visitor = await broker.visitor()
        await visitor.greet()
        visitor.say(publish(GAS, b'{"ts":1,"seq":1,"metrics":{"a":1}}', packet_id=7))
        (puback,) = await visitor.hear()
        assert puback.body == b"\x00\x07"
        daemon.request_stop()
        daemon.request_stop()  # a second Ctrl-C changes nothing
        assert [packet.kind for packet in await visitor.hear()] == [14]  # DISCONNECT
        await task
        assert daemon.phase is Phase.STOPPED
    report = read_report(tmp_path)
    assert report is not None
    assert (report.running, report.backlog_samples, report.broker) == (False, 1, "stopped")
    assert await stored(tmp_path) == 1


async def test_leaves_word_of_what_the_broker_refused(tmp_path: Path) -> None:
    refusals = tmp_path / "refusals.json"
    refusals.write_text('{"not_permitted": 4}')
    config = config_of(tmp_path)
    config = config.model_copy(update={"mqtt": MqttConfig(port=1, refusals_file=refusals)})
    async with running(config):
        pass
    report = read_report(tmp_path)
    assert report is not None
    assert report.broker_refused == {"not_permitted": 4}


class ClockSetBack(SystemClock):
    """A clock without a battery: it starts three weeks before the last run."""

    def utc_ms(self) -> int:
        return super().utc_ms() - 3 * 7 * 86_400_000


async def test_a_node_whose_clock_starts_weeks_back_refuses_nothing_that_is_right(
    tmp_path: Path, broker: StagedBroker
) -> None:
    async with running(config_of(tmp_path)):
        pass
    async with running(config_of(tmp_path, broker.port), ClockSetBack()):
        visitor = await broker.visitor()
        await visitor.greet()
        payload = b'{"ts":%d,"seq":1,"metrics":{"a":1}}' % CLOCK.utc_ms()
        visitor.say(publish(GAS, payload, packet_id=7))
        await visitor.hear()
    report = read_report(tmp_path)
    assert report is not None
    assert (report.quarantined, report.backlog_samples) == ({}, 1)
    assert report.clock_behind_s > 86_400


async def test_what_was_read_before_the_stop_is_stored_and_acknowledged(
    tmp_path: Path, broker: StagedBroker
) -> None:
    async with running(config_of(tmp_path, broker.port)) as (daemon, task):
        visitor = await broker.visitor()
        await visitor.greet()
        messages = [
            publish(GAS, b'{"ts":%d,"seq":%d,"metrics":{"a":1}}' % (n, n), packet_id=n)
            for n in range(1, 200)
        ]
        visitor.say(*messages)
        heard = await visitor.hear()  # the first acknowledgements: reading has begun
        daemon.request_stop()
        while more := await visitor.hear():
            heard += more
        await task
    answered = [packet for packet in heard if packet.kind == 4]
    assert len(answered) == await stored(tmp_path) > 0


async def test_a_busy_port_ends_the_start_before_anything_is_read(
    tmp_path: Path, broker: StagedBroker
) -> None:
    async with asyncio.timeout(20):
        daemon = EdgeDaemon(
            config_of(tmp_path, broker.port, api_port=broker.port),
            clock=CLOCK,
            environment={},
            pid=1,
        )
        with pytest.raises(ConfigurationError, match=r"api\.port: cannot listen on 127\.0\.0\.1"):
            await daemon.run()
    assert daemon.phase is Phase.FAILED
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await broker.visitor()


async def test_a_second_edge_on_the_same_state_is_refused(tmp_path: Path) -> None:
    async with running(config_of(tmp_path)) as (_, _):
        second = EdgeDaemon(config_of(tmp_path), clock=CLOCK, environment={}, pid=2)
        with pytest.raises(LogError):
            await second.run()


async def test_a_missing_password_is_told_at_the_start(tmp_path: Path) -> None:
    config = config_of(tmp_path).model_copy(
        update={"mqtt": MqttConfig(password_file=tmp_path / "absent")}
    )
    daemon = EdgeDaemon(config, clock=CLOCK, environment={}, pid=1)
    with pytest.raises(ConfigurationError, match=r"mqtt\.password_file"):
        await daemon.run()


async def hanging(_self: object) -> None:
    await asyncio.Event().wait()


async def test_a_stage_that_hangs_is_left_behind_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(daemon_module, "FLUSH", StopStage("commit what was read", 0.01))
    async with running(config_of(tmp_path)) as (daemon, task):
        monkeypatch.setattr("edge.ingest.intake.Intake.flush", hanging)
        daemon.request_stop()
        await task
        assert daemon.phase is Phase.STOPPED
    printed = capsys.readouterr()
    said = printed.out + printed.err
    assert "a stage of the stop took too long and was left" in said
    assert "commit what was read" in said
    assert "judging" in said  # who was still running


async def test_a_part_that_breaks_ends_the_process_and_closes_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("edge.ingest.mqtt.MqttReader.run", broken)
    daemon = EdgeDaemon(config_of(tmp_path), clock=CLOCK, environment={}, pid=1)
    with pytest.raises(RuntimeError, match="a bug"):
        await daemon.run()
    assert daemon.phase is Phase.FAILED
    assert await stored(tmp_path) == 0  # the log can be opened: it was closed


async def test_a_log_that_takes_nothing_more_ends_the_process(
    tmp_path: Path, broker: StagedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def offer_a_message() -> None:
        visitor = await broker.visitor()
        await visitor.greet()
        visitor.say(publish(GAS, b'{"ts":1,"seq":1,"metrics":{"a":1}}', packet_id=7))

    monkeypatch.setattr(daemon_module, "STATUS_EVERY_S", 0.01)
    daemon = EdgeDaemon(config_of(tmp_path, broker.port), clock=CLOCK, environment={}, pid=1)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(offer_a_message())
        with monkeypatch.context() as patched:
            patched.setattr("edge.log.store.Store.commit", broken)
            with pytest.raises(LogError, match="ZeroDivisionError"):
                await daemon.run()
    assert daemon.phase is Phase.FAILED
    assert await stored(tmp_path) == 0  # the log can be opened: it was closed


async def test_a_cancelled_process_closes_the_log_too(tmp_path: Path) -> None:
    daemon = EdgeDaemon(config_of(tmp_path), clock=CLOCK, environment={}, pid=1)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await daemon.run()
    assert await stored(tmp_path) == 0
