"""The uplink's shell with a real log and a connection played by the test."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from structlog.testing import capture_logs

from edge.config import UplinkConfig
from edge.errors import LogError, UplinkError
from edge.log.journal import Journal
from edge.uplink.framing import Installation
from edge.uplink.link import LinkStage
from edge.uplink.pump import Uplink
from edge.uplink.states import State
from shared.clock import SystemClock
from shared.sync.frames import Ack, Batch, Bye, Hello, Nack, NackCode, Refuse, Report, SeriesFrame
from shared.sync.ranges import Ranges
from tests.support.edge_log import append_values, opened
from tests.support.eventually import until
from tests.support.line_end import FarEnd, FarEnds
from tests.support.sync_frames import CENTRAL_UUID, TELEMETRY, make_welcome

FAST = UplinkConfig(backoff_min_s=0.01, backoff_max_s=0.02)


@contextlib.asynccontextmanager
async def pumping(
    log: Journal, ends: FarEnds, config: UplinkConfig = FAST
) -> AsyncGenerator[Uplink]:
    uplink = Uplink(config, log, Installation("0.1.0", "boot-1"), SystemClock(), dial=ends)
    async with asyncio.TaskGroup() as group:
        group.create_task(uplink.run())
        try:
            yield uplink
        finally:
            uplink.stop()


async def welcomed(ends: FarEnds, number: int = 1, held: Ranges | None = None) -> FarEnd:
    """Return connection ``number`` after its HELLO was welcomed."""
    await until(lambda: len(ends.ends) >= number and bool(ends.ends[number - 1].said))
    end = ends.ends[number - 1]
    assert isinstance(end.said[0], Hello)
    end.say(make_welcome(held))
    return end


def batches(end: FarEnd) -> list[int]:
    return [frame.seq for frame in end.said if isinstance(frame, Batch)]


async def test_sends_what_the_log_holds_and_tells_it_what_is_acknowledged(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, pumping(journal, ends) as uplink:
        await append_values(journal, 1.0, 2.0)
        end = await welcomed(ends)
        await until(lambda: batches(end) == [1, 2])
        kinds = [type(frame) for frame in end.said]
        assert kinds.index(SeriesFrame) < kinds.index(Batch)
        assert Report in kinds
        end.say(Ack(lane=TELEMETRY, ranges=Ranges.of((1, 2)), credit_bytes=0))
        await until(lambda: uplink.link.acked_batches == 2)
        await until(lambda: journal.state().lanes[TELEMETRY].acked == Ranges.of((1, 2)))
        assert journal.identity().central_uuid == CENTRAL_UUID
        assert uplink.link.last_ack_ms is not None


async def test_says_once_that_the_kernel_gives_another_congestion_control(tmp_path: Path) -> None:
    ends = FarEnds(congestion="cubic")
    with capture_logs() as logs:
        async with opened(tmp_path) as journal, pumping(journal, ends) as uplink:
            for number in (1, 2):
                end = await welcomed(ends, number)
                await until(lambda: uplink.link.state is LinkStage.STREAMING)
                assert uplink.link.congestion == "cubic"
                end.cut()
                await until(lambda: uplink.link.state is not LinkStage.STREAMING)
    told = [entry for entry in logs if "another control" in entry["event"]]
    assert [(entry["asked"], entry["in_use"]) for entry in told] == [("bbr", "cubic")]


async def test_reports_what_the_broker_refused(tmp_path: Path) -> None:
    ends, refused = FarEnds(), {"bad_login": 3}
    async with opened(tmp_path) as journal:
        installation = Installation("", "", broker_refused=lambda: refused)
        uplink = Uplink(FAST, journal, installation, SystemClock(), dial=ends)
        async with asyncio.TaskGroup() as group:
            group.create_task(uplink.run())
            end = await welcomed(ends)
            await until(lambda: any(isinstance(frame, Report) for frame in end.said))
            uplink.stop()
    (report,) = [frame for frame in end.said if isinstance(frame, Report)]
    assert report.broker_refused == refused


async def test_what_was_acknowledged_last_reaches_the_log_before_the_stop(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal:
        async with pumping(journal, ends) as uplink:
            await append_values(journal, 1.0)
            end = await welcomed(ends)
            await until(lambda: batches(end) == [1])
            end.say(Ack(lane=TELEMETRY, ranges=Ranges.of((1, 1)), credit_bytes=0))
            await until(lambda: uplink.link.acked_batches == 1)
        assert journal.state().lanes[TELEMETRY].acked == Ranges.of((1, 1))
        assert end.said[-1] == Bye(reason="shutdown")
        assert uplink.link.state is LinkStage.STOPPED


async def test_central_that_holds_less_than_it_acknowledged_gets_it_again(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, pumping(journal, ends):
        await append_values(journal, 1.0, 2.0)
        first = await welcomed(ends, held=Ranges.of((1, 2)))
        await until(lambda: journal.state().lanes[TELEMETRY].acked == Ranges.of((1, 2)))
        first.cut()
        second = await welcomed(ends, 2, held=Ranges.of((1, 1)))  # restored from a backup
        await until(lambda: batches(second) == [2])
        assert journal.state().lanes[TELEMETRY].owed == Ranges.of((2, 2))


async def test_no_failure_to_connect_ends_it_and_each_cause_is_told_once(tmp_path: Path) -> None:
    failures = [UplinkError("no route")] * 3 + [ValueError("a bug below"), OSError("refused")]
    ends = FarEnds(*failures)
    async with opened(tmp_path) as journal:
        with capture_logs() as logs:
            async with pumping(journal, ends) as uplink:
                await welcomed(ends)
                await until(lambda: uplink.link.is_connected)
        causes = [line["cause"] for line in logs if line["event"] == "no link to central"]
        assert causes == ["no route", "ValueError: a bug below", "OSError: refused"]
        assert uplink.link.connects == 1


async def test_a_dial_that_hangs_is_given_up(tmp_path: Path) -> None:
    async def hang() -> FarEnd:
        await asyncio.Event().wait()
        raise AssertionError

    config = UplinkConfig(connect_timeout_s=0.05, backoff_min_s=0.01)
    async with opened(tmp_path) as journal:
        uplink = Uplink(config, journal, Installation("", ""), SystemClock(), dial=hang)
        async with asyncio.TaskGroup() as group:
            group.create_task(uplink.run())
            await until(lambda: uplink.link.error == "cannot connect: no answer in 0.05 s")
            uplink.stop()


async def test_stops_at_once_while_dialling(tmp_path: Path) -> None:
    async def hang() -> FarEnd:
        await asyncio.Event().wait()
        raise AssertionError

    async with opened(tmp_path) as journal:
        uplink = Uplink(FAST, journal, Installation("", ""), SystemClock(), dial=hang)
        async with asyncio.timeout(5.0), asyncio.TaskGroup() as group:
            group.create_task(uplink.run())
            await until(lambda: uplink.link.state is LinkStage.CONNECTING)
            uplink.stop()
        assert uplink.link.state is LinkStage.STOPPED


async def test_a_line_that_takes_nothing_is_silent_and_left(tmp_path: Path) -> None:
    ends = FarEnds()
    config = UplinkConfig(silence_timeout_s=0.2, backoff_min_s=0.01, backoff_max_s=0.02)
    async with opened(tmp_path) as journal, pumping(journal, ends, config) as uplink:
        end = await welcomed(ends)
        await until(lambda: uplink.link.is_connected)
        end.is_stuck = True
        await append_values(journal, 1.0)
        await until(lambda: len(ends.ends) == 2)
        assert end.is_closed


async def test_garbage_from_central_ends_the_session_with_its_reason(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, pumping(journal, ends) as uplink:
        end = await welcomed(ends)
        await until(lambda: uplink.link.is_connected)
        end.say_bytes(b"garbage")
        await until(lambda: Bye(reason="protocol_violation") in end.said)
        await until(lambda: len(ends.ends) == 2)


async def test_an_ack_of_what_was_never_sent_does_not_reach_the_log(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, pumping(journal, ends):
        await append_values(journal, 1.0)
        end = await welcomed(ends)
        await until(lambda: batches(end) == [1])
        end.say(Ack(lane=TELEMETRY, ranges=Ranges.of((1, 99)), credit_bytes=0))
        await until(lambda: Bye(reason="protocol_violation") in end.said)
        assert journal.state().lanes[TELEMETRY].acked == Ranges()


async def test_refused_batches_are_counted_and_the_next_one_flows(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, pumping(journal, ends) as uplink:
        await append_values(journal, 1.0)
        end = await welcomed(ends)
        await until(lambda: batches(end) == [1])
        end.say(Nack(lane=TELEMETRY, seq=1, code=NackCode.BAD_HASH, detail=""))
        await until(lambda: uplink.link.refused_batches == 1)
        await append_values(journal, 2.0)
        await until(lambda: batches(end) == [1, 2])


async def test_tells_why_central_refuses(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, pumping(journal, ends) as uplink:
        await until(lambda: bool(ends.ends and ends.ends[0].said))
        ends.ends[0].say(Refuse(code="busy", detail="100 edges", retry_after_s=60.0))
        await until(lambda: uplink.link.state is LinkStage.WAITING)
        assert uplink.link.error == "refused by central: busy: 100 edges"


async def test_a_log_that_cannot_be_read_is_asked_again(tmp_path: Path) -> None:
    class StumblingJournal(Journal):
        stumbles = 1

        async def read(self, lane: int, first_seq: int, last_seq: int, size_max_bytes: int):  # noqa: ANN202 as the base
            if self.stumbles:
                self.stumbles -= 1
                raise LogError("I/O error")
            return await super().read(lane, first_seq, last_seq, size_max_bytes)

    ends = FarEnds()
    async with opened(tmp_path) as journal:
        journal.__class__ = StumblingJournal
        async with pumping(journal, ends) as uplink:
            await append_values(journal, 1.0)
            end = await welcomed(ends)
            await until(lambda: batches(end) == [1])
            assert uplink.link.sessions == 1


async def test_a_defect_is_survived_counted_and_logged(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal:
        with capture_logs() as logs:
            async with pumping(journal, ends) as uplink:
                await welcomed(ends)
                await until(lambda: uplink.link.is_connected)
                uplink._inbox.put_nowait("no event")  # pyright: ignore[reportPrivateUsage, reportArgumentType] a defect cannot be asked for politely
                await until(lambda: uplink.link.faults == 1)
        assert [line["event"] for line in logs if line["log_level"] == "error"]
        assert uplink.link.state is LinkStage.STOPPED


def test_every_state_of_the_session_can_be_shown() -> None:
    assert {state.value for state in State} == {stage.value for stage in LinkStage} - {"off"}
