"""History for benchmarks comes by the road of real edges and is all there afterwards."""

from bench.inbox_filling import History, fill_inbox
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS

HISTORY = History(
    site="bench", prefix="b", edges=3, batches=2, series=4, samples_per_series=5,
    spacing_ms=1_000, start_ms=NOW_MS - 60_000,
)  # fmt: skip


async def test_everything_that_was_filled_in_is_unpacked(world: CentralWorld) -> None:
    await fill_inbox(world.database, world.clock, HISTORY)
    applied = await world.unpack()
    assert (applied.batches, applied.rows) == (6, HISTORY.samples)
    assert await world.sql("SELECT count(DISTINCT (series_id, ts)) FROM sample") == [120]
    names = await world.sql("SELECT kind || '/' || asset_id || '/' || metric FROM series")
    assert sorted(names) == sorted(HISTORY.series_name(e, n) for e in range(3) for n in range(4))
    (first_ms, last_ms), *_ = await world.sql("SELECT min(ts), max(ts) FROM sample")
    assert (first_ms, last_ms) == (HISTORY.start_ms, HISTORY.start_ms + 9_000)
