"""What is done now and then."""

from central.store.upkeep import Upkeep
from tests.support.central_world import CentralWorld
from tests.support.edge_data import batch_of_body

DAY_MS = 86_400_000


async def test_makes_today_and_tomorrow_ahead_of_time(world: CentralWorld) -> None:
    await Upkeep(world.database, inbox_keep_days=7).run(world.clock.now_ms)
    made = await world.sql(
        "SELECT c.relname::text FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid"
        " WHERE c.relname ~ '_d[0-9]+$' AND c.relkind = 'r' ORDER BY 1"
    )
    assert made == [
        "sample_d20261123",
        "sample_d20261124",
        "sync_batch_d20261123",
        "sync_batch_d20261124",
    ]


async def test_keeps_the_inbox_for_the_days_it_is_told(world: CentralWorld) -> None:
    upkeep = Upkeep(world.database, inbox_keep_days=2)
    grant = await world.session()
    await world.store(grant, batch_of_body(1, b"x", 1))
    await world.unpack()
    assert await upkeep.run(world.clock.now_ms + 2 * DAY_MS) == []
    assert await upkeep.run(world.clock.now_ms + 3 * DAY_MS) == ["sync_batch_d20261123"]


async def test_forgets_old_sessions_but_never_an_edges_newest(world: CentralWorld) -> None:
    for _ in range(2):
        await world.session()
        await world.sql("UPDATE sync_session SET opened_at = opened_at - interval '100 days'")
    await world.sql("UPDATE sync_session SET seen_at = opened_at")
    await world.sql(
        "INSERT INTO worker (worker_id, host, process_id, seen_at)"
        " VALUES (gen_random_uuid(), 'old', 1, now() - interval '31 days')"
    )
    await Upkeep(world.database, inbox_keep_days=7).run(world.clock.now_ms)
    assert await world.sql("SELECT count(*) FROM sync_session") == [1]
    assert await world.sql("SELECT count(*) FROM worker") == [0]
