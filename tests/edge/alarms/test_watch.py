"""Alerts on a real log: durable before their samples, found again after any restart."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.alarms import watch as watch_module
from edge.alarms.book import AlarmBook
from edge.alarms.rules import ThresholdRule
from edge.alarms.standing import STANDING_FILE_NAME
from edge.alarms.watch import AlarmWatch
from edge.log.journal import Journal
from shared.sync.records import ALERT_LANE, AlertRecord, Severity, decode_records
from tests.support.clocks import HandClock
from tests.support.edge_log import EDGE_ID, SITE, T0_MS, make_batch, opened

METHANE = ThresholdRule(
    name="methane", metric="ch4_pct", raise_at=1.5, clear_below=1.5, severity=Severity.CRITICAL
)


@asynccontextmanager
async def watching(state_dir: Path, *rules: ThresholdRule) -> AsyncGenerator[AlarmWatch]:
    """Run one life of an edge's alerts; the end of it is a crash as far as alerts know."""
    async with opened(state_dir) as journal:
        yield await restored(state_dir, journal, *rules)


async def restored(state_dir: Path, journal: Journal, *rules: ThresholdRule) -> AlarmWatch:
    def context(_series_ix: int, _since_ms: int) -> Iterator[tuple[int, float]]:
        return iter(())

    book = AlarmBook(rules, site=SITE, edge_id=EDGE_ID, context=context)
    for series_ix, series in journal.series:
        book.watch(series_ix, series)
    watch = AlarmWatch(book, journal, state_dir, HandClock())
    await watch.restore()
    return watch


async def pass_values(watch: AlarmWatch, *values: float, at_ms: int = T0_MS) -> list[AlertRecord]:
    records = watch.judge(make_batch(*values, at_ms=at_ms))
    if records:
        await watch.store(records)
    return records


async def records_in(state_dir: Path) -> list[object]:
    async with opened(state_dir) as journal:
        batches = await journal.read(ALERT_LANE, 1, 10_000, 1_000_000)
    return [record for batch in batches for record in decode_records(batch.body)]


async def test_each_revision_is_in_the_alert_lane(tmp_path: Path) -> None:
    async with watching(tmp_path, METHANE) as watch:
        made = await pass_values(watch, 1.0, 2.0, 1.0, 2.0)
        assert (watch.raised, watch.cleared) == (2, 1)
    assert len(made) == 3
    assert await records_in(tmp_path) == made


async def test_what_stands_is_known_after_a_restart(tmp_path: Path) -> None:
    async with watching(tmp_path, METHANE) as watch:
        made = await pass_values(watch, 1.0, 2.0)
    async with watching(tmp_path, METHANE) as watch:
        assert watch.book.active == tuple(made)
        (cleared,) = await pass_values(watch, 1.0, at_ms=T0_MS + 60_000)
        assert (cleared.alert_id, cleared.revision) == (made[0].alert_id, 2)
    async with watching(tmp_path, METHANE) as watch:
        assert watch.book.active == ()


@pytest.mark.parametrize("harm", ["missing", "damaged", "old"])
async def test_without_the_file_of_standing_alerts_the_log_is_enough(
    tmp_path: Path, harm: str
) -> None:
    file = tmp_path / STANDING_FILE_NAME
    async with watching(tmp_path, METHANE) as watch:
        first = await pass_values(watch, 2.0)
        before = file.read_bytes()
        await pass_values(watch, 1.0, 2.0, at_ms=T0_MS + 10_000)
        expected = watch.book.active
    assert expected != tuple(first)
    match harm:
        case "missing":
            file.unlink()
        case "damaged":
            file.write_bytes(b"\x00" + before[1:])
        case _:
            file.write_bytes(before)
    async with watching(tmp_path, METHANE) as watch:
        assert watch.book.active == expected


async def test_an_alert_from_long_ago_stands_though_little_of_the_log_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "LATELY_BATCHES", 2)
    other = ThresholdRule(
        name="other", metric="ch4_pct", raise_at=5.0, clear_below=5.0, severity=Severity.LOW
    )
    async with watching(tmp_path, METHANE, other) as watch:
        (old,) = await pass_values(watch, 2.0)
        for n in range(1, 10):
            await pass_values(watch, 6.0, 2.0, at_ms=T0_MS + 10_000 * n)
    async with watching(tmp_path, METHANE, other) as watch:
        assert watch.book.active == (old,)


async def test_a_rule_that_was_taken_away_leaves_no_alert_behind(tmp_path: Path) -> None:
    async with watching(tmp_path, METHANE) as watch:
        await pass_values(watch, 2.0)
    async with watching(tmp_path) as watch:
        assert watch.book.active == ()
    assert [getattr(record, "state", None) for record in await records_in(tmp_path)] == [
        "raised",
        "cleared",
    ]


async def test_the_file_of_standing_alerts_may_fail(tmp_path: Path) -> None:
    async with watching(tmp_path, METHANE) as watch:
        (tmp_path / STANDING_FILE_NAME).mkdir()
        made = await pass_values(watch, 2.0)
        assert watch.book.active == tuple(made)
    async with watching(tmp_path, METHANE) as watch:
        assert watch.book.active == tuple(made)


async def test_whoever_wants_to_know_is_told_what_is_durable(tmp_path: Path) -> None:
    told: list[AlertRecord] = []
    async with watching(tmp_path, METHANE) as watch:
        watch.on_change(told.append)
        made = watch.judge(make_batch(2.0))
        assert told == []
        await watch.store(made)
        assert told == made
