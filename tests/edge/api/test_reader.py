"""What the edge answers from its snapshot, its log and its link."""

from dataclasses import dataclass, field

import pytest

from edge.api.live_feed import LiveFeed
from edge.api.reader import SAMPLES_READ_MAX, EdgeReader, ReaderSources
from edge.live.recent import RecentSamples
from edge.live.snapshot import LiveSnapshot
from edge.log.records import LaneState, LogState, SeriesSamples
from shared.domain.samples import LatestValue, Series, Value, ValueType
from shared.domain.telemetry import Aggregate, TelemetryQuery
from shared.errors import AggregateError
from shared.ids import Kind, SeriesName
from shared.sync.ranges import Ranges
from shared.web.site_data import LinkState, SeriesQuery
from tests.support.edge_log import no_gaps

NOW_MS = 1_793_599_200_000
STARTED_MS = 50
ALL = frozenset(Kind)


@dataclass
class FakeLink:
    """A link in whatever state a test needs."""

    connected: bool = True
    since_ms: int | None = NOW_MS - 5_000
    last_seen_ms: int | None = NOW_MS - 100
    rtt_ms: float | None = 612.0
    error: str | None = None
    sent_today_bytes: dict[str, int] = field(default_factory=lambda: {"lane_2": 1_000})
    held_up: str | None = None
    connections: dict[str, bool] = field(default_factory=lambda: {"urgent": True, "bulk": True})


@dataclass
class FakeLog:
    """Series and samples in lists."""

    series: list[Series] = field(default_factory=list[Series])
    samples: dict[int, list[tuple[int, Value]]] = field(
        default_factory=dict[int, list[tuple[int, Value]]]
    )
    complete_from_ms: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    async def read_series(self, first_ix: int) -> list[tuple[int, Series]]:
        return list(enumerate(self.series, start=1))[first_ix - 1 :]

    async def read_samples(
        self, series_ix: int, *, start_ms: int, end_ms: int, samples_max: int
    ) -> SeriesSamples:
        assert samples_max == SAMPLES_READ_MAX
        self.asked.append((start_ms, end_ms))
        rows = [row for row in self.samples.get(series_ix, []) if start_ms <= row[0] < end_ms]
        return SeriesSamples(
            tuple(ts for ts, _ in rows),
            tuple(value for _, value in rows),
            max(self.complete_from_ms, start_ms),
        )

    def state(self) -> LogState:
        lane = LaneState(
            lane=2, first_retained=1, last_seq=10, acked=Ranges.of((1, 7)), lost=Ranges(),
            backlog_batches=3, backlog_samples=30, backlog_bytes=300,
            oldest_unacked_ms=NOW_MS - 900, segments=1, size_bytes=1000,
        )  # fmt: skip
        return LogState(
            lanes={2: lane}, size_bytes=1000, free_bytes=1, refusing=None, lost=(), series=1,
            quarantined={"bad_json": 4}, quarantine_evicted={}, quarantine_entries=4,
            quarantine_bytes=10,
        )  # fmt: skip


class Site:
    """A reader with its snapshot and log, filled by name."""

    def __init__(self, link: FakeLink | None = None) -> None:
        self.snapshot = LiveSnapshot(series_max=100)
        self.log = FakeLog()
        # Everything that `add` puts into the log came before the start.
        self.recent = RecentSamples(
            known_series=100, newest_ms=self.newest_ms, started_ms=STARTED_MS
        )
        sources = ReaderSources(
            snapshot=self.snapshot, recent=self.recent, log=self.log, link=lambda: link,
            alerts=list, message_gaps=no_gaps,
            broker_refused=lambda: {"not_permitted": 2},
        )  # fmt: skip
        self.reader = EdgeReader(site="kaduna", edge_id="edge-1", sources=sources)

    def newest_ms(self, series_ix: int) -> int | None:
        value = self.snapshot.value_of(series_ix)
        return None if value is None else value.ts_ms

    def commit(self, series_ix: int, *samples: tuple[int, float]) -> None:
        """Make samples durable and known after the start."""
        for ts_ms, value in samples:
            self.log.samples[series_ix].append((ts_ms, value))
            self.snapshot.apply([series_ix], [ts_ms], [value], [0])
            self.recent.append([series_ix], [1], [ts_ms], [value])

    def add(
        self, name: str, *samples: tuple[int, Value], unit: str = "%",
        value_type: ValueType = ValueType.NUMBER,
    ) -> None:  # fmt: skip
        series = Series(SeriesName.parse(f"kaduna/{name}"), unit, value_type)
        self.log.series.append(series)
        series_ix = len(self.log.series)
        self.log.samples[series_ix] = list(samples)
        self.snapshot.add_series(series_ix, series)
        for ts_ms, value in samples:
            self.snapshot.apply([series_ix], [ts_ms], [value], [0])


def query(name: str, **changes: object) -> TelemetryQuery:
    given: dict[str, object] = {
        "start_ms": 0, "end_ms": 100, "step_ms": 10, "aggregate": Aggregate.MEAN, **changes,
    }  # fmt: skip
    return TelemetryQuery(series=SeriesName.parse(f"kaduna/{name}"), **given)  # pyright: ignore[reportArgumentType] a test's own keywords


async def test_the_newest_values_come_from_the_snapshot() -> None:
    site = Site()
    site.add("sensor/a/ch4_pct", (1, 0.4), (2, 0.5))
    site.add("vehicle/t/fuel_pct", (1, 50.0))
    (value,) = await site.reader.latest("kaduna", {Kind.SENSOR})
    assert (value.ts_ms, value.value) == (2, 0.5)
    assert await site.reader.latest("abuja", ALL) == ()


async def test_points_come_from_the_log() -> None:
    site = Site()
    site.add("sensor/a/ch4_pct", (1, 1.0), (2, 3.0), (15, 5.0))
    found = await site.reader.telemetry(query("sensor/a/ch4_pct"))
    assert found is not None
    assert (found.points, found.unit, found.complete_from_ms) == ([(0, 2.0), (10, 5.0)], "%", None)


async def test_the_newest_points_come_from_memory_and_the_older_from_the_log() -> None:
    site = Site()
    site.add("sensor/a/ch4_pct", (10, 1.0), (20, 2.0))
    site.commit(1, (60, 6.0), (70, 7.0))
    found = await site.reader.telemetry(query("sensor/a/ch4_pct", aggregate=Aggregate.RAW))
    assert found is not None
    assert found.points == [(10, 1.0), (20, 2.0), (60, 6.0), (70, 7.0)]
    # Memory is complete after the first sample that it was told of, which was newest then.
    assert site.log.asked == [(0, 61)]


async def test_a_question_about_the_last_moments_does_not_touch_the_log() -> None:
    site = Site()
    site.add("sensor/a/ch4_pct", (10, 1.0))
    site.commit(1, (60, 6.0), (70, 7.0), (80, 8.0))
    found = await site.reader.telemetry(
        query("sensor/a/ch4_pct", aggregate=Aggregate.RAW, start_ms=65)
    )
    assert found is not None
    assert (found.points, found.complete_from_ms) == ([(70, 7.0), (80, 8.0)], None)
    assert site.log.asked == []


async def test_a_series_that_does_not_exist_is_none_and_an_empty_one_has_no_points() -> None:
    site = Site()
    site.add("sensor/a/ch4_pct")
    found = await site.reader.telemetry(query("sensor/a/ch4_pct"))
    assert found is not None
    assert found.points == []
    assert await site.reader.telemetry(query("sensor/b/ch4_pct")) is None


async def test_what_the_log_no_longer_has_is_said_and_no_step_is_half_full() -> None:
    site = Site()
    site.add("sensor/a/ch4_pct", *[(ts, float(ts)) for ts in range(12, 40)])
    site.log.complete_from_ms = 12
    found = await site.reader.telemetry(query("sensor/a/ch4_pct", aggregate=Aggregate.COUNT))
    assert found is not None
    # The step from 10 lacks its first two milliseconds: it is left out rather than counted wrong.
    assert (found.points, found.complete_from_ms) == ([(20, 10), (30, 10)], 12)


async def test_of_two_entries_under_one_name_the_one_heard_last_is_read() -> None:
    site = Site()
    site.add("sensor/a/temp", (1, 20.0), unit="°C")
    site.add("sensor/a/temp", (2, 68.0), unit="°F")
    newest = await site.reader.telemetry(query("sensor/a/temp"))
    older = await site.reader.telemetry(query("sensor/a/temp", unit="°C"))
    assert newest is not None
    assert older is not None
    assert (newest.unit, older.unit, older.points) == ("°F", "°C", [(0, 20.0)])


async def test_arithmetic_on_text_is_refused() -> None:
    site = Site()
    site.add("equipment/p/status", (1, "running"), unit="", value_type=ValueType.TEXT)
    with pytest.raises(AggregateError):
        await site.reader.telemetry(query("equipment/p/status"))


async def test_the_catalogue_is_listed_in_order_and_by_pages() -> None:
    site = Site()
    for name in ("vehicle/t/fuel_pct", "sensor/b/ch4_pct", "sensor/a/co_ppm", "sensor/a/ch4_pct"):
        site.add(name, (7, 1.0))
    asked = SeriesQuery(site="kaduna", kinds=ALL, limit=3)
    first = await site.reader.series(asked)
    names = [str(listing.series.name) for listing in first]
    assert names == [
        "kaduna/sensor/a/ch4_pct",
        "kaduna/sensor/a/co_ppm",
        "kaduna/sensor/b/ch4_pct",
    ]
    after = ("sensor", "b", "ch4_pct", "%", int(ValueType.NUMBER))
    rest = await site.reader.series(SeriesQuery(site="kaduna", kinds=ALL, limit=3, after=after))
    assert [(str(x.series.name), x.last_ms) for x in rest] == [("kaduna/vehicle/t/fuel_pct", 7)]


async def test_a_series_that_came_later_is_listed_too() -> None:
    site = Site()
    asked = SeriesQuery(site="kaduna", kinds=ALL, limit=10)
    assert await site.reader.series(asked) == []
    site.add("sensor/a/ch4_pct")
    (listing,) = await site.reader.series(asked)
    assert (str(listing.series.name), listing.last_ms) == ("kaduna/sensor/a/ch4_pct", None)


async def test_its_own_view_of_the_link() -> None:
    (edge,) = await Site(FakeLink()).reader.sync_status("kaduna")
    assert (edge.edge_id, edge.state, edge.rtt_ms) == ("edge-1", LinkState.CONNECTED, 612.0)
    lane = edge.lanes[2]
    assert (lane.last_seq, lane.acked, lane.backlog_batches) == (10, 7, 3)
    assert (edge.quarantined, edge.inbox_pending) == ({"bad_json": 4}, None)
    assert edge.broker_refused == {"not_permitted": 2}


async def test_without_a_central_it_says_so() -> None:
    (edge,) = await Site(None).reader.sync_status("kaduna")
    assert (edge.state, edge.error) == (LinkState.DISCONNECTED, "no central is configured")
    assert await Site(None).reader.sync_status("abuja") == ()


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, list[float]]] = []

    def publish(self, site: str, values: list[LatestValue]) -> None:
        self.heard.append((site, [float(value.value) for value in values]))


def test_the_sockets_hear_everything_once_and_then_what_changes() -> None:
    site, listener = Site(), Listener()
    site.add("sensor/a/ch4_pct", (1, 1.0))
    site.add("vehicle/t/fuel_pct", (1, 2.0))
    feed = LiveFeed("kaduna", site.snapshot, listener)  # pyright: ignore[reportArgumentType] a list is what it gives
    feed.step()
    feed.step()
    site.snapshot.apply([1, 1], [2, 3], [3.0, 4.0], [0, 0])
    feed.step()
    assert listener.heard == [("kaduna", [1.0, 2.0]), ("kaduna", [4.0])]
