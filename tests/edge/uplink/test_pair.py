"""Two connections to central, each with a far end played by the test, and how they are shown."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from structlog.testing import capture_logs

from edge.config import UplinkConfig
from edge.log.journal import Journal
from edge.uplink.framing import Installation
from edge.uplink.link import LinkStage
from edge.uplink.pair import UplinkPair
from shared.clock import SystemClock
from shared.sync.frames import Ack, Batch, Bye, Hello, Role
from shared.sync.ranges import Ranges
from tests.support.edge_log import append_values, make_batch, opened
from tests.support.eventually import until
from tests.support.line_end import FarEnd, FarEnds
from tests.support.sync_frames import TELEMETRY, make_welcome

FAST = UplinkConfig(backoff_min_s=0.01, backoff_max_s=0.02)


@contextlib.asynccontextmanager
async def paired(log: Journal, ends: FarEnds) -> AsyncGenerator[UplinkPair]:
    pair = UplinkPair(FAST, log, Installation("0.1.0", "boot-1"), SystemClock(), dial=ends)
    async with asyncio.TaskGroup() as group:
        group.create_task(pair.run())
        try:
            yield pair
        finally:
            pair.stop()


async def greeted(ends: FarEnds, number: int) -> tuple[FarEnd, Role]:
    """Return connection ``number`` and what its HELLO asks for."""
    await until(lambda: len(ends.ends) >= number and bool(ends.ends[number - 1].said))
    hello = ends.ends[number - 1].said[0]
    assert isinstance(hello, Hello)
    return ends.ends[number - 1], hello.role


async def both_up(ends: FarEnds) -> tuple[FarEnd, FarEnd]:
    urgent, role = await greeted(ends, 1)
    assert role is Role.URGENT
    urgent.say(make_welcome(role=Role.URGENT))
    bulk, role = await greeted(ends, 2)
    assert role is Role.BULK
    bulk.say(make_welcome(role=Role.BULK))
    return urgent, bulk


def sent(end: FarEnd) -> list[tuple[int, int]]:
    return [(frame.lane, frame.seq) for frame in end.said if isinstance(frame, Batch)]


async def test_alerts_travel_on_one_and_telemetry_on_the_other(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, paired(journal, ends) as pair:
        urgent, bulk = await both_up(ends)
        await append_values(journal, 1.0)
        await journal.append(make_batch(2.0, lane=0))
        await until(lambda: sent(urgent) == [(0, 1)] and sent(bulk) == [(TELEMETRY, 1)])
        urgent.say(Ack(lane=0, ranges=Ranges.of((1, 1)), credit_bytes=0))
        bulk.say(Ack(lane=TELEMETRY, ranges=Ranges.of((1, 1)), credit_bytes=0))
        await until(lambda: pair.link.acked_batches == 2)
        await until(lambda: not any(lane.owed for lane in journal.state().lanes.values()))
        assert pair.link.is_connected
        assert (pair.link.sessions, pair.link.sent_batches) == (2, 2)
    assert [isinstance(end.said[-1], Bye) for end in (urgent, bulk)] == [True, True]


async def test_the_link_is_up_only_while_both_are_and_says_which_is_not(tmp_path: Path) -> None:
    ends = FarEnds()
    async with opened(tmp_path) as journal, paired(journal, ends) as pair:
        urgent, bulk = await both_up(ends)
        await until(lambda: pair.link.is_connected)
        assert pair.link.error is None
        bulk.cut()
        await until(lambda: not pair.link.is_connected)
        stages = pair.link.connections
        assert stages["urgent"] is LinkStage.STREAMING
        assert stages["bulk"] is not LinkStage.STREAMING
        assert pair.link.error == "bulk connection: connection lost"
        assert not urgent.is_closed
        again, role = await greeted(ends, 3)
        assert role is Role.BULK
        again.say(make_welcome(role=Role.BULK))
        await until(lambda: pair.link.is_connected)


async def test_an_older_central_gets_one_connection_and_the_log_says_so(tmp_path: Path) -> None:
    ends = FarEnds()
    with capture_logs() as logs:
        async with opened(tmp_path) as journal, paired(journal, ends) as pair:
            only, _ = await greeted(ends, 1)
            only.say(make_welcome())
            await append_values(journal, 1.0)
            await journal.append(make_batch(2.0, lane=0))
            await until(lambda: sorted(sent(only)) == [(0, 1), (TELEMETRY, 1)])
            assert pair.link.is_connected
            assert pair.link.connections == {"all": LinkStage.STREAMING}
    assert len(ends.ends) == 1
    assert any("central is older" in entry["event"] for entry in logs)
