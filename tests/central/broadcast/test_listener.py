"""New values reach the sockets of a process by way of a real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import psycopg

from central.broadcast.listener import LiveListener
from shared.domain.samples import LatestValue
from tests.support.central_world import CentralWorld
from tests.support.edge_data import NOW_MS, Sample, batch, entry
from tests.support.eventually import eventually

SERIES = [entry(1, "a_c"), entry(2, "b_c")]


class HeardValues:
    """A `LiveSink` that remembers."""

    def __init__(self) -> None:
        self.values: list[tuple[str, str, object]] = []

    def publish(self, site: str, values: Sequence[LatestValue]) -> None:
        self.values += [(site, each.series.name.metric, each.value) for each in values]

    async def pause(self, interval_s: float) -> None:
        await asyncio.sleep(interval_s)

    async def heard(self, metric: str, value: float) -> None:
        async def has_come() -> bool:
            return ("kaduna", metric, value) in self.values

        await eventually(has_come)


@asynccontextmanager
async def listening(world: CentralWorld) -> AsyncGenerator[HeardValues]:
    sink = HeardValues()
    listener = LiveListener(world.database, world.reader, sink, world.metrics)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(listener.run())
        yield sink
        task.cancel()


async def test_what_was_there_before_is_sent_first(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=SERIES)
    async with listening(world) as sink:
        await sink.heard("a_c", 1.0)


async def test_only_what_is_newer_than_what_is_shown_is_sent(world: CentralWorld) -> None:
    await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=SERIES)
    async with listening(world) as sink:
        await sink.heard("a_c", 1.0)
        samples = [Sample(1, NOW_MS - 5, 0.5), Sample(2, NOW_MS, 2.0)]
        await world.deliver(batch(2, samples), series=[])
        await sink.heard("b_c", 2.0)
    assert sink.values == [("kaduna", "a_c", 1.0), ("kaduna", "b_c", 2.0)]


async def test_values_of_several_sites_are_kept_apart(world: CentralWorld) -> None:
    async with listening(world) as sink:
        for number, site in enumerate(("kaduna", "obuasi"), 1):
            grant = await world.session(site=site, install=number)
            samples = batch(1, [Sample(1, NOW_MS, float(number))])
            await world.store(grant, samples, series=SERIES[:1])
        await world.unpack()
        await sink.heard("a_c", 1.0)
    assert sorted(sink.values) == [("kaduna", "a_c", 1.0), ("obuasi", "a_c", 2.0)]


async def test_a_lost_connection_is_made_up_for(world: CentralWorld) -> None:
    async with listening(world) as sink:
        await world.deliver(batch(1, [Sample(1, NOW_MS, 1.0)]), series=SERIES)
        await sink.heard("a_c", 1.0)
        with psycopg.connect(world.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND usename = current_user"
            )
        grant = await world.session()
        await world.store(grant, batch(2, [Sample(1, NOW_MS + 1, 3.0)]))
        await world.unpack()
        await sink.heard("a_c", 3.0)
