"""The account of the day on disk, and limits that hold up a real uplink."""

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.config import UplinkConfig
from edge.log.records import TELEMETRY_LANE
from edge.uplink.framing import Installation
from edge.uplink.pump import Uplink
from edge.uplink.spending import ACCOUNT_FILE_NAME, SAVE_EVERY_S, Spending, limits_of
from shared.clock import SystemClock
from shared.sync.frames import Batch
from tests.support.clocks import HandClock
from tests.support.edge_log import append_values, make_batch, noise_batch, opened
from tests.support.eventually import until
from tests.support.line_end import FarEnds
from tests.support.sync_frames import make_batch as make_frame
from tests.support.sync_frames import make_welcome

CAPPED = UplinkConfig(daily_cap_bytes=1_048_576, backoff_min_s=0.01, backoff_max_s=0.02)


def spending(clock: HandClock, file: Path | None, config: UplinkConfig = CAPPED) -> Spending:
    return Spending(limits_of(config), clock, file)


async def test_the_account_survives_a_restart(tmp_path: Path) -> None:
    file, clock = tmp_path / ACCOUNT_FILE_NAME, HandClock()
    before = spending(clock, file)
    before.enter(make_frame(1), 1_048_576)
    await before.save(is_last=True)
    after = spending(clock, file)
    assert after.sent_bytes == {"lane_2": 1_048_576}
    assert after.judge().held_up == "daily_cap"
    clock.advance_s(86_400.0)
    assert after.sent_bytes == {}
    assert after.judge().held_up is None


async def test_the_account_is_written_every_few_seconds_and_only_when_it_changed(
    tmp_path: Path,
) -> None:
    file, clock = tmp_path / ACCOUNT_FILE_NAME, HandClock()
    account = spending(clock, file)
    account.enter(make_frame(1), 100)
    await account.save()
    assert not file.exists()
    clock.advance_s(SAVE_EVERY_S)
    await account.save()
    assert file.exists()
    file.unlink()
    clock.advance_s(SAVE_EVERY_S)
    await account.save()
    assert not file.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"day": "x"}', '{"day": 1, "sent_bytes": [1]}'])
def test_a_file_that_cannot_be_read_begins_a_new_account(tmp_path: Path, content: str) -> None:
    file = tmp_path / ACCOUNT_FILE_NAME
    file.write_text(content)
    assert spending(HandClock(), file).sent_bytes == {}


async def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path) -> None:
    account = spending(HandClock(), tmp_path / "missing" / ACCOUNT_FILE_NAME)
    account.enter(make_frame(1), 100)
    await account.save(is_last=True)
    assert account.sent_bytes == {"lane_2": 100}


async def test_alerts_pass_when_the_days_bytes_are_used_up(tmp_path: Path) -> None:
    ends, clock = FarEnds(), SystemClock()
    async with opened(tmp_path) as journal:
        used_up = Spending(limits_of(CAPPED), clock)
        used_up.enter(make_frame(1), 1_048_576)
        uplink = Uplink(CAPPED, journal, Installation("", ""), clock, dial=ends, spending=used_up)
        async with asyncio.TaskGroup() as group:
            group.create_task(uplink.run())
            await until(lambda: bool(ends.ends) and bool(ends.ends[0].said))
            ends.ends[0].say(make_welcome())
            await append_values(journal, 1.0, 2.0)
            await journal.append(make_batch(3.0, lane=0))
            await until(lambda: uplink.link.sent_batches > 0)
            await until(lambda: uplink.link.held_up == "daily_cap")
            uplink.stop()
    sent = [frame.lane for frame in ends.ends[0].said if isinstance(frame, Batch)]
    assert sent == [0]
    assert uplink.link.sent_today_bytes["lane_0"] > 0


async def test_a_rate_holds_up_and_lets_go_by_itself(tmp_path: Path) -> None:
    ends = FarEnds()
    config = UplinkConfig(rate_max_bytes_per_s=200_000)
    async with opened(tmp_path) as journal:
        for seed in range(4):
            await journal.append(noise_batch(seed, 8_192))  # 64 kB each
        uplink = Uplink(config, journal, Installation("", ""), SystemClock(), dial=ends)
        async with asyncio.TaskGroup() as group:
            group.create_task(uplink.run())
            await until(lambda: bool(ends.ends) and bool(ends.ends[0].said))
            ends.ends[0].say(make_welcome())
            await until(lambda: uplink.link.held_up == "rate")
            await journal.append(noise_batch(9, 8_192))
            await until(lambda: uplink.link.sent_batches == 5)
            uplink.stop()
    assert uplink.link.sent_today_bytes[f"lane_{TELEMETRY_LANE}"] > 250_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"pause_windows": ["6:00-18:00"]},
        {"pause_windows": ["06:00-24:00"]},
        {"time_zone": "Mars/Olympus"},
        {"daily_cap_bytes": 1},
    ],
)
def test_limits_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UplinkConfig.model_validate(wrong)
