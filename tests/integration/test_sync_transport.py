"""Edge and central over real TLS WebSockets on loopback: streams, cuts, outages, recovery."""

import asyncio
import contextlib
import shutil
from pathlib import Path

import uvloop

from edge.log.journal import Journal
from edge.uplink.link import LinkStage
from edge.uplink.pump import Uplink
from shared.clock import SystemClock
from tests.support.edge_log import append_values, noise_batch, opened, read_all
from tests.support.eventually import until
from tests.support.memory_inbox import EdgeData, MemoryInboxStore
from tests.support.relay import relaying
from tests.support.sync_link import INSTALLATION, ROOMY, SyncSite, uplinked

TELEMETRY = 2


def data_of(store: MemoryInboxStore, epoch: int = 1) -> EdgeData:
    return store.database.data["kaduna", "edge-1", epoch]


def has_all(store: MemoryInboxStore, count: int) -> bool:
    known = store.database.data.get(("kaduna", "edge-1", 1))
    return known is not None and len(known.batches) == count


async def same_as_log(store: MemoryInboxStore, journal: Journal) -> bool:
    held = data_of(store).batches
    stored = await read_all(journal)
    return {(b.lane, b.seq): (b.sha256, b.body) for b in stored} == {
        key: (b.sha256, b.body) for key, b in held.items()
    }


async def test_batches_stream_and_are_acknowledged(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with opened(tmp_path / "edge") as journal, site.listening(store) as listener:
        await append_values(journal, 1.0, 2.0, 3.0)
        async with uplinked(site.uplink_config(listener.port), journal) as uplink:
            await until(lambda: has_all(store, 3))
            await append_values(journal, 4.0)
            await until(lambda: uplink.link.acked_batches == 4)
            assert uplink.link.state is LinkStage.STREAMING
            assert uplink.link.rtt_ms is not None
            assert len(listener.live) == 1
        assert await same_as_log(store, journal)
        assert journal.state().lanes[TELEMETRY].acked.spans == ((1, 4),)
        assert journal.identity().epoch == 1
        assert store.reports
    assert store.closed  # the goodbye came through
    assert uplink.link.state is LinkStage.STOPPED


def test_streams_on_uvloop_too(tmp_path: Path) -> None:
    uvloop.run(test_batches_stream_and_are_acknowledged(tmp_path))


async def test_a_link_that_is_cut_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with (
        opened(tmp_path / "edge", ROOMY) as journal,
        site.listening(store, limits={"credit_bytes": 1_048_576}) as listener,
        relaying(listener.port) as relay,
        uplinked(site.uplink_config(relay.port), journal) as uplink,
    ):
        for number in range(40):
            await journal.append(noise_batch(number, 8_000))  # 64 kB each
            if number % 4 == 0:
                relay.cut_after_bytes = relay.passed_bytes + 30_000 * (number % 7)
        await until(lambda: has_all(store, journal.state().lanes[TELEMETRY].last_seq))
        await until(lambda: uplink.link.in_flight_batches == 0)
        assert await same_as_log(store, journal)
        assert relay.connections > 3
        assert store.database.conflicts == []


async def test_a_half_open_connection_is_given_up_for_a_new_one(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with (
        opened(tmp_path / "edge") as journal,
        site.listening(store) as listener,
        relaying(listener.port) as relay,
        uplinked(site.uplink_config(relay.port, silence_timeout_s=0.6), journal) as uplink,
    ):
        await until(lambda: uplink.link.is_connected)
        relay.stall()
        await journal.append(noise_batch(1, 100))
        await until(lambda: (uplink.link.error or "").startswith("silence"))
        relay.flow()
        await until(lambda: has_all(store, 1))


async def test_central_may_be_away_for_a_while(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with opened(tmp_path / "edge") as journal:
        async with site.listening(store) as listener:
            port = listener.port
            async with uplinked(site.uplink_config(port), journal) as uplink:
                await until(lambda: uplink.link.is_connected)
        async with uplinked(site.uplink_config(port), journal) as uplink:
            await append_values(journal, 1.0, 2.0)
            await until(lambda: uplink.link.error is not None)
            assert "Connection refused" in str(uplink.link.error)
            async with site.listening(store, port=port):
                await until(lambda: has_all(store, 2))


async def test_says_why_central_went_away(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with contextlib.AsyncExitStack() as stack:
        journal = await stack.enter_async_context(opened(tmp_path / "edge"))
        async with site.listening(store) as listener:
            config = site.uplink_config(listener.port, backoff_min_s=60.0, backoff_max_s=60.0)
            uplink = await stack.enter_async_context(uplinked(config, journal))
            await until(lambda: uplink.link.is_connected)
        await until(lambda: uplink.link.error == "central said goodbye: shutdown")


async def test_a_database_that_is_down_only_delays(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with (
        opened(tmp_path / "edge") as journal,
        site.listening(store) as listener,
        uplinked(site.uplink_config(listener.port), journal) as uplink,
    ):
        await until(lambda: uplink.link.is_connected)
        store.is_down = True
        await append_values(journal, 1.0, 2.0)
        await until(lambda: store.store_calls >= 3)
        assert uplink.link.is_connected
        assert uplink.link.acked_batches == 0
        store.is_down = False
        await until(lambda: has_all(store, 2))
        assert uplink.link.sessions == 2  # one for each connection


async def test_a_database_that_is_down_at_hello_is_retried(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    store.is_down = True
    async with (
        opened(tmp_path / "edge") as journal,
        site.listening(store) as listener,
        uplinked(site.uplink_config(listener.port), journal) as uplink,
    ):
        await until(lambda: "unavailable" in (uplink.link.error or ""))
        store.is_down = False
        await until(lambda: uplink.link.is_connected)
        assert uplink.link.error is None


async def test_a_store_that_stumbles_over_one_batch_goes_on_with_the_next(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with (
        opened(tmp_path / "edge") as journal,
        site.listening(store) as listener,
        uplinked(site.uplink_config(listener.port), journal) as uplink,
    ):
        await append_values(journal, 1.0)
        await until(lambda: has_all(store, 1))
        store.bug = KeyError("a bug in the store")
        await append_values(journal, 2.0)
        await until(lambda: uplink.link.refused_batches == 1)
        await append_values(journal, 3.0)
        await until(lambda: has_all(store, 2))
        await until(lambda: journal.state().lanes[TELEMETRY].owed.spans == ((2, 2),))
        assert uplink.link.sessions == 2


async def test_the_edge_restarts_and_goes_on_where_it_was(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with site.listening(store) as listener:
        for life in range(3):
            async with opened(tmp_path / "edge") as journal:
                await append_values(journal, float(life), float(life))
                async with uplinked(site.uplink_config(listener.port), journal) as uplink:
                    count = 2 * (life + 1)
                    await until(lambda count=count: has_all(store, count))
                    assert uplink.link.sent_batches == 2
        assert data_of(store).repeated == 0


async def test_dropping_the_task_drops_the_connection(tmp_path: Path) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with opened(tmp_path / "edge") as journal, site.listening(store) as listener:
        uplink = Uplink(site.uplink_config(listener.port), journal, INSTALLATION, SystemClock())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(uplink.run())
            await until(lambda: uplink.link.is_connected)
            task.cancel()
        await until(lambda: not listener.live)


async def test_a_log_that_was_replaced_by_an_old_copy_goes_on_in_a_new_epoch(
    tmp_path: Path,
) -> None:
    site, store = SyncSite(tmp_path), MemoryInboxStore()
    async with site.listening(store) as listener:
        async with opened(tmp_path / "edge") as journal:
            await append_values(journal, 1.0, 2.0)
        shutil.copytree(tmp_path / "edge", tmp_path / "image")
        async with opened(tmp_path / "edge") as journal:
            await append_values(journal, 3.0)
            async with uplinked(site.uplink_config(listener.port), journal):
                await until(lambda: has_all(store, 3))
        async with opened(tmp_path / "image") as journal:
            await append_values(journal, 4.0)
            async with uplinked(site.uplink_config(listener.port), journal):
                await until(lambda: journal.identity().epoch == 2)
                await until(lambda: not journal.state().lanes[2].owed)
    assert store.database.fences == ["lane 2: batch 3 is held with other content"]
    fresh = store.database.data["kaduna", "edge-1", 2]
    assert sorted(fresh.batches) == [(2, 3)]
