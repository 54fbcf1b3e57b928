"""What goes next: live telemetry is never behind the backlog, and nobody starves."""

import random

import pytest

from edge.log.records import TELEMETRY_LANE
from edge.uplink.schedule import (
    LIVE_FOR_S,
    WEIGHT,
    LiveWindow,
    Traffic,
    Turns,
    by_traffic,
    traffic_of,
)
from shared.sync.ranges import Ranges

LIVE, BACKLOG, OTHER = Traffic
FILES_LANE = 3


def test_what_the_lane_held_when_the_link_came_up_is_not_live() -> None:
    window = LiveWindow(1_000)
    window.grow(1_001, now_s=0.0)
    assert window.first_live(0.0) == 1_001


def test_what_is_owed_for_a_minute_is_backlog() -> None:
    window = LiveWindow(0)
    window.grow(5, now_s=10.0)
    window.grow(9, now_s=12.0)
    assert window.first_live(10.0 + LIVE_FOR_S - 0.1) == 1
    assert window.first_live(10.0 + LIVE_FOR_S) == 6
    assert window.first_live(12.0 + LIVE_FOR_S) == 10


def test_the_memory_of_a_window_is_bounded_however_fast_the_lane_grows() -> None:
    window = LiveWindow(0)
    ages_s = list[float]()
    for seq in range(1, 100_001):
        now_s = seq / 500
        window.grow(seq, now_s)
        ages_s.append((seq + 1 - window.first_live(now_s)) / 500)
    assert max(ages_s) <= LIVE_FOR_S
    assert ages_s[-1] > LIVE_FOR_S - 2
    marks = window._marks  # pyright: ignore[reportPrivateUsage] the memory in question
    assert len(marks) <= LIVE_FOR_S + 1


def test_what_is_pending_is_divided_without_loss() -> None:
    pending = Ranges.of((3, 5), (8, 20))
    assert by_traffic(TELEMETRY_LANE, pending, 10) == {
        LIVE: Ranges.of((10, 20)),
        BACKLOG: Ranges.of((3, 5), (8, 9)),
    }
    assert by_traffic(TELEMETRY_LANE, pending, 1) == {LIVE: pending}
    assert by_traffic(TELEMETRY_LANE, pending, 21) == {BACKLOG: pending}
    assert by_traffic(FILES_LANE, pending, 10) == {OTHER: pending}


@pytest.mark.parametrize(
    ("lane", "seq", "traffic"),
    [(TELEMETRY_LANE, 10, LIVE), (TELEMETRY_LANE, 9, BACKLOG), (FILES_LANE, 99, OTHER)],
)
def test_a_batch_counts_as_what_it_was_chosen_as(lane: int, seq: int, traffic: Traffic) -> None:
    assert traffic_of(lane, seq, first_live=10) is traffic


def test_all_get_their_part_while_all_have_something_to_send() -> None:
    turns, sent = Turns(), dict.fromkeys(Traffic, 0)
    dice = random.Random(seed := 11)
    for _ in range(20_000):
        traffic = turns.choose(list(Traffic))
        size_bytes = dice.randint(500, 20_000)
        turns.charge(traffic, size_bytes)
        sent[traffic] += size_bytes
    total = sum(sent.values())
    for traffic, weight in WEIGHT.items():
        assert sent[traffic] / total == pytest.approx(weight / 100, abs=0.005), f"seed {seed}"


def test_what_one_does_not_use_the_others_share() -> None:
    turns = Turns()
    for _ in range(100):
        assert turns.choose([BACKLOG]) is BACKLOG
        turns.charge(BACKLOG, 1_000)


def test_nobody_saves_up_for_later() -> None:
    """Live data that had nothing to send for an hour does not shut out the backlog after it."""
    turns = Turns()
    for _ in range(100_000):
        turns.charge(turns.choose([BACKLOG]), 10_000)
    chosen = list[Traffic]()
    for _ in range(100):
        traffic = turns.choose([LIVE, BACKLOG])
        turns.charge(traffic, 10_000)
        chosen.append(traffic)
    assert chosen[0] is LIVE
    assert 24 <= chosen.count(BACKLOG) <= 28


@pytest.mark.parametrize("seed", range(20))
def test_live_data_waits_for_two_other_batches_at_most_while_the_link_carries_it(seed: int) -> None:
    """Random loads of up to half the link, beside a backlog that never ends."""
    dice, turns = random.Random(seed), Turns()
    link_bytes_per_s, now_s, next_live_s = 100_000.0, 0.0, 0.0
    live, waits_s = list[tuple[float, int]](), list[float]()
    while now_s < 600.0:
        while next_live_s <= now_s:
            size_bytes = dice.randint(100, 5_000)
            live.append((next_live_s, size_bytes))
            next_live_s += size_bytes / link_bytes_per_s * dice.uniform(2.0, 6.0)
        traffic = turns.choose([LIVE, BACKLOG] if live else [BACKLOG])
        size_bytes = dice.randint(1_000, 20_000)
        if traffic is LIVE:
            since_s, size_bytes = live.pop(0)
            waits_s.append(now_s - since_s)
        turns.charge(traffic, size_bytes)
        now_s += size_bytes / link_bytes_per_s
    longest_s = (2 * 20_000 + 5_000) / link_bytes_per_s
    assert max(waits_s) <= longest_s, f"seed {seed}"
