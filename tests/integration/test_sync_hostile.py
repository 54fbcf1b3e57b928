"""An edge with a good certificate and bad manners harms nobody but itself."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from central.inbox.acceptor import SyncListener
from shared.sync.frames import (
    BODY_SIZE_MAX_BYTES,
    FRAME_SIZE_MAX_BYTES,
    Ack,
    Bye,
    Frame,
    Nack,
    Ping,
    Refuse,
    SeriesFrame,
    Welcome,
)
from tests.support.edge_log import append_values, opened
from tests.support.eventually import until
from tests.support.hostile_edge import HostileEdge, hostile_edge
from tests.support.inbox_story import with_wrong_hash
from tests.support.memory_inbox import MemoryInboxStore
from tests.support.sync_frames import make_batch, make_hello, make_series, make_welcome
from tests.support.sync_link import SyncSite, uplinked


@dataclass(frozen=True, slots=True)
class Scene:
    """A hostile edge on a listener."""

    edge: HostileEdge
    store: MemoryInboxStore
    site: SyncSite
    listener: SyncListener


@contextlib.asynccontextmanager
async def scene(folder: Path, **limits: float) -> AsyncGenerator[Scene]:
    """Give a connected hostile edge, and check at the end that an honest one is still served."""
    site, store = SyncSite(folder), MemoryInboxStore()
    limits = {"credit_bytes": FRAME_SIZE_MAX_BYTES, **limits}
    async with site.listening(store, limits=limits) as listener:
        async with hostile_edge(site, listener, "kaduna/edge-2") as edge:
            yield Scene(edge, store, site, listener)
        async with opened(folder / "edge") as journal:
            await append_values(journal, 1.0)
            async with uplinked(site.uplink_config(listener.port), journal) as uplink:
                await until(lambda: uplink.link.acked_batches == 1)


async def greeted(edge: HostileEdge, last_seq: int = 1_000_000) -> None:
    await edge.say(make_hello(last_seq, series_count=1_000, edge_id="edge-2"))
    assert isinstance(await edge.hear(), Welcome)


def refusals(heard: list[Frame]) -> list[str]:
    return [frame.code for frame in heard if isinstance(frame, Refuse)]


GARBAGE = {
    "noise": bytes(range(256)),
    "nothing": b"",
    "an unknown frame": msgspec.msgpack.encode([99, 1, 2]),
    "deep nesting": b"\x91" * 500_000,
    "a map": msgspec.msgpack.encode({"type": "hello"}),
}


@pytest.mark.parametrize("encoded", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_refused(tmp_path: Path, encoded: bytes) -> None:
    async with scene(tmp_path) as on:
        await on.edge.say_bytes(encoded)
        assert refusals(await on.edge.hear_all()) == ["bad_frame"]


async def test_a_message_over_the_limit_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        with contextlib.suppress(ConnectionError):
            await on.edge.say_bytes(bytes(FRAME_SIZE_MAX_BYTES + 1))
        assert await on.edge.hear_all() == []


async def test_the_longest_frame_passes(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await greeted(on.edge)
        await on.edge.say(make_batch(1, bytes(BODY_SIZE_MAX_BYTES)))
        assert isinstance(await on.edge.hear(), Ack)
        assert len(on.store.database.data["kaduna", "edge-2", 1].batches) == 1


async def test_text_ends_the_connection(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await on.edge.say_text("hello")
        assert await on.edge.hear_all() == []


async def test_frames_before_hello_are_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await on.edge.say(make_batch(1))
        assert refusals(await on.edge.hear_all()) == ["bad_frame"]
        assert not on.store.database.data


@pytest.mark.parametrize(
    "frame",
    [make_welcome(), make_hello(edge_id="edge-2"), SeriesFrame(entries=make_series(5, 9))],
    ids=lambda frame: type(frame).__name__,
)
async def test_frames_out_of_place_are_refused(tmp_path: Path, frame: Frame) -> None:
    async with scene(tmp_path) as on:
        await greeted(on.edge)
        await on.edge.say(frame)
        assert refusals(await on.edge.hear_all()) == ["bad_frame"]


async def test_an_edge_that_ignores_its_credit_is_refused_and_fills_nothing(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as on:
        on.store.gate.clear()  # nothing is committed, so no credit comes back
        await greeted(on.edge)
        with contextlib.suppress(ConnectionError):
            for seq in range(1, 64):
                await on.edge.say(make_batch(seq, bytes(100_000)))
        assert refusals(await on.edge.hear_all()) == ["credit_exceeded"]
        on.store.gate.set()


async def test_a_flood_of_pings_is_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await greeted(on.edge)
        with contextlib.suppress(ConnectionError):
            await on.edge.say(*(Ping(ping_id=number) for number in range(500)))
        assert refusals(await on.edge.hear_all()) == ["too_fast"]


async def test_forged_bodies_are_nacked_and_in_number_refused(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await greeted(on.edge)
        await on.edge.say(*(with_wrong_hash(make_batch(seq)) for seq in range(1, 20)))
        heard = await on.edge.hear_all()
        assert {f.code for f in heard if isinstance(f, Nack)} == {"bad_hash"}
        assert refusals(heard) == ["too_many_refused"]
        assert not on.store.database.data["kaduna", "edge-2", 1].batches


async def test_an_edge_that_says_nothing_is_left(tmp_path: Path) -> None:
    async with scene(tmp_path, silence_timeout_s=0.5) as on:
        await greeted(on.edge)
        assert await on.edge.hear_all() == []
        await until(lambda: len(on.listener.live) == 0)


async def test_a_connection_dropped_in_the_middle_of_a_commit_is_no_trouble(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as on:
        on.store.gate.clear()
        await greeted(on.edge)
        await on.edge.say(make_batch(1))
        await until(lambda: on.store.store_calls == 1)
        await on.edge.leave()
        on.store.gate.set()
        await until(lambda: len(on.store.closed) == 1)
        assert len(on.store.database.data["kaduna", "edge-2", 1].batches) == 1


async def test_many_rude_edges_at_once_harm_nobody(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:

        async def be_rude(number: int) -> None:
            async with hostile_edge(on.site, on.listener, "kaduna/edge-2") as edge:
                await edge.say_bytes(bytes([number]) * 1_000)
                assert refusals(await edge.hear_all()) == ["bad_frame"]

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(be_rude(number))


async def test_a_full_house_is_told_to_come_back_later(tmp_path: Path) -> None:
    async with scene(tmp_path, sessions_max=1) as on:
        await greeted(on.edge)
        async with hostile_edge(on.site, on.listener, "kaduna/edge-3") as late:
            await late.say(make_hello(edge_id="edge-3"))
            assert refusals(await late.hear_all()) == ["busy"]


async def test_leaving_politely_is_answered(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await greeted(on.edge)
        await on.edge.say(Bye(reason="shutdown"))
        assert await on.edge.hear_all() == []
