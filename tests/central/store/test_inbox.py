"""The inbox on a real PostgreSQL: epochs, exactly-once, conflicts, what an Ack may rest on."""

import asyncio
import random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL

from central.config import DatabaseConfig
from central.errors import BatchRefusedError, StoreError
from central.store.database import Database
from central.store.grants import SessionGrant
from central.store.inbox import CONFLICT_BODIES_MAX, PostgresInbox
from central.store.upkeep import Upkeep
from shared.domain.samples import ValueType
from shared.sync.frames import Batch, LaneExtent, Mark, NackCode, Report
from shared.sync.marks import make_marks
from shared.sync.ranges import Ranges
from tests.support.central_world import CentralWorld
from tests.support.edge_data import LANE, NOW_MS, Sample, batch, batch_of_body, entry, hello


async def test_a_new_installation_gets_the_next_epoch_and_an_old_one_keeps_its_own(
    world: CentralWorld,
) -> None:
    first = await world.session(install=1)
    second = await world.session(install=2)
    again = await world.session(install=1)
    assert [grant.epoch for grant in (first, second, again)] == [1, 2, 1]
    assert len({grant.session_id for grant in (first, second, again)}) == 3
    assert first.central_uuid == second.central_uuid
    assert UUID(first.central_uuid)


async def test_epochs_are_counted_per_edge(world: CentralWorld) -> None:
    assert (await world.session(edge_id="edge-1", install=1)).epoch == 1
    assert (await world.session(edge_id="edge-2", install=2)).epoch == 1
    assert (await world.session(site="obuasi", edge_id="edge-1", install=3)).epoch == 1
    assert list(await world.reader.sites()) == ["kaduna", "obuasi"]


async def test_an_epoch_this_database_has_forgotten_is_kept(world: CentralWorld) -> None:
    assert (await world.session(install=1, epoch=7)).epoch == 7
    assert (await world.session(install=2)).epoch == 8


async def test_a_senseless_epoch_does_not_use_up_the_numbers(world: CentralWorld) -> None:
    assert (await world.session(install=1, epoch=2**31 - 1)).epoch == 1


def marked(*batches: Batch, last_seq: int) -> dict[str, Any]:
    """Return what HELLO says of a log that has these batches among others."""
    return {
        "epoch": 1,
        "lanes": {LANE: LaneExtent(1, last_seq)},
        "marks": {LANE: tuple(Mark(one.seq, one.sha256[:16]) for one in reversed(batches))},
        "series_count": 1,
    }


SENT = [batch(seq, [Sample(1, NOW_MS + seq, 0.5)]) for seq in range(1, 6)]
OTHER = [batch(seq, [Sample(1, NOW_MS + seq, 9.5)]) for seq in range(1, 6)]


async def test_an_old_image_goes_on_in_an_epoch_that_shares_what_it_has(
    world: CentralWorld,
) -> None:
    await world.deliver(*SENT, series=[entry(1)])
    grant = await world.session(**marked(*SENT[:2], last_seq=2))
    assert (grant.epoch, grant.series_known) == (2, 0)
    assert grant.lanes == {LANE: Ranges.of((1, 2))}
    assert grant.fenced == "lane 2 is held up to 5, the edge's log ends at 2"
    result = await world.store(grant, *OTHER[2:3], series=[entry(1)])
    await world.unpack()
    assert result.stored == {LANE: Ranges.of((3, 3))}
    assert sorted(await world.sql("SELECT v FROM sample")) == [0.5] * 5 + [9.5]
    assert (await world.session(**marked(*SENT[:2], last_seq=3) | {"epoch": 2})).epoch == 2


async def test_an_epoch_knows_what_it_shares_with_the_one_before(world: CentralWorld) -> None:
    await world.deliver(*SENT, series=[entry(1)])
    second = await world.session(**marked(*SENT[:3], last_seq=3))
    assert (second.epoch, second.lanes) == (2, {LANE: Ranges.of((1, 3))})
    # The disk is restored once more, to an image that is older still and went on differently.
    third = await world.session(**marked(SENT[0], OTHER[1], OTHER[2], last_seq=3) | {"epoch": 2})
    assert third.fenced == "lane 2: batch 2 is held with other content"
    assert (third.epoch, third.lanes) == (3, {LANE: Ranges.of((1, 1))})
    await world.store(third, OTHER[1], SENT[2], series=[entry(1)])
    fourth = await world.session(**marked(OTHER[2], last_seq=3) | {"epoch": 3})
    assert fourth.fenced == "lane 2: batch 3 is held with other content"


async def test_what_an_old_image_sends_again_is_applied_once(world: CentralWorld) -> None:
    await world.deliver(*SENT, series=[entry(1)])
    # It marks nothing that tells how much of its log is shared: all of it comes again.
    grant = await world.session(**marked(last_seq=4))
    assert grant.lanes == {}
    result = await world.store(grant, *SENT[:3], OTHER[3], series=[entry(1)])
    await world.unpack()
    assert result.stored == {LANE: Ranges.of((1, 4))}
    assert result.refused == ()
    assert sorted(await world.sql("SELECT v FROM sample")) == [0.5] * 5 + [9.5]


async def test_a_batch_is_known_by_its_hash_after_its_body_is_long_gone(
    world: CentralWorld,
) -> None:
    await world.deliver(*SENT, series=[entry(1)])
    await Upkeep(world.database, inbox_keep_days=3).run(NOW_MS + 10 * 86_400_000)
    assert await world.sql("SELECT count(*) FROM sync_batch") == [0]
    assert (await world.session(epoch=1)).marks == make_marks(
        {LANE: {one.seq: one.sha256 for one in (SENT[1], SENT[3], SENT[4])}}
    )
    grant = await world.session(**marked(OTHER[3], SENT[1], last_seq=5))
    assert grant.fenced == "lane 2: batch 4 is held with other content"
    assert grant.lanes == {LANE: Ranges.of((1, 2))}
    await world.store(grant, SENT[2], OTHER[3], series=[entry(1)])
    await world.unpack()
    assert sorted(await world.sql("SELECT v FROM sample")) == [0.5] * 5 + [9.5]


async def test_two_copies_of_a_node_each_have_an_epoch(world: CentralWorld) -> None:
    await world.deliver(*SENT[:3], series=[entry(1)])
    first = await world.session(**marked(*SENT[:3], last_seq=3))
    await world.store(first, SENT[3], series=[])
    second = await world.session(**marked(*SENT[:3], OTHER[3], last_seq=4))
    assert (first.epoch, second.epoch) == (1, 2)
    await world.store(second, OTHER[3], series=[entry(1)])
    again = await world.session(**marked(*SENT[:4], last_seq=4))
    assert (again.epoch, again.fenced) == (1, None)
    await world.unpack()
    assert sorted(await world.sql("SELECT v FROM sample")) == [0.5] * 4 + [9.5]


async def test_an_epoch_that_a_restored_central_has_forgotten_shares_by_hash(
    world: CentralWorld,
) -> None:
    await world.deliver(*SENT[:3], series=[entry(1)])
    grant = await world.session(**marked(*SENT[:4], last_seq=4) | {"epoch": 4})
    assert (grant.epoch, grant.lanes) == (4, {})
    await world.store(grant, *SENT[:4], series=[entry(1)])
    await world.unpack()
    assert await world.sql("SELECT count(*) FROM sample") == [4]


async def test_concurrent_greetings_of_one_new_installation_get_one_epoch(
    world: CentralWorld,
) -> None:
    async with asyncio.TaskGroup() as group:
        opened = [group.create_task(world.session(install=9)) for _ in range(8)]
    assert {task.result().epoch for task in opened} == {1}
    assert await world.sql("SELECT count(*) FROM sync_epoch") == [1]


async def test_concurrent_greetings_of_new_installations_get_epochs_of_their_own(
    world: CentralWorld,
) -> None:
    await world.session(install=100)  # the edge is known: only its epochs are fought for
    async with asyncio.TaskGroup() as group:
        opened = [group.create_task(world.session(install=n)) for n in range(1, 9)]
    assert {task.result().epoch for task in opened} == set(range(2, 10))


async def test_the_grant_tells_what_is_held_and_which_series_are_known(
    world: CentralWorld,
) -> None:
    grant = await world.session()
    await world.store(
        grant,
        *(batch_of_body(seq, b"x", 1) for seq in (1, 2, 5)),
        series=[entry(1, "a_c"), entry(2, "b_c"), entry(4, "d_c")],
    )
    again = await world.session()
    assert again.lanes == {LANE: Ranges.of((1, 2), (5, 5))}
    assert again.series_known == 2  # 3 is missing


async def test_a_batch_sent_again_is_stored_once_and_acknowledged_again(
    world: CentralWorld,
) -> None:
    grant = await world.session()
    one, two = batch_of_body(1, b"one", 1), batch_of_body(2, b"two", 1)
    await world.store(grant, one)
    result = await world.store(grant, one, two, two)
    assert result.stored == {LANE: Ranges.of((1, 2))}
    assert not result.refused
    assert await world.sql("SELECT seq FROM sync_batch ORDER BY seq") == [1, 2]


async def test_lanes_number_their_batches_apart(world: CentralWorld) -> None:
    grant = await world.session()
    result = await world.store(
        grant, batch_of_body(1, b"telemetry", 1), batch_of_body(1, b"alert", 1, lane=0)
    )
    assert result.stored == {0: Ranges.of((1, 1)), LANE: Ranges.of((1, 1))}
    assert await world.sql("SELECT lane, body FROM sync_batch ORDER BY lane") == [
        (0, b"alert"),
        (LANE, b"telemetry"),
    ]


async def test_another_body_under_a_held_number_is_kept_aside_and_refused(
    world: CentralWorld,
) -> None:
    grant = await world.session()
    await world.store(grant, batch_of_body(1, b"first", 1))
    for _ in range(2):
        result = await world.store(grant, batch_of_body(1, b"other", 1))
        assert result.stored == {}
        assert [(r.lane, r.seq, r.code) for r in result.refused] == [(LANE, 1, NackCode.CONFLICT)]
    assert await world.sql("SELECT body FROM sync_batch") == [b"first"]
    assert await world.sql("SELECT body FROM sync_conflict") == [b"other"]


async def test_two_bodies_under_one_number_in_one_call_are_a_conflict_too(
    world: CentralWorld,
) -> None:
    grant = await world.session()
    result = await world.store(grant, batch_of_body(1, b"first", 1), batch_of_body(1, b"other", 1))
    assert result.stored == {LANE: Ranges.of((1, 1))}
    assert [refusal.seq for refusal in result.refused] == [1]
    assert await world.sql("SELECT body FROM sync_batch") == [b"first"]


async def test_the_bodies_of_conflicts_are_bounded_per_edge(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch_of_body(1, b"first", 1))
    await world.sql(
        "INSERT INTO sync_conflict SELECT site_id, edge_node_id, epoch, lane, seq,"
        " sha256(i::text::bytea), received_at, n, 0, 0, ''"
        " FROM sync_batch, generate_series(1, %(count)s) AS i",
        count=CONFLICT_BODIES_MAX,
    )
    await world.store(grant, batch_of_body(1, b"other", 1))
    assert await world.sql("SELECT count(*), count(body) FROM sync_conflict") == [
        (CONFLICT_BODIES_MAX + 1, CONFLICT_BODIES_MAX)
    ]


async def test_concurrent_stores_of_the_same_batches_store_each_once(world: CentralWorld) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 the seed must be seen
    chance = random.Random(seed)
    grants = [await world.session() for _ in range(6)]
    batches = [batch_of_body(seq, b"%d" % seq, 1) for seq in range(1, 61)]

    async def send(grant: SessionGrant) -> None:
        for _ in range(5):
            part = chance.sample(batches, 30)
            result = await world.store(grant, *part)
            assert result.stored == {LANE: Ranges.of_numbers(b.seq for b in part)}

    async with asyncio.TaskGroup() as group:
        for grant in grants:
            group.create_task(send(grant))
    await world.store(grants[0], *batches)
    assert await world.sql("SELECT seq FROM sync_batch ORDER BY seq") == list(range(1, 61))
    assert (await world.session()).lanes == {LANE: Ranges.of((1, 60))}


async def test_a_duplicate_is_recognised_after_its_body_is_long_gone(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch_of_body(1, b"one", 1))
    await world.sql("DELETE FROM sync_batch")
    result = await world.store(grant, batch_of_body(1, b"one", 1))
    assert result.stored == {LANE: Ranges.of((1, 1))}
    assert await world.sql("SELECT count(*) FROM sync_batch") == [0]


async def test_series_are_shared_by_the_edges_of_a_site(world: CentralWorld) -> None:
    one = await world.session(edge_id="edge-1", install=1)
    two = await world.session(edge_id="edge-2", install=2)
    await world.store(one, series=[entry(1, "a_c"), entry(2, "b_c")])
    await world.store(two, series=[entry(1, "b_c"), entry(2, "a_c"), entry(2, "a_c")])
    assert await world.sql("SELECT metric FROM series ORDER BY series_id") == ["a_c", "b_c"]
    assert await world.sql(
        "SELECT e.name, series_ix, metric FROM edge_series"
        " JOIN edge_node AS e USING (site_id, edge_node_id)"
        " JOIN series USING (site_id, series_id) ORDER BY 1, 2"
    ) == [("edge-1", 1, "a_c"), ("edge-1", 2, "b_c"), ("edge-2", 1, "b_c"), ("edge-2", 2, "a_c")]


async def test_a_series_number_never_changes_its_meaning(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, series=[entry(1, "a_c")])
    with pytest.raises(BatchRefusedError, match="series number 1"):
        await world.store(grant, batch_of_body(1, b"x", 1), series=[entry(1, "b_c")])
    assert await world.sql("SELECT count(*) FROM sync_batch") == [0]  # nothing was committed
    with pytest.raises(BatchRefusedError, match="series number 1"):
        await world.store(grant, series=[entry(1, "a_c", value_type=ValueType.TEXT)])


async def test_names_with_a_nul_character_neither_fail_nor_collide(world: CentralWorld) -> None:
    grant = await world.session(boot_id="boot\x00")
    await world.store(grant, series=[entry(1, unit="\x00"), entry(2, unit="\x10"), entry(3)])
    assert await world.sql("SELECT count(*) FROM series") == [3]


async def test_commits_wait_for_the_disk_whatever_the_server_prefers(world: CentralWorld) -> None:
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute("ALTER ROLE headframe SET synchronous_commit = off")
        durable = Database(DatabaseConfig(url=world.url), application="durable")
        try:
            settings = await durable.rows(SQL("SHOW synchronous_commit"), {})
        finally:
            await durable.close()
            connection.execute("ALTER ROLE headframe RESET synchronous_commit")
    assert settings == [("on",)]
    await world.store(await world.session(), batch_of_body(1, b"x", 1))
    assert await world.sql("SHOW synchronous_commit") == ["on"]  # announcing was off for itself


async def test_a_server_that_is_away_is_no_fault_of_the_batch(world: CentralWorld) -> None:
    grant = await world.session()
    away = Database(DatabaseConfig(url="host=/nonexistent"), application="away")
    inbox = PostgresInbox(away, world.clock, world.metrics)
    with pytest.raises(StoreError):
        await inbox.store(grant, [], [batch_of_body(1, b"x", 1)], now_ms=NOW_MS)
    with pytest.raises(StoreError):
        await inbox.open_session(hello(), NOW_MS)
    await away.close()


async def test_the_newest_report_is_kept_with_the_session(world: CentralWorld) -> None:
    grant = await world.session()
    report = Report(
        sent_at_ms=NOW_MS, lanes={}, disk_free_bytes=5, rtt_ms=612.5, quarantined={"bad_json": 3}
    )
    await world.inbox.record_report(grant, report, NOW_MS)
    assert await world.sql("SELECT report->>'rtt_ms', report->'quarantined' FROM sync_session") == [
        ("612.5", {"bad_json": 3})
    ]


async def test_an_inbox_day_gets_its_partition_with_the_first_batch(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(1, NOW_MS, 0.5)]))
    assert await world.sql("SELECT tableoid::regclass::text FROM sync_batch") == [
        "sync_batch_d20261123"
    ]


async def test_a_partition_that_cannot_be_made_now_stops_no_batch(world: CentralWorld) -> None:
    grant = await world.session()
    with psycopg.connect(world.url, options="-c search_path=headframe") as reader:
        reader.execute("SELECT count(*) FROM sync_batch_default")  # its lock lasts to the end
        result = await world.store(grant, batch_of_body(1, b"x", 1))
    assert result.stored == {LANE: Ranges.of((1, 1))}
    assert await world.sql("SELECT tableoid::regclass::text FROM sync_batch") == [
        "sync_batch_default"
    ]
    await world.store(grant, batch_of_body(2, b"y", 1))
    assert await world.sql("SELECT DISTINCT tableoid::regclass::text FROM sync_batch") == [
        "sync_batch_d20261123"
    ]
