"""What may be sent, when, and what was sent today."""

from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest

from edge.uplink.budget import Account, Budget, HeldUp, Limits, Verdict, Window
from shared.sync.frames import Ping, SeriesFrame
from tests.support.sync_frames import make_batch, make_series

LAGOS = ZoneInfo("Africa/Lagos")  # one hour before UTC, all year
BULK = make_batch(1)
ALERT = make_batch(1, lane=0)
HOUR_S = 3_600.0


def at(text: str) -> int:
    """Return a UTC time of 2026-11-24 as epoch ms."""
    return round(datetime.fromisoformat(f"2026-11-24T{text}+00:00").timestamp() * 1000)


NOON = at("12:00")


class Till:
    """A budget at a time of our own."""

    def __init__(self, limits: Limits, now_ms: int = NOON, account: Account | None = None) -> None:
        self.now_s, self.now_ms = 100.0, now_ms
        self.budget = Budget(limits, account or Account(), self.now_s)

    def spend(self, size_bytes: int, frame: object = BULK) -> None:
        self.budget.enter(frame, size_bytes, self.now_s, self.now_ms)  # pyright: ignore[reportArgumentType] a frame

    def wait(self, duration_s: float) -> Verdict:
        self.now_s += duration_s
        self.now_ms += round(duration_s * 1000)
        return self.verdict()

    def verdict(self) -> Verdict:
        return self.budget.judge(self.now_s, self.now_ms)


def test_without_limits_nothing_waits_and_everything_is_counted() -> None:
    till = Till(Limits(zone=UTC))
    till.spend(10**12)
    till.spend(300, ALERT)
    till.spend(20, Ping(ping_id=1))
    till.spend(500, SeriesFrame(entries=make_series(1, 1)))
    assert till.verdict() == Verdict(None, None)
    assert till.budget.account.sent_bytes == {
        "lane_2": 10**12, "lane_0": 300, "control": 20, "catalogue": 500,
    }  # fmt: skip


def test_a_rate_lets_a_second_of_it_pass_at_once_and_then_keeps_the_average() -> None:
    till = Till(Limits(zone=UTC, rate_max_bytes_per_s=1_000))
    assert till.verdict().held_up is None
    till.spend(3_000)  # one read, larger than what was saved up
    verdict = till.verdict()
    assert (verdict.held_up, verdict.look_again_s) == (HeldUp.RATE, pytest.approx(2.001))
    assert till.wait(1.9).held_up is HeldUp.RATE
    assert till.wait(0.2).held_up is None


def test_an_idle_link_saves_up_one_second_at_most() -> None:
    till = Till(Limits(zone=UTC, rate_max_bytes_per_s=1_000))
    till.wait(HOUR_S)
    till.spend(1_000)
    assert till.verdict().held_up is HeldUp.RATE


def test_alerts_take_nothing_from_the_rate() -> None:
    till = Till(Limits(zone=UTC, rate_max_bytes_per_s=1_000))
    till.spend(50_000, ALERT)
    assert till.verdict().held_up is None


def test_a_cap_holds_until_midnight_at_the_site_and_counts_alerts_too() -> None:
    till = Till(Limits(zone=LAGOS, daily_cap_bytes=10_000))
    till.spend(6_000)
    till.spend(4_000, ALERT)
    assert till.verdict() == Verdict(HeldUp.DAILY_CAP, 11 * HOUR_S)  # it is 13:00 in Lagos
    assert till.wait(11 * HOUR_S - 1).held_up is HeldUp.DAILY_CAP
    assert till.wait(1).held_up is None
    assert till.budget.account.sent_bytes == {}


def test_a_pause_window_holds_by_the_clock_of_the_site() -> None:
    till = Till(Limits(zone=LAGOS, pause_windows=[Window(6 * 60, 18 * 60 + 30)]), at("04:59"))
    assert till.verdict() == Verdict(None, 60.0)
    assert till.wait(60.0) == Verdict(HeldUp.PAUSE_WINDOW, 12.5 * HOUR_S)
    assert till.wait(12.5 * HOUR_S) == Verdict(None, 11.5 * HOUR_S)


def test_a_window_may_go_over_midnight() -> None:
    window = Window(22 * 60, 60)
    inside = [minute for minute in range(0, 1440, 30) if window.contains(minute)]
    assert inside == [0, 30, 22 * 60, 22 * 60 + 30, 23 * 60, 23 * 60 + 30]


def test_a_window_that_ends_where_it_begins_is_the_whole_day() -> None:
    assert all(Window(60, 60).contains(minute) for minute in (0, 60, 1439))


def test_the_account_of_the_day_goes_on_after_a_restart() -> None:
    limits = Limits(zone=UTC, daily_cap_bytes=10_000)
    till = Till(limits)
    till.spend(10_000)
    again = Till(limits, NOON + 1_000, till.budget.account)
    assert again.verdict().held_up is HeldUp.DAILY_CAP


def test_a_clock_that_is_set_back_over_midnight_gives_no_second_days_bytes() -> None:
    till = Till(Limits(zone=UTC, daily_cap_bytes=10_000), at("00:10"))
    till.spend(10_000)
    till.now_ms = at("00:10") - 1_200_000  # 23:50 of the day before
    assert till.verdict().held_up is HeldUp.DAILY_CAP


def test_a_clock_that_was_years_ahead_does_not_hold_for_years() -> None:
    till = Till(Limits(zone=UTC, daily_cap_bytes=10_000), NOON + 10 * 365 * 86_400_000)
    till.spend(10_000)
    till.now_ms = NOON
    assert till.verdict().held_up is None


@pytest.mark.parametrize("now_ms", [-(2**63), 0, 2**63 - 1])
def test_any_time_is_some_day(now_ms: int) -> None:
    limits = Limits(zone=LAGOS, daily_cap_bytes=10_000, pause_windows=[Window(0, 1)])
    assert Till(limits, now_ms).verdict().look_again_s is not None


def test_random_days_stay_within_every_limit() -> None:
    for seed in range(60):
        dice = Random(seed)
        rate, cap = dice.choice((5_000, 50_000)), dice.choice((2_000_000, 50_000_000))
        starts = [dice.randrange(1440) for _ in range(2)]
        windows = [Window(start, (start + dice.randint(1, 360)) % 1440) for start in starts]
        limits = Limits(
            zone=LAGOS, rate_max_bytes_per_s=rate, daily_cap_bytes=cap, pause_windows=windows
        )
        till, bulk_bytes, largest = Till(limits), 0, 262_144
        began_s, spent_by_day = till.now_s, dict[int, int]()
        for _ in range(2_000):
            verdict = till.verdict()
            local = datetime.fromtimestamp(till.now_ms / 1000, LAGOS)
            if verdict.held_up is None:
                size_bytes = dice.randint(1, largest)
                till.spend(size_bytes)
                bulk_bytes += size_bytes
                day = local.toordinal()
                spent_by_day[day] = spent_by_day.get(day, 0) + size_bytes
                minute = local.hour * 60 + local.minute
                assert not any(window.contains(minute) for window in windows), f"seed {seed}"
                till.wait(dice.random())
            else:
                assert verdict.look_again_s is not None, f"seed {seed}"
                till.wait(verdict.look_again_s + 0.001)
            elapsed_s = till.now_s - began_s
            assert bulk_bytes <= rate * (elapsed_s + 1) + largest, f"seed {seed}"
        assert max(spent_by_day.values()) <= cap + largest, f"seed {seed}"
