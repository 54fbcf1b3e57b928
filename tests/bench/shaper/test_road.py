"""One direction of an impaired link."""

from dataclasses import replace
from random import Random

import pytest

from bench.shaper.profiles import link_figures
from bench.shaper.road import Fate, Road, RoadFigures

PLAIN = RoadFigures(rate_bytes_per_s=1_000.0, delay_s=0.3)


def road(figures: RoadFigures = PLAIN, seed: int = 1) -> Road:
    return Road(figures, Random(seed))


def packets(count: int, size_bytes: int = 100) -> list[bytes]:
    return [number.to_bytes(2, "big") + bytes(size_bytes - 2) for number in range(count)]


def numbers(arrived: list[bytes]) -> list[int]:
    return [int.from_bytes(packet[:2], "big") for packet in arrived]


def test_a_packet_comes_out_after_its_length_and_the_delay() -> None:
    way = road()
    assert way.offer(bytes(100), 5.0) is Fate.PASSED
    assert way.due_s == pytest.approx(5.4)  # 100 bytes at 1,000 a second, and 0.3 s
    assert list(way.arrivals(5.39)) == []
    assert list(way.arrivals(5.41)) == [bytes(100)]
    assert way.due_s is None


def test_packets_wait_for_those_before_them() -> None:
    way = road()
    for packet in packets(10):
        way.offer(packet, 0.0)
    assert numbers(list(way.arrivals(0.85))) == [0, 1, 2, 3, 4]  # one each 0.1 s from 0.4 on
    assert numbers(list(way.arrivals(2.0))) == [5, 6, 7, 8, 9]


def test_an_idle_link_saves_nothing_up() -> None:
    way = road()
    way.offer(bytes(100), 0.0)
    way.offer(bytes(100), 10.0)
    assert len(list(way.arrivals(10.39))) == 1


def test_a_full_queue_drops_from_the_tail_and_takes_again_what_fits() -> None:
    way = road(replace(PLAIN, queue_bytes=300))
    fates = [way.offer(packet, 0.0) for packet in packets(5)]
    assert fates == [Fate.PASSED] * 3 + [Fate.QUEUE_FULL] * 2
    assert way.queued_bytes(0.11) == 200  # the first has left
    assert way.offer(bytes(100), 0.11) is Fate.PASSED


def test_each_packet_is_lost_with_the_given_chance() -> None:
    way = road(replace(PLAIN, rate_bytes_per_s=1e9, loss=0.2))
    for packet in packets(5_000):
        way.offer(packet, 0.0)
    assert 900 < way.count[Fate.LOST] < 1_100
    assert len(list(way.arrivals(1.0))) == way.count[Fate.PASSED] == 5_000 - way.count[Fate.LOST]


def test_what_is_held_back_is_overtaken_and_nothing_else_is() -> None:
    figures = replace(PLAIN, rate_bytes_per_s=1e6, jitter_s=0.2, held_back=0.1, held_back_s=1.0)
    way = road(figures)
    for packet in packets(200):
        way.offer(packet, 0.0)
    in_order = numbers(list(way.arrivals(0.9)))
    held_back = numbers(list(way.arrivals(2.0)))
    assert in_order == sorted(in_order)
    assert 5 <= len(held_back) <= 40
    assert sorted(in_order + held_back) == list(range(200))


def test_jitter_keeps_the_order() -> None:
    way = road(replace(PLAIN, rate_bytes_per_s=1e6, jitter_s=0.5))
    for packet in packets(100):
        way.offer(packet, 0.0)
    assert numbers(list(way.arrivals(2.0))) == list(range(100))


def test_a_cut_loses_what_is_under_way_and_swallows_what_comes() -> None:
    way = road()
    way.offer(bytes(100), 0.0)
    way.cut()
    assert way.offer(bytes(100), 0.1) is Fate.SWALLOWED
    assert list(way.arrivals(9.0)) == []
    way.is_blocked = False
    assert way.offer(bytes(100), 10.0) is Fate.PASSED
    assert len(list(way.arrivals(10.5))) == 1


def test_the_same_seed_gives_the_same_fates_whatever_else_is_changed() -> None:
    def fates(figures: RoadFigures) -> list[Fate]:
        way = road(figures, seed=7)
        return [way.offer(packet, 0.0) for packet in packets(500)]

    lossy = replace(PLAIN, rate_bytes_per_s=1e9, loss=0.1)
    assert fates(lossy) == fates(lossy)
    assert fates(replace(lossy, jitter_s=0.1, held_back=0.5, held_back_s=1.0)) == fates(lossy)
    assert Fate.LOST in fates(lossy)


def test_every_byte_is_accounted_for_on_random_roads() -> None:
    for seed in range(50):
        dice = Random(seed)
        figures = RoadFigures(
            rate_bytes_per_s=dice.uniform(100, 1e6),
            delay_s=dice.random(),
            jitter_s=dice.random(),
            loss=dice.random() / 2,
            held_back=dice.random() / 2,
            held_back_s=dice.random(),
            queue_bytes=dice.randint(1_500, 50_000),
        )
        way, now_s, arrived = road(figures, seed), 0.0, 0
        for packet in packets(300, 1_400):
            now_s += dice.random() / 10
            way.offer(packet, now_s)
            assert way.queued_bytes(now_s) <= figures.queue_bytes, f"seed {seed}"
            arrived += len(list(way.arrivals(now_s)))
        arrived += len(list(way.arrivals(now_s + 1e6)))
        assert arrived == way.count[Fate.PASSED], f"seed {seed}"
        assert sum(way.count.values()) == 300, f"seed {seed}"
        assert way.arrived_bytes == 1_400 * arrived, f"seed {seed}"


@pytest.mark.parametrize(
    "wrong", [{"rate_bytes_per_s": 0.0}, {"loss": 1.1}, {"delay_s": -1.0}, {"queue_bytes": 0}]
)
def test_figures_that_describe_no_link_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|are fractions"):
        RoadFigures(**{"rate_bytes_per_s": 1.0, **wrong})  # pyright: ignore[reportArgumentType] wrong on purpose


def test_a_link_is_named_by_what_an_operator_sells() -> None:
    link = link_figures(up_mbit_s=5, down_mbit_s=20, round_trip_ms=600, loss=0.01)
    assert link.up.rate_bytes_per_s == 625_000
    assert link.down.rate_bytes_per_s == 2_500_000
    assert link.round_trip_s == pytest.approx(0.6)
    assert (link.up.loss, link.up.queue_bytes) == (0.01, 500_000)  # 0.8 s of the link
