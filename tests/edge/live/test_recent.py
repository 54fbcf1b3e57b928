"""Recent samples in memory: bounded, and never silent about what is not there."""

import random

from hypothesis import given
from hypothesis import strategies as st

from edge.live.recent import RecentSamples
from shared.domain.samples import Value, ValueType

NUMBER = int(ValueType.NUMBER)
STARTED_MS = 1_000


def memory(samples_max: int = 100, known: int = 0, newest: int | None = None) -> RecentSamples:
    return RecentSamples(
        known_series=known, newest_ms=lambda _: newest, started_ms=STARTED_MS,
        samples_max=samples_max,
    )  # fmt: skip


def add(
    recent: RecentSamples, series_ix: int, *samples: tuple[int, Value], kind: int = NUMBER
) -> None:
    for ts_ms, value in samples:
        recent.append([series_ix], [kind], [ts_ms], [value])


def held(
    recent: RecentSamples, series_ix: int, *, start_ms: int, end_ms: int
) -> list[tuple[int, Value]]:
    excerpt = recent.excerpt(series_ix, start_ms=start_ms, end_ms=end_ms)
    return list(zip(*excerpt.columns(), strict=True))


def everything(recent: RecentSamples, series_ix: int) -> list[tuple[int, Value]]:
    return held(recent, series_ix, start_ms=-(2**62), end_ms=2**62)


def test_samples_come_back_in_the_order_of_device_time() -> None:
    recent = memory()
    add(recent, 1, (30, 3.0), (10, 1.0), (20, 2.0), (20, 2.5))
    assert everything(recent, 1) == [(10, 1.0), (20, 2.0), (20, 2.5), (30, 3.0)]
    assert held(recent, 1, start_ms=10, end_ms=20) == [(10, 1.0)]


def test_every_type_keeps_its_values() -> None:
    recent = memory()
    for series_ix, (kind, value) in enumerate(
        [
            (ValueType.NUMBER, 0.1),
            (ValueType.INTEGER, 2**53 + 1),
            (ValueType.FLAG, True),
            (ValueType.TEXT, "running"),
        ],
        start=1,
    ):
        add(recent, series_ix, (5, value), kind=int(kind))
        ((_, kept),) = everything(recent, series_ix)
        assert (type(kept), kept) == (type(value), value)


def test_a_series_that_is_new_since_the_start_is_here_from_its_beginning() -> None:
    recent = memory(known=1)
    add(recent, 2, (5, 1.0))
    assert recent.complete_from_ms(2) < 5


def test_a_series_from_before_the_start_is_here_since_the_start() -> None:
    assert memory(known=1).complete_from_ms(1) == STARTED_MS
    # It has sent something from the future before the start: that is in the log only.
    assert memory(known=1, newest=STARTED_MS + 7).complete_from_ms(1) == STARTED_MS + 8


def test_a_full_memory_lets_go_of_the_oldest_and_says_so() -> None:
    recent = memory(samples_max=8)
    add(recent, 1, *[(ts, float(ts)) for ts in range(8)])
    add(recent, 1, (8, 8.0))
    # A quarter of nine, rounded up, is three.
    assert everything(recent, 1)[0] == (3, 3.0)
    assert recent.complete_from_ms(1) == 3


def test_late_samples_move_the_border_as_far_as_they_must() -> None:
    recent = memory(samples_max=4)
    add(recent, 1, (90, 9.0), (10, 1.0), (20, 2.0), (30, 3.0), (40, 4.0))
    # Two went, among them the one of 90: before 91 nothing is complete any more.
    assert recent.complete_from_ms(1) == 91


def test_texts_count_with_their_size() -> None:
    recent = RecentSamples(
        known_series=0, newest_ms=lambda _: None, started_ms=0, size_max_bytes=100_000
    )
    for ts_ms in range(2_000):
        add(recent, 1, (ts_ms, f"{ts_ms:0256}"), kind=int(ValueType.TEXT))
        assert recent.size_bytes <= 100_000
    kept = everything(recent, 1)
    assert 200 < len(kept) < 400
    assert kept[0][0] == recent.complete_from_ms(1)
    assert kept[-1] == (1_999, f"{1_999:0256}")


def test_an_excerpt_stays_what_it_was() -> None:
    for kind, early, late in ((ValueType.NUMBER, 1.0, 2.0), (ValueType.TEXT, "early", "late")):
        recent = memory(samples_max=2)
        add(recent, 1, (20, early), (10, early), kind=int(kind))
        excerpt = recent.excerpt(1, start_ms=10, end_ms=100)
        add(recent, 1, (30, late), (40, late), (50, late), kind=int(kind))
        assert excerpt.columns() == ([10, 20], [early, early])
        assert recent.excerpt(2, start_ms=10, end_ms=100).columns() == ([], [])


@given(
    rows=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 50)), max_size=200),
    samples_max=st.integers(1, 60),
)
def test_what_it_says_is_complete_is_complete(
    rows: list[tuple[int, int]], samples_max: int
) -> None:
    recent = memory(samples_max=samples_max)
    truth: dict[int, list[tuple[int, Value]]] = {}
    for number, (series_ix, ts_ms) in enumerate(rows):
        truth.setdefault(series_ix, []).append((ts_ms, float(number)))
        add(recent, series_ix, (ts_ms, float(number)))
        assert len(recent) <= samples_max
    for series_ix, samples in truth.items():
        start_ms = max(recent.complete_from_ms(series_ix), -1)
        expected = sorted((s for s in samples if s[0] >= start_ms), key=lambda s: s[0])
        assert held(recent, series_ix, start_ms=start_ms, end_ms=100) == expected


def test_its_size_is_what_it_says_with_any_mixture() -> None:
    dice = random.Random(7)
    recent = memory(samples_max=500)
    for _ in range(5_000):
        series_ix, ts_ms = dice.randint(1, 20), dice.randint(0, 10_000)
        if series_ix % 2:
            text = "x" * dice.randint(0, 50)
            add(recent, series_ix, (ts_ms, text), kind=int(ValueType.TEXT))
        else:
            add(recent, series_ix, (ts_ms, dice.random()))
    values = [value for ix in range(1, 21) for _, value in everything(recent, ix)]
    assert len(recent) == len(values)
    texts = [value for value in values if isinstance(value, str)]
    assert texts
    assert recent.size_bytes == 16 * len(values) + sum(64 + len(text) for text in texts)
