"""One series out of the log, for charts."""

from pathlib import Path

import pytest

from edge.log import history as history_module
from edge.log.history import samples_of
from edge.log.records import PendingBatch
from shared.codec.columns import columns_from_rows
from shared.domain.samples import Value, ValueType
from tests.support.edge_log import (
    MEBIBYTE,
    T0_MS,
    make_batch,
    make_series,
    noise_batch,
    open_journal,
    opened,
    small_config,
)

FOR_EVER = {"start_ms": -(2**62), "end_ms": 2**62}
TYPES = (ValueType.NUMBER, ValueType.TEXT, ValueType.NUMBER, ValueType.FLAG, ValueType.INTEGER)
VALUES: tuple[Value, ...] = (0.5, "idle", -0.25, True, 2**60)


def mixed_batch(at_ms: int) -> PendingBatch:
    """One sample of each of five series."""
    return PendingBatch(
        series_ix=[1, 2, 3, 4, 5],
        value_type=[int(one) for one in TYPES],
        ts_ms=[at_ms] * 5,
        value=VALUES,
        quality=[1, 2, 3, 4, 5],
        recv_min_ms=at_ms,
        recv_max_ms=at_ms,
        new_series=tuple(make_series(ix, one) for ix, one in enumerate(TYPES, start=1)),
    )


async def test_finds_a_series_among_others_of_every_type(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for second in range(3):
            await journal.append(mixed_batch(T0_MS + 1_000 * second))
        for ix, value in enumerate(VALUES, start=1):
            found = await journal.read_samples(ix, **FOR_EVER, samples_max=100)
            assert found.value == (value,) * 3
            assert found.ts_ms == (T0_MS, T0_MS + 1_000, T0_MS + 2_000)
        assert (await journal.read_samples(6, **FOR_EVER, samples_max=9)).ts_ms == ()


def test_values_of_a_type_are_counted_apart() -> None:
    columns = columns_from_rows(
        [3, 1, 1, 2], [1, 1, 1, 3], [10, 11, 12, 13], [3.0, 1.0, 1.5, True], [0, 0, 0, 0]
    )
    assert samples_of(columns, 1) == [(11, 0, 1.0), (12, 0, 1.5)]
    assert samples_of(columns, 2) == [(13, 0, True)]
    assert samples_of(columns, 3) == [(10, 0, 3.0)]
    assert samples_of(columns, 4) == []


async def test_the_range_includes_its_start_and_not_its_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(0.0, 1.0, 2.0, 3.0))  # a second apart from T0
        found = await journal.read_samples(
            1, start_ms=T0_MS + 1_000, end_ms=T0_MS + 3_000, samples_max=9
        )
        assert found.value == (1.0, 2.0)
        assert found.complete_from_ms == T0_MS + 1_000


async def test_ascends_by_device_time_also_where_samples_came_late(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(5.0, 6.0, at_ms=T0_MS + 5_000))
        await journal.append(make_batch(1.0, 2.0, at_ms=T0_MS + 1_000))
        found = await journal.read_samples(1, **FOR_EVER, samples_max=9)
        assert found.value == (1.0, 2.0, 5.0, 6.0)


async def test_cut_at_the_limit_it_keeps_the_newest_and_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for second in range(10):
            await journal.append(make_batch(float(second), at_ms=T0_MS + 1_000 * second))
        found = await journal.read_samples(1, **FOR_EVER, samples_max=3)
        assert found.value == (7.0, 8.0, 9.0)
        assert found.complete_from_ms == T0_MS + 7_000


async def test_reads_across_segments(tmp_path: Path) -> None:
    several = small_config(size_max_bytes=64 * MEBIBYTE)
    async with opened(tmp_path, several) as journal:
        for part in range(40):
            await journal.append(noise_batch(part, 1_000, at_ms=T0_MS + 1_000_000 * part))
        assert journal.state().lanes[2].segments > 1
        found = await journal.read_samples(1, **FOR_EVER, samples_max=100_000)
        assert len(found.value) == 40_000
        assert list(found.ts_ms) == sorted(found.ts_ms)
        early = await journal.read_samples(1, start_ms=T0_MS, end_ms=T0_MS + 2_000, samples_max=9)
        assert early.value == tuple(noise_batch(0, 2).value)


async def test_a_search_that_takes_too_long_gives_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RunningClock:
        """Each look at it is a second later."""

        now_s = 0.0

        def monotonic_s(self) -> float:
            self.now_s += 1.0
            return self.now_s

        def utc_ms(self) -> int:
            return T0_MS

    monkeypatch.setattr(history_module, "BATCHES_PER_STEP", 2)
    journal = open_journal(tmp_path, clock=RunningClock())
    try:
        for second in range(10):
            await journal.append(make_batch(float(second), at_ms=T0_MS + 1_000 * second))
        found = await journal.read_samples(1, **FOR_EVER, samples_max=99)
        assert 0 < len(found.value) < 10
        assert found.value[-1] == 9.0
        assert found.ts_ms[0] - 1_000 < found.complete_from_ms <= found.ts_ms[0]
    finally:
        await journal.close()


async def test_an_empty_log_has_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        found = await journal.read_samples(1, start_ms=0, end_ms=10, samples_max=5)
        assert (found.ts_ms, found.complete_from_ms) == ((), 0)


async def test_a_clock_that_was_set_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "BATCHES_PER_STEP", 1)
    day_ms = 86_400_000
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(1.0, at_ms=T0_MS))
        await journal.append(make_batch(2.0, at_ms=T0_MS - day_ms))  # the clock was a day behind
        await journal.append(make_batch(3.0, at_ms=T0_MS + 1_000))
        found = await journal.read_samples(1, start_ms=T0_MS, end_ms=T0_MS + 9_000, samples_max=9)
        assert found.value == (1.0, 3.0)
        assert found.complete_from_ms == T0_MS


async def test_an_answer_cut_short_never_claims_what_it_has_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "BATCHES_PER_STEP", 1)
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(1.0, at_ms=T0_MS + 5_000))
        await journal.append(make_batch(2.0, at_ms=T0_MS))
        await journal.append(make_batch(3.0, at_ms=T0_MS + 1_000))
        found = await journal.read_samples(1, **FOR_EVER, samples_max=2)
        assert found.value == (2.0, 3.0)
        assert found.complete_from_ms > T0_MS + 5_000
