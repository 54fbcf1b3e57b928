"""The two machines wired mouth to ear: what either says, the other understands."""

from central.inbox.states import State as InboxState
from edge.uplink.states import State as UplinkState
from shared.sync.frames import FRAME_SIZE_MAX_BYTES, SERIES_COST_BYTES, Role
from tests.support.sync_frames import OTHER_INSTALL_UUID
from tests.support.sync_world import SILENCE_S, World

EPOCH_1 = ("kaduna", "edge-1", 1)
TWO = (Role.URGENT, Role.BULK)


def test_what_the_edge_appends_is_at_central() -> None:
    world = World()
    for _ in range(5):
        world.append(new_series=1)
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended
    assert world.database.data[EPOCH_1].series == world.log.series
    assert not world.log.kept  # all of it acknowledged
    assert world.log.epoch == 1


def test_live_batches_flow_one_by_one() -> None:
    world = World()
    world.settle()
    for seq in range(1, 4):
        world.append()
        world.settle()
        assert len(world.database.data[EPOCH_1].batches) == seq


def test_a_backlog_larger_than_the_credit_flows_in_portions() -> None:
    world = World()
    for _ in range(40):
        world.append(size_bytes=FRAME_SIZE_MAX_BYTES // 8)
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended


def test_a_catalogue_larger_than_the_credit_flows_in_portions() -> None:
    world = World()
    world.append(new_series=3 * FRAME_SIZE_MAX_BYTES // SERIES_COST_BYTES)
    world.settle()
    assert world.database.data[EPOCH_1].series == world.log.series


def test_the_longest_batch_passes_the_smallest_credit() -> None:
    world = World(credit_bytes=FRAME_SIZE_MAX_BYTES)
    for size_bytes in (8, FRAME_SIZE_MAX_BYTES - 4_096 - 4, 8):
        world.append(size_bytes=size_bytes)
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended
    assert world.refused == []


def test_resumes_after_a_cut_without_sending_again_what_central_holds() -> None:
    world = World()
    for _ in range(5):
        world.append()
    world.settle()
    world.crash_edge()
    world.append()
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended
    assert world.database.data[EPOCH_1].repeated == 0


def test_a_commit_whose_ack_was_lost_is_not_applied_twice() -> None:
    world = World()
    world.settle()
    world.append()
    (side,) = world.centrals
    while side.running is None:
        world.deliver_up(side)
    world.end_transaction(side)  # committed, and the ack is on its way
    side.wire.down.clear()
    side.wire.is_broken = True
    world.settle()
    data = world.database.data[EPOCH_1]
    assert (data.batches, data.repeated) == (world.log.appended, 0)  # WELCOME told the edge


def test_an_outage_of_the_database_only_slows_the_edge() -> None:
    world = World()
    world.settle()
    (side,) = world.centrals
    world.append()
    for _ in range(60):
        world.pass_time(1.0)
        while world.deliver_up(side) or world.deliver_down() or world.write():
            pass
        world.end_transaction(side, is_down=True)
    assert (side.session.state, world.edge.session.state) == (
        InboxState.STREAMING,
        UplinkState.STREAMING,
    )
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended


def test_a_half_open_connection_is_noticed_and_replaced() -> None:
    world = World()
    world.settle()
    (old,) = world.centrals
    old.wire.up.clear()
    world.edge.wire = None if world.edge.wire is None else type(old.wire)()  # nobody listens there
    world.append()
    for _ in range(int(SILENCE_S) + 1):
        world.pass_time(1.0)
        world.write()
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended


def test_a_poisoned_batch_is_refused_alone_and_stays_in_the_log() -> None:
    world = World()
    world.database.poison = {3}
    for _ in range(6):
        world.append()
    world.settle()
    assert [(note.seq, note.code) for note in world.refused] == [(3, "store_failed")]
    assert list(world.log.kept) == [(2, 3)]
    world.database.poison.clear()
    world.crash_edge()
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended


def test_a_quarantined_batch_is_let_go_because_central_keeps_it() -> None:
    world = World()
    world.database.quarantine = {2}
    for _ in range(3):
        world.append()
    world.settle()
    assert [(note.seq, note.code) for note in world.refused] == [(2, "quarantined")]
    assert not world.log.kept


def test_an_edge_restored_from_an_old_image_goes_on_in_a_new_epoch() -> None:
    world = World()
    for _ in range(3):
        world.append()
    image = world.log.image()
    world.append()
    world.append()
    world.settle()
    world.restore_edge(image)
    world.append()
    world.settle()
    old, new = (world.database.data["kaduna", "edge-1", epoch] for epoch in (1, 2))
    assert sorted(old.batches) == [(2, seq) for seq in range(1, 6)]
    assert new.batches == {(2, 4): image.appended[2, 4]}  # 1 to 3 are held already
    assert world.database.fences == ["lane 2 is held up to 5, the edge's log ends at 4"]
    assert world.log.kept == {}
    assert world.log.epoch == 2


def test_what_an_old_image_has_and_central_has_not_is_sent_once() -> None:
    world = World()
    for _ in range(3):
        world.append()
    world.settle()
    for _ in range(7):
        world.append()
    image = world.log.image()  # 4 to 10 are in it and not yet sent
    world.append()
    world.settle()
    world.restore_edge(image)
    world.append(new_series=1)
    world.settle()
    new = world.database.data["kaduna", "edge-1", 2]
    assert sorted(new.batches) == [(2, 11)]
    assert new.series == world.log.series


def test_a_new_installation_gets_a_new_epoch_and_mixes_with_nothing() -> None:
    world = World()
    world.append()
    world.settle()
    world.log = type(world.log)(install_uuid=OTHER_INSTALL_UUID)
    for side in world.centrals:
        world.cut(side.wire)
    world.crash_edge()
    while any(world.deliver_up(side) for side in world.centrals):
        pass  # central has noticed that the old edge is gone
    world.append()
    world.settle()
    assert world.log.epoch == 2
    assert world.database.data["kaduna", "edge-1", 2].batches == world.log.appended


def test_headquarters_is_told_how_things_stand() -> None:
    world = World()
    world.settle()
    for _ in range(20):
        world.pass_time(1.0)
        world.settle()
    assert world.reports >= 4  # one at once, then every 5 s


# Two connections.


def test_an_alert_passes_while_the_bulk_connection_stands_still() -> None:
    world = World(roles=TWO)
    world.append(2, new_series=1)
    world.settle()
    urgent, bulk = world.links
    for _ in range(20):
        world.append(2, size_bytes=100_000)
    world.append(0)
    while world.finish_dial(urgent) or world.write(urgent) or world.deliver_down(urgent):
        pass
    (of_urgent,) = [side for side in world.centrals if side.session.role is Role.URGENT]
    while world.deliver_up(of_urgent) or world.end_transaction(of_urgent):
        pass
    held = world.database.data[EPOCH_1].batches
    assert (0, 1) in held
    assert len(held) == 2  # nothing of the twenty: they are on the other connection
    assert bulk.wire
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended


def test_each_connection_carries_its_own_lanes_and_only_bulk_the_catalogue() -> None:
    world = World(roles=TWO)
    for lane in (0, 1, 2, 3):
        world.append(lane, new_series=2)
    world.settle()
    lanes = {side.session.role: side.session for side in world.centrals}
    assert set(lanes) == {Role.URGENT, Role.BULK}
    assert lanes[Role.URGENT].account.series_seen == 0
    assert lanes[Role.BULK].account.series_seen == len(world.log.series) == 4
    assert [sorted(link.session.ledger.lanes) for link in world.links if link.session.ledger] == [
        [0, 1],
        [2, 3],
    ]
    assert world.reports == 1  # of two connections the urgent one reports


def test_a_connection_that_is_lost_leaves_the_other_alone() -> None:
    world = World(roles=TWO)
    world.append()
    world.settle()
    urgent, bulk = world.links
    assert bulk.wire
    world.cut(bulk.wire)
    world.deliver_down(bulk)
    assert bulk.session.state is UplinkState.WAITING
    world.append(0)
    while world.work():
        pass
    assert urgent.session.state is UplinkState.STREAMING
    assert (0, 1) in world.database.data[EPOCH_1].batches
    world.settle()
    assert world.connections == 3


def test_a_take_over_ends_only_the_connection_for_the_same_lanes() -> None:
    world = World(roles=TWO)
    world.append()
    world.settle()
    world.crash_edge()
    while not world.is_settled:
        if not world.work():
            world.pass_time(0.1)
    open_roles = [
        side.session.role for side in world.centrals if side.session.state is InboxState.STREAMING
    ]
    assert sorted(open_roles) == [Role.BULK, Role.URGENT]


def test_central_that_knows_one_connection_only_is_served_on_one() -> None:
    world = World(roles=TWO, knows_roles=False)
    for lane in (0, 2, 2):
        world.append(lane, new_series=1)
    world.settle()
    assert world.database.data[EPOCH_1].batches == world.log.appended
    assert world.connections == 1
    assert world.links[0].served is Role.ALL


def test_an_edge_of_one_connection_is_replaced_by_one_of_two_without_loss() -> None:
    world = World()
    world.append(new_series=1)
    world.settle()
    old = world.centrals[0]
    world.use_roles(TWO)
    world.append(0)
    world.append()
    world.settle()
    assert old.session.state in {InboxState.CLOSING, InboxState.CLOSED}
    assert world.database.data[EPOCH_1].batches == world.log.appended
    assert world.database.data[EPOCH_1].repeated == 0
