"""Declared gaps on their way to central: each told once, whatever the log does meanwhile."""

from pathlib import Path

from edge.errors import LogError
from edge.ingest.gap_keeper import GapKeeper
from edge.log.declared import DeclaredGap, GapReason
from edge.log.gap_file import open_gap_file
from edge.metrics import EdgeMetrics
from shared.sync.records import MessageGapRecord
from tests.support.clocks import HandClock
from tests.support.intake_log import IntakeLog

GAP = DeclaredGap(
    reason=GapReason.SEQUENCE_GAP, topic="mine/v1/kaduna/sensor/gas-1/telemetry",
    first_seq=10, last_seq=14, missing=5, from_ms=100, until_ms=200, declared_ms=201,
)  # fmt: skip


def keeper_on(state_dir: Path, log: IntakeLog) -> GapKeeper:
    clock = HandClock()
    return GapKeeper(open_gap_file(state_dir, clock), EdgeMetrics().ingest, clock, log)


def told(log: IntakeLog) -> list[tuple[str, int]]:
    return [(one.reason, one.missing) for one in log.records if isinstance(one, MessageGapRecord)]


async def test_a_gap_that_is_declared_goes_to_central(tmp_path: Path) -> None:
    log = IntakeLog()
    keeper = keeper_on(tmp_path, log)
    await keeper.declare([GAP], ())
    await keeper.declare([GAP], ())
    assert told(log) == [("sequence_gap", 5)]


async def test_a_log_that_refuses_now_is_told_later_and_the_gap_stays_declared(
    tmp_path: Path,
) -> None:
    log = IntakeLog(failures=[LogError("full")])
    keeper = keeper_on(tmp_path, log)
    await keeper.declare([GAP], ())
    assert told(log) == []
    assert keeper.missing == {"sequence_gap": 5}
    await keeper.hand_over()
    assert told(log) == [("sequence_gap", 5)]


async def test_what_a_crash_kept_from_the_log_goes_with_the_next_start(tmp_path: Path) -> None:
    await keeper_on(tmp_path, IntakeLog(failures=[LogError("the end")])).declare([GAP], ())
    log = IntakeLog()
    await keeper_on(tmp_path, log).hand_over()
    assert told(log) == [("sequence_gap", 5)]


async def test_what_the_broker_drops_goes_to_central_too(tmp_path: Path) -> None:
    log = IntakeLog()
    clock, counts = HandClock(), EdgeMetrics().ingest
    keeper = GapKeeper(open_gap_file(tmp_path, clock), counts, clock, log)
    counts.drops_told, counts.broker_dropped = 1, 9
    await keeper.note_drops()
    await keeper.hand_over()
    await keeper.note_drops()
    await keeper.hand_over()
    assert told(log) == [("broker_dropped", 9)]
