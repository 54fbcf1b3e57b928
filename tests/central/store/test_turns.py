"""Every edge gets its turn."""

from central.store.turns import EdgeKey, dealt, next_round
from shared.domain.samples import ValueType
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, entry

A, B, C = (EdgeKey(1, number) for number in (1, 2, 3))


def test_who_comes_behind_the_last_one_served_is_first() -> None:
    assert next_round([A, B, C], A, 9).edges == (B, C, A)
    assert next_round([A, B, C], None, 9).edges == (A, B, C)
    assert next_round([A, C], B, 9).edges == (C, A)


def test_a_round_shares_the_batches_and_says_who_has_no_part() -> None:
    whole = next_round([A, B, C], None, 8)
    assert (whole.batches_each, whole.is_partial) == (2, False)
    part = next_round([A, B, C], None, 2)
    assert (part.edges, part.batches_each, part.is_partial) == ((A, B), 1, True)
    assert next_round([], None, 8).edges == ()


def test_the_first_of_each_come_before_the_seconds() -> None:
    rows = [(A, 1), (A, 2), (A, 3), (C, 4), (C, 5)]
    assert [row for _, row in dealt(rows)] == [1, 4, 2, 5, 3]


async def test_no_edge_waits_behind_the_backlog_of_the_others(world: CentralWorld) -> None:
    for number in range(1, 6):
        grant = await world.session(edge_id=f"edge-{number}", install=number)
        count = 20 if number < 5 else 1
        sent = [batch(seq, [Sample(1, NOW_MS + seq, number)]) for seq in range(1, count + 1)]
        await world.store(grant, *sent, series=[entry(1, value_type=ValueType.INTEGER)])
        world.clock.advance_s(1.0)
    await world.unpacking.apply_next(batches_max=2)
    await world.unpacking.apply_next(batches_max=2)
    await world.unpacking.apply_next(batches_max=2)
    # Three transactions of two batches, five edges: each has had its turn.
    assert sorted(await world.sql("SELECT DISTINCT i FROM sample")) == [1, 2, 3, 4, 5]
    assert (await world.unpack()).batches == 81 - 6
