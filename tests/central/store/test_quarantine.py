"""What cannot be applied is kept, shown and released once; what is not understood waits."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import LiteralString

import psycopg
import pytest

from central.errors import StoreError
from central.inbox.unpack import prepare
from central.store.quarantine import Quarantine
from central.store.releasing import Released, Releasing
from shared.domain.samples import ValueType
from shared.web.site_data import HeldCount
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, batch_of_body, entry

NUMBER = [entry(1)]
NAN = float("nan")


def releasing(world: CentralWorld) -> Releasing:
    return Releasing(world.database, world.clock, prepare)


async def values(world: CentralWorld) -> list[float]:
    return await world.sql("SELECT v FROM sample ORDER BY ts")


async def states(world: CentralWorld) -> list[str]:
    return await world.sql("SELECT state FROM sync_batch ORDER BY seq")


def ramp(count: int) -> list[Sample]:
    return [Sample(1, NOW_MS + n, float(n)) for n in range(count)]


async def test_the_good_rows_of_a_batch_are_applied_and_the_bad_ones_kept_verbatim(
    world: CentralWorld,
) -> None:
    sent = batch(1, [Sample(1, NOW_MS, 1.0), Sample(1, NOW_MS + 1, NAN, 4), *ramp(1)])
    await world.deliver(sent, series=NUMBER)
    assert sorted(await values(world)) == [0.0, 1.0]
    (held,) = await Quarantine(world.database).entries()
    assert (held.state, held.reason, held.rows, held.batch_rows) == ("held", "bad_value", 1, 3)
    kept = await Quarantine(world.database).body(int(held.entry_id), rows_max=10)
    assert kept is not None
    assert kept.body == sent.body
    (row,) = kept.rows
    assert (row.series, row.ts_ms, str(row.value), row.quality) == (
        "sensor/ch4-01/ch4_pct", NOW_MS + 1, "nan", 4,
    )  # fmt: skip
    assert await states(world) == ["applied"]


async def test_rows_that_only_the_server_refuses_are_found_in_their_batch(
    world: CentralWorld,
) -> None:
    await world.sql("ALTER TABLE sample ADD CONSTRAINT mild CHECK (v NOT IN (3, 17))")
    await world.deliver(batch(1, ramp(20)), series=NUMBER)
    assert await values(world) == [float(n) for n in range(20) if n not in (3, 17)]
    (held,) = await Quarantine(world.database).entries()
    assert (held.reason, held.rows) == ("refused_by_database", 2)


async def test_after_a_repair_each_row_is_released_once(world: CentralWorld) -> None:
    await world.sql("ALTER TABLE sample ADD CONSTRAINT mild CHECK (v NOT IN (3, 17))")
    await world.deliver(batch(1, ramp(20)), series=NUMBER)
    (held,) = await Quarantine(world.database).entries()
    assert await releasing(world).release([held.entry_id]) == Released(rows=0, still_held=2)
    await world.sql("ALTER TABLE sample DROP CONSTRAINT mild")
    assert await releasing(world).release([held.entry_id]) == Released(rows=2)
    assert await releasing(world).release([held.entry_id]) == Released()
    assert await values(world) == [float(n) for n in range(20)]
    (gone,) = await Quarantine(world.database).entries(with_released=True)
    assert (gone.state, await Quarantine(world.database).entries()) == ("released", [])


async def test_what_is_still_bad_after_a_release_stays(world: CentralWorld) -> None:
    samples = [Sample(1, NOW_MS, NAN), Sample(2, NOW_MS, 1.0)]
    flag = entry(2, "b_c", value_type=ValueType.FLAG)
    await world.deliver(batch(1, samples), series=[entry(1), flag])
    held = await Quarantine(world.database).entries()
    assert {each.reason for each in held} == {"bad_value", "bad_type"}
    assert await states(world) == ["quarantined"]
    await world.sql("UPDATE series SET value_type = 1 WHERE metric = 'b_c'")
    done = await releasing(world).release(each.entry_id for each in held)
    assert (done.rows, done.still_held) == (1, 1)
    assert await values(world) == [1.0]
    assert [each.reason for each in await Quarantine(world.database).entries()] == ["bad_value"]
    assert await states(world) == ["applied"]


async def test_a_release_that_is_cut_off_has_changed_nothing(world: CentralWorld) -> None:
    await world.sql("ALTER TABLE sample ADD CONSTRAINT mild CHECK (v < 100)")
    await world.deliver(batch(1, [Sample(1, NOW_MS, 200.0)]), series=NUMBER)
    await world.sql("ALTER TABLE sample DROP CONSTRAINT mild")
    (held,) = await Quarantine(world.database).entries()
    await world.sql("ALTER TABLE latest RENAME TO away")
    with pytest.raises(StoreError):
        await releasing(world).release([held.entry_id])
    await world.sql("ALTER TABLE away RENAME TO latest")
    assert await values(world) == []
    assert (await releasing(world).release([held.entry_id])).rows == 1
    assert await values(world) == [200.0]


async def test_a_newer_program_tries_once_what_an_older_one_refused(world: CentralWorld) -> None:
    await world.sql("ALTER TABLE sample ADD CONSTRAINT mild CHECK (v < 100)")
    await world.deliver(batch(1, [Sample(1, NOW_MS, 200.0)]), series=NUMBER)
    same = releasing(world)
    await world.sql("ALTER TABLE sample DROP CONSTRAINT mild")
    assert await same.second_look() == Released()  # this version has judged already
    await world.sql("UPDATE sync_quarantine SET judged_by = '0.0.1'")
    assert await releasing(world).second_look() == Released(rows=1)
    assert await values(world) == [200.0]


async def test_programs_of_two_versions_do_not_take_turns_for_ever(world: CentralWorld) -> None:
    worker = releasing(world)
    await worker.second_look()
    await world.deliver(batch_of_body(1, b"rubbish", 1), series=NUMBER)
    await world.sql("UPDATE sync_quarantine SET judged_by = '9.9.9'")  # the other one, just now
    assert await worker.second_look() == Released()


async def test_a_batch_whose_series_is_unknown_waits_for_it(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, [Sample(2, NOW_MS, 2.0)]), batch(2, ramp(1)), series=NUMBER)
    applied = await world.unpack()
    assert (applied.batches, [each.reason for each in applied.parked]) == (1, ["unknown_series"])
    assert await states(world) == ["parked", "applied"]
    assert await releasing(world).second_look() == Released()
    await world.store(grant, batch(3, ramp(1)), series=[entry(2, "b_c")])
    assert await releasing(world).second_look() == Released(unparked=1)
    await world.unpack()
    assert await states(world) == ["applied"] * 3
    assert sorted(await values(world)) == [0.0, 0.0, 2.0]


async def test_a_body_of_a_later_format_waits_for_a_newer_program(world: CentralWorld) -> None:
    sent = batch(1, ramp(2))
    await world.deliver(batch_of_body(1, b"\x02" + sent.body[1:], 2), series=NUMBER)
    assert await states(world) == ["parked"]
    (parked,) = await Quarantine(world.database).entries()
    assert (parked.state, parked.reason, parked.rows) == ("parked", "unknown_format", 2)
    assert parked.entry_id == "kaduna/edge-1/1/2/1"
    # The newer program's arrival, as far as this one can be it: the body reads now.
    await world.sql("UPDATE sync_batch SET body = %(body)s, judged_by = '0.0.1'", body=sent.body)
    assert await releasing(world).second_look() == Released(unparked=1)
    await world.unpack()
    assert await values(world) == [0.0, 1.0]


async def test_a_parked_batch_is_released_by_its_name(world: CentralWorld) -> None:
    await world.deliver(batch_of_body(1, b"\x02", 1), series=NUMBER)
    for wrong in ("kaduna", "kaduna/edge-1/1/2/x", "a/b/c/d/e/f"):
        with pytest.raises(ValueError, match="expected a number or site"):
            await releasing(world).release([wrong])
    assert await releasing(world).release(["kaduna/edge-1/1/2/2"]) == Released()
    assert await releasing(world).release(["kaduna/edge-1/1/2/1"]) == Released(unparked=1)
    assert await states(world) == ["received"]


async def test_a_parked_batch_keeps_its_day_in_the_inbox(world: CentralWorld) -> None:
    await world.deliver(batch_of_body(1, b"\x02", 1), series=NUMBER)
    assert await world.inbox._partitions.drop_before(10**6) == []  # pyright: ignore[reportPrivateUsage]
    assert await states(world) == ["parked"]


async def test_the_status_counts_what_is_held_by_reason(world: CentralWorld) -> None:
    unfit = [batch(seq, [Sample(1, NOW_MS, NAN), *ramp(1)]) for seq in (1, 2)]
    await world.deliver(*unfit, batch_of_body(3, b"\x02", 5), series=NUMBER)
    (edge,) = await world.reader.sync_status("kaduna")
    assert edge.held == {"bad_value": HeldCount(batches=2, rows=2)}
    assert edge.parked == {"unknown_format": HeldCount(batches=1, rows=5)}
    assert edge.inbox_pending == 0


FAILING: dict[LiteralString, LiteralString] = {
    "down": "08006",
    "serialization": "40001",
    "disk full": "53100",
    "out of memory": "53200",
    "lock not free": "55P03",
    "slow": "57014",
    "shutting down": "57P01",
    "disk read error": "58030",
}


@pytest.mark.parametrize("trouble", FAILING)
@pytest.mark.parametrize("table", ["sync_batch", "sample", "latest"])
async def test_trouble_that_passes_condemns_nothing(
    world: CentralWorld, trouble: LiteralString, table: LiteralString
) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, ramp(3)), series=NUMBER)
    await world.sql(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION"
        f" 'trouble' USING ERRCODE = '{FAILING[trouble]}'; END$$"
    )
    await world.sql(
        f"CREATE TRIGGER failing BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    work: Callable[[], Awaitable[object]] = world.unpack
    if table == "sync_batch":
        work = partial(world.store, grant, batch(2, ramp(1)))  # no acknowledgement, so no credit
    with pytest.raises(StoreError):
        await work()
    await world.sql(f"DROP TRIGGER failing ON {table}")
    assert await states(world) == ["received"]
    assert await world.sql("SELECT count(*) FROM sync_quarantine") == [0]
    assert (await world.unpack()).rows == 3


async def test_a_server_that_is_slow_or_locked_only_delays(world: CentralWorld) -> None:
    grant = await world.session()
    await world.store(grant, batch(1, ramp(3)), series=NUMBER)
    with psycopg.connect(world.url, options="-c search_path=headframe") as other:
        other.execute("LOCK TABLE latest IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreError, match="55P03"):
            await world.unpack()
        assert await states(world) == ["received"]
    assert (await world.unpack()).rows == 3
