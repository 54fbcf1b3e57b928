"""How edges and the inbox are shown: connected, stale, behind."""

from uuid import UUID, uuid4

import pytest

from central.store.edge_status import read_backlog
from central.store.workers import WorkerIdentity, WorkerRows, WorkTotal
from shared.sync.frames import LaneBacklog, Report, Role
from shared.web.site_data import EdgeStatus, LinkState
from tests.support.central_world import CentralWorld
from tests.support.edge_data import LANE, NOW_MS, Sample, batch, batch_of_body, entry
from tests.support.eventually import eventually


async def only_edge(world: CentralWorld) -> EdgeStatus:
    (edge,) = await world.reader.sync_status("kaduna")
    return edge


async def test_an_edge_is_connected_until_its_session_closes(world: CentralWorld) -> None:
    grant = await world.session()
    assert (await only_edge(world)).state is LinkState.CONNECTED
    await world.inbox.session_closed(grant, NOW_MS)
    edge = await only_edge(world)
    assert edge.state is LinkState.DISCONNECTED
    assert edge.since_ms == edge.last_seen_ms


async def test_an_edge_whose_process_died_does_not_stay_connected(world: CentralWorld) -> None:
    await world.session()
    await world.sql("UPDATE sync_session SET seen_at = seen_at - interval '1 minute'")
    assert (await only_edge(world)).state is LinkState.DISCONNECTED
    await world.inbox.beat()
    assert (await only_edge(world)).state is LinkState.CONNECTED


async def test_two_connections_are_one_link_that_is_up_when_both_are(world: CentralWorld) -> None:
    up, down = LinkState.CONNECTED, LinkState.DISCONNECTED
    await world.session(role=Role.URGENT)
    assert (await only_edge(world)).state is down
    bulk = await world.session(role=Role.BULK)
    edge = await only_edge(world)
    assert (edge.state, edge.connections) == (up, {"urgent": up, "bulk": up})
    await world.inbox.session_closed(bulk, NOW_MS)
    edge = await only_edge(world)
    assert (edge.state, edge.connections) == (down, {"urgent": up, "bulk": down})


async def test_a_session_takes_over_those_of_its_lanes_only(world: CentralWorld) -> None:
    for role in (Role.ALL, Role.URGENT, Role.BULK, Role.BULK):
        await world.session(role=role)
    open_roles = await world.sql(
        "SELECT role FROM sync_session WHERE closed_at IS NULL ORDER BY role"
    )
    assert open_roles == ["bulk", "urgent"]
    assert set((await only_edge(world)).connections) == {"urgent", "bulk"}
    await world.session(role=Role.ALL)  # downgraded
    edge = await only_edge(world)
    assert (edge.state, set(edge.connections)) == (LinkState.CONNECTED, {"all"})


async def test_the_end_of_an_old_session_does_not_end_the_new_one(world: CentralWorld) -> None:
    old = await world.session()
    await world.session()
    await world.inbox.session_closed(old, NOW_MS)
    assert (await only_edge(world)).state is LinkState.CONNECTED


async def test_backlog_and_round_trip_are_what_the_edge_last_said(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, *(batch_of_body(seq, b"x", 1) for seq in (1, 2, 4)))
    lane = LaneBacklog(9, 3, 6, 600, 12_000, NOW_MS - 5_000)
    report = Report(
        sent_at_ms=NOW_MS, lanes={LANE: lane}, disk_free_bytes=1, rtt_ms=600.0,
        quarantined={"bad_json": 2}, broker_refused={"not_permitted": 4},
    )  # fmt: skip
    await world.inbox.record_report(grant, report, NOW_MS)
    edge = await only_edge(world)
    shown = edge.lanes[LANE]
    assert (shown.last_seq, shown.acked, shown.backlog_batches) == (9, 3, 6)
    assert (shown.backlog_samples, shown.backlog_bytes) == (600, 12_000)
    assert shown.oldest_unacked_ms == NOW_MS - 5_000
    assert (edge.rtt_ms, edge.quarantined, edge.inbox_pending) == (600.0, {"bad_json": 2}, 3)
    assert edge.broker_refused == {"not_permitted": 4}


async def test_what_has_come_since_the_report_is_no_backlog(world: CentralWorld) -> None:
    grant = await world.session()
    lane = LaneBacklog(3, 1, 2, 200, 4_000, NOW_MS - 5_000)
    report = Report(
        sent_at_ms=NOW_MS, lanes={LANE: lane}, disk_free_bytes=1, rtt_ms=1.0, quarantined={}
    )
    await world.inbox.record_report(grant, report, NOW_MS)
    await world.store(grant, *(batch_of_body(seq, b"x", 1) for seq in (1, 2, 3)))
    shown = (await only_edge(world)).lanes[LANE]
    assert (shown.acked, shown.backlog_batches, shown.oldest_unacked_ms) == (3, 0, None)


@pytest.mark.parametrize(
    ("held_since", "backlog"),
    [((), (2, 200, 4_000)), ((4,), (1, 100, 2_000)), ((4, 5), (0, 0, 0))],
)
async def test_a_number_that_was_lost_keeps_no_backlog_alive(
    world: CentralWorld, held_since: tuple[int, ...], backlog: tuple[int, int, int]
) -> None:
    grant = await world.session()
    await world.store(grant, batch_of_body(1, b"x", 1), batch_of_body(3, b"x", 1))  # 2 is lost
    lane = LaneBacklog(5, 2, 2, 200, 4_000, NOW_MS - 5_000)
    report = Report(
        sent_at_ms=NOW_MS, lanes={LANE: lane}, disk_free_bytes=1, rtt_ms=1.0, quarantined={}
    )
    await world.inbox.record_report(grant, report, NOW_MS)
    await world.store(grant, *(batch_of_body(seq, b"x", 1) for seq in held_since))
    shown = (await only_edge(world)).lanes[LANE]
    assert (shown.backlog_batches, shown.backlog_samples, shown.backlog_bytes) == backlog


async def test_a_report_kept_by_an_older_central_tells_of_no_broker(world: CentralWorld) -> None:
    grant = await world.session()
    report = Report(sent_at_ms=NOW_MS, lanes={}, disk_free_bytes=1, rtt_ms=1.0, quarantined={})
    await world.inbox.record_report(grant, report, NOW_MS)
    await world.sql("UPDATE sync_session SET report = report - 'broker_refused'")
    assert (await only_edge(world)).broker_refused == {}


async def test_counts_go_down_as_the_inbox_is_unpacked(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(
        grant, batch(1, [Sample(1, NOW_MS, 1.0)]), batch_of_body(2, b"x", 1), series=[entry(1)]
    )
    before = await read_backlog(world.database)
    await world.unpack()
    after = await read_backlog(world.database)
    assert (before.pending, after.pending, after.quarantined) == (2, 0, 1)
    assert (await only_edge(world)).inbox_pending == 0


async def test_samples_without_a_day_of_their_own_are_counted(world: CentralWorld) -> None:
    far_ms = NOW_MS + 9 * 86_400_000
    await world.deliver(batch(1, [Sample(1, far_ms, 1.0)]), series=[entry(1)])

    async def are_counted() -> bool:
        return (await read_backlog(world.database)).default_rows == 1

    await eventually(are_counted)  # statistics come a moment after the commit


async def test_a_missing_worker_is_said_where_people_look(world: CentralWorld) -> None:
    await world.session()
    rows, worker = WorkerRows(world.database), WorkerIdentity(uuid4(), "host", 1)
    assert "worker" in str((await only_edge(world)).error)
    await rows.beat(worker, WorkTotal(1, 2, 3))
    await rows.beat(WorkerIdentity(UUID(int=1), "other", 2), WorkTotal())
    assert ((await only_edge(world)).error, await rows.running()) == (None, 2)
    assert (await read_backlog(world.database)).unpacked_samples == 2
    await world.sql(
        "UPDATE worker SET seen_at = seen_at - interval '1 minute' WHERE host = 'other'"
    )
    await rows.stop(worker)
    assert await rows.running() == 0
    assert "since 20" in str((await only_edge(world)).error)


async def test_edges_are_listed_by_name(world: CentralWorld) -> None:
    await world.session(edge_id="edge-2", install=2)
    await world.session(edge_id="edge-1", install=1)
    edges = await world.reader.sync_status("kaduna")
    assert [edge.edge_id for edge in edges] == ["edge-1", "edge-2"]
    assert list(await world.reader.sync_status("obuasi")) == []
