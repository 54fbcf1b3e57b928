"""Slow readers get the newest values and the truth about what they missed."""

import random
import sys

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.samples import LatestValue
from shared.ids import Kind
from shared.web.conflation import AssetChange, LiveState, Mailbox, SocketFilter
from tests.support.sites import latest_value

ALL = frozenset(Kind)


def value(asset: str, number: float, metric: str = "ch4_pct") -> LatestValue:
    """Return a value taken at millisecond ``number``, so that later ones are newer."""
    return latest_value(f"kaduna/sensor/{asset}/{metric}", number, round(number))


def mailbox(wanted: SocketFilter | None = None, kinds: frozenset[Kind] = ALL) -> Mailbox:
    return Mailbox(kinds, wanted or SocketFilter(), 0)


def publish(state: LiveState, box: Mailbox, *values: LatestValue) -> None:
    state.absorb(values)
    for change in state.take_fresh():
        box.offer(change)


def taken(box: Mailbox) -> list[AssetChange]:
    found: list[AssetChange] = []
    while (change := box.take()) is not None:
        found.append(change)
    return found


def numbers(changes: list[AssetChange]) -> list[tuple[str, float, int]]:
    return [
        (change.key[2], float(value.value), change.skipped_total)
        for change in changes
        for value in change.values.values()
    ]


def test_a_reader_that_keeps_up_gets_every_value() -> None:
    state, box = LiveState(), mailbox()
    seen: list[tuple[str, float, int]] = []
    for number in (1, 2, 3):
        publish(state, box, value("a", number))
        seen += numbers(taken(box))
    assert seen == [("a", 1, 0), ("a", 2, 0), ("a", 3, 0)]


def test_a_reader_that_waits_gets_the_newest_and_the_count_of_the_others() -> None:
    state, box = LiveState(), mailbox()
    for number in (1, 2, 3, 4):
        publish(state, box, value("a", number))
    assert numbers(taken(box)) == [("a", 4, 3)]


def test_values_that_come_together_are_one_change_of_their_asset() -> None:
    state, box = LiveState(), mailbox()
    publish(state, box, value("a", 1), value("a", 2, "co_ppm"), value("a", 3))
    (change,) = taken(box)
    assert {m: v.value for m, v in change.values.items()} == {"ch4_pct": 3, "co_ppm": 2}
    assert change.skipped == {"ch4_pct": 1}


def test_backfill_is_not_live() -> None:
    state, box = LiveState(), mailbox()
    publish(state, box, value("a", 5))
    publish(state, box, value("a", 3))
    assert numbers(taken(box)) == [("a", 5, 0)]


def test_a_value_from_the_future_hides_nothing_that_comes_later() -> None:
    state, box = LiveState(), mailbox()
    publish(state, box, latest_value("kaduna/sensor/a/ch4_pct", 9.0, 300_000, 2, received_ms=5))
    publish(state, box, value("a", 6))
    assert numbers(taken(box)) == [("a", 6, 1)]


def test_a_clock_that_is_set_back_hides_nothing_that_comes_later() -> None:
    state, box = LiveState(), mailbox()
    publish(state, box, latest_value("kaduna/sensor/a/ch4_pct", 9.0, 9_000, received_ms=9_000))
    publish(state, box, latest_value("kaduna/sensor/a/ch4_pct", 1.0, 10, received_ms=11))
    assert numbers(taken(box)) == [("a", 1, 1)]


def test_an_asset_that_changes_all_the_time_does_not_starve() -> None:
    state, box = LiveState(), mailbox()
    publish(state, box, value("busy", 1))
    publish(state, box, value("calm", 1))
    publish(state, box, value("busy", 2))
    assert [change.key[2] for change in taken(box)] == ["busy", "calm"]


def test_a_filter_keeps_out_what_is_not_wanted() -> None:
    state = LiveState()
    box = mailbox(SocketFilter(ids=frozenset({"a"}), metrics=frozenset({"co_ppm"})))
    publish(state, box, value("a", 1), value("b", 2, "co_ppm"))
    assert len(box) == 0
    publish(state, box, value("a", 3), value("a", 4, "co_ppm"))
    (change,) = taken(box)
    assert list(change.values) == ["co_ppm"]


def test_what_is_skipped_of_unwanted_metrics_is_not_counted() -> None:
    state, box = LiveState(), mailbox(SocketFilter(metrics=frozenset({"co_ppm"})))
    publish(state, box, value("a", 1), value("a", 2), value("a", 3, "co_ppm"))
    assert taken(box)[0].skipped_total == 0


def test_what_a_reader_may_not_see_never_reaches_its_mailbox() -> None:
    state, box = LiveState(), mailbox(kinds=frozenset({Kind.VEHICLE}))
    publish(state, box, latest_value("kaduna/worker/w-1/heart_rate_bpm", 88.0, 1))
    assert len(box) == 0


def test_what_is_kept_is_bounded_by_dropping_what_was_silent_longest() -> None:
    state = LiveState(series_max=3)
    for number, asset in enumerate("abcde"):
        state.absorb([value(asset, number)])
    assert [asset for asset in "abcde" if state.newest(("kaduna", "sensor", asset))] == [*"cde"]
    assert len(state.take_fresh()) == 3


def test_resuming_gives_only_what_changed_since() -> None:
    state = LiveState()
    state.absorb([value("a", 1), value("b", 1), value("a", 2, "co_ppm")])
    cursor = state.version
    state.absorb([value("a", 3)])
    (change,) = state.since(cursor)
    assert (change.key[2], list(change.values)) == ("a", ["ch4_pct"])
    assert state.since(state.version) == []


EVENT = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from("abc"), st.sampled_from(["m1", "m2"])),
    st.tuples(st.just("take"), st.just(""), st.just("")),
    st.tuples(st.just("flush"), st.just(""), st.just("")),
    st.tuples(st.just("reconnect"), st.just(""), st.just("")),
)


class Reader:
    """Reads when told to, remembers its cursor, and can come back with it."""

    def __init__(self, state: LiveState) -> None:
        self.state = state
        self.box = mailbox()
        self.seen: dict[tuple[str, str], float] = {}
        self.cursor = 0

    def flush(self) -> None:
        for change in self.state.take_fresh():
            self.box.offer(change)

    def read(self) -> None:
        change = self.box.take()
        if change is not None:
            for metric, newest in change.values.items():
                held = self.seen.get((change.key[2], metric), 0.0)
                assert float(newest.value) >= held  # never back in time
                self.seen[change.key[2], metric] = float(newest.value)
        assert self.box.version >= self.cursor
        self.cursor = self.box.version

    def reconnect(self) -> None:
        self.flush()
        self.box = Mailbox(ALL, SocketFilter(), self.state.version)
        for change in self.state.since(self.cursor):
            self.box.offer(change)


@given(st.lists(EVENT, max_size=60))
def test_every_value_is_seen_or_replaced_by_a_newer_one(events: list[tuple[str, str, str]]) -> None:
    """A reader that reads when it likes and resumes from its last cursor ends with the truth."""
    state = LiveState()
    reader = Reader(state)
    truth: dict[tuple[str, str], float] = {}
    for number, (event, asset, metric) in enumerate(events, start=1):
        if event == "publish":
            truth[asset, metric] = float(number)
            state.absorb([value(asset, number, metric)])
        else:
            {"flush": reader.flush, "take": reader.read, "reconnect": reader.reconnect}[event]()
    reader.flush()
    while len(reader.box):
        reader.read()
    assert reader.seen == truth


def test_nothing_is_both_delivered_and_counted_as_skipped() -> None:
    """Seeded simulation: delivered + skipped = published, whatever the reader's pace."""
    seed = random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    state, box = LiveState(), mailbox()
    published = delivered = skipped = 0
    for step in range(2_000):
        publish(state, box, value(chance.choice("abcd"), step + 1.0, chance.choice(["m1", "m2"])))
        published += 1
        assert len(box) <= 4
        if chance.random() < 0.3 and (change := box.take()) is not None:
            delivered += len(change.values)
            skipped += change.skipped_total
    for change in taken(box):
        delivered += len(change.values)
        skipped += change.skipped_total
    assert delivered + skipped == published
