"""Central's shell of one connection, with the edge played by the test."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from functools import reduce
from random import random

from prometheus_client import CollectorRegistry

from central.errors import ConnectionEndedError, DataRefusedError
from central.inbox import events
from central.inbox.conversation import FRAMES_UNSENT_MAX, Conversation, Surroundings
from central.inbox.session import InboxSession, SessionLimits
from central.inbox.states import State
from central.metrics import SyncMetrics
from shared.clock import SystemClock
from shared.sync.frames import (
    Ack,
    Bye,
    Frame,
    Hello,
    Nack,
    Refuse,
    RefuseCode,
    Report,
    Welcome,
    decode_frame,
    encode_frame,
)
from shared.sync.ranges import Ranges
from tests.support.eventually import until
from tests.support.inbox_story import CREDIT_BYTES, IDENTITY, SILENCE_S
from tests.support.memory_inbox import MemoryInboxStore
from tests.support.sync_frames import make_batch, make_hello

EDGE = ("kaduna", "edge-1", 1)


class PlayedEdge:
    """A connection whose far end is the test: ``heard`` is what central said."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []
        self.is_closed = False
        self._to_central: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._reads = asyncio.Event()
        self._reads.set()

    def say(self, *frames: Frame) -> None:
        for frame in frames:
            self._to_central.put_nowait(encode_frame(frame))

    def hold_back(self) -> None:
        """Read nothing any more."""
        self._reads.clear()

    def let_go(self) -> None:
        """Read again."""
        self._reads.set()

    @property
    def acked(self) -> Ranges:
        """What central has acknowledged."""
        ranges = [frame.ranges for frame in self.heard if isinstance(frame, Ack)]
        return reduce(Ranges.union, ranges, Ranges())

    async def send(self, encoded: bytes) -> None:
        await self._reads.wait()
        self.heard.append(decode_frame(encoded))

    async def receive(self) -> bytes:
        encoded = await self._to_central.get()
        if encoded is None:
            raise ConnectionEndedError("gone")
        return encoded

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self.is_closed = True
        self._to_central.put_nowait(None)

    def has(self, kind: type[Frame]) -> bool:
        return any(isinstance(frame, kind) for frame in self.heard)


async def admit_all(newcomer: Conversation, hello: Hello) -> events.Denied | None:
    del newcomer, hello


@contextlib.asynccontextmanager
async def talking(
    store: MemoryInboxStore,
) -> AsyncGenerator[tuple[PlayedEdge, Conversation]]:
    edge = PlayedEdge()
    limits = SessionLimits(credit_bytes=CREDIT_BYTES, silence_timeout_s=SILENCE_S)
    clock = SystemClock()
    session = InboxSession(IDENTITY, limits, clock.monotonic_s())
    metrics = SyncMetrics(CollectorRegistry())
    conversation = Conversation(
        session, edge, Surroundings(store, clock, metrics, admit_all, random)
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(conversation.run())
        try:
            yield edge, conversation
        finally:
            edge.abort()


async def welcomed(edge: PlayedEdge) -> None:
    edge.say(make_hello(100))
    await until(lambda: edge.has(Welcome))


async def test_welcomes_stores_and_acknowledges() -> None:
    store = MemoryInboxStore()
    async with talking(store) as (edge, _):
        await welcomed(edge)
        edge.say(make_batch(1))
        await until(lambda: edge.has(Ack))
        assert len(store.database.data[EDGE].batches) == 1
    assert len(store.closed) == 1


async def test_a_transaction_that_runs_when_the_edge_goes_is_let_run_to_its_end() -> None:
    store = MemoryInboxStore()
    store.gate.clear()
    async with talking(store) as (edge, conversation):
        await welcomed(edge)
        edge.say(make_batch(1))
        await until(lambda: store.store_calls == 1)
        edge.abort()
        await until(lambda: conversation.session.state is State.CLOSED)
        assert not conversation.ended.is_set()
        store.gate.set()
        await until(conversation.ended.is_set)
    assert len(store.database.data[EDGE].batches) == 1


async def test_gives_way_only_after_its_transaction() -> None:
    store = MemoryInboxStore()
    store.gate.clear()
    async with talking(store) as (edge, conversation), asyncio.TaskGroup() as group:
        await welcomed(edge)
        edge.say(make_batch(1))
        await until(lambda: store.store_calls == 1)
        gives_way = group.create_task(conversation.give_way())
        await until(lambda: Bye(reason="taken_over") in edge.heard)
        assert not gives_way.done()
        store.gate.set()
        await gives_way
        assert len(store.database.data[EDGE].batches) == 1


async def test_acks_that_cannot_be_sent_yet_melt_into_one() -> None:
    store = MemoryInboxStore()
    async with talking(store) as (edge, _):
        await welcomed(edge)
        edge.hold_back()
        edge.say(*(make_batch(seq) for seq in range(1, 201)))
        await until(lambda: len(store.database.data[EDGE].batches) == 200)
        edge.let_go()
        await until(lambda: edge.acked == Ranges.of((1, 200)))
        assert sum(isinstance(frame, Ack) for frame in edge.heard) <= 2


async def test_an_edge_that_does_not_read_its_answers_is_left() -> None:
    store = MemoryInboxStore()
    store.database.quarantine = set(range(1, 2 * FRAMES_UNSENT_MAX))
    async with talking(store) as (edge, conversation):
        await welcomed(edge)
        edge.hold_back()
        edge.say(*(make_batch(seq) for seq in store.database.quarantine))
        await until(conversation.ended.is_set)
        assert edge.is_closed


async def test_a_store_that_is_down_at_hello_is_told_as_such() -> None:
    store = MemoryInboxStore()
    store.is_down = True
    async with talking(store) as (edge, _):
        edge.say(make_hello(1))
        await until(lambda: edge.has(Refuse))
        assert isinstance(edge.heard[0], Refuse)
        assert edge.heard[0].code == RefuseCode.UNAVAILABLE


async def test_reports_that_cannot_be_kept_harm_nothing() -> None:
    store = MemoryInboxStore()
    report = Report(sent_at_ms=0, lanes={}, disk_free_bytes=0, rtt_ms=None, quarantined={})
    async with talking(store) as (edge, _):
        await welcomed(edge)
        store.is_down = True
        edge.say(report)
        store.is_down = False
        edge.say(report, make_batch(1))
        await until(lambda: edge.has(Ack))


async def test_a_report_the_database_refuses_ends_no_session() -> None:
    store = MemoryInboxStore()
    report = Report(sent_at_ms=0, lanes={}, disk_free_bytes=0, rtt_ms=None, quarantined={})
    async with talking(store) as (edge, _):
        await welcomed(edge)
        store.report_bug = DataRefusedError("no JSON")
        edge.say(report)
        await until(lambda: store.report_bug is None)
        edge.say(report, make_batch(1))
        await until(lambda: edge.has(Ack) and bool(store.reports))


async def test_an_unforeseen_error_of_the_store_refuses_that_batch_only() -> None:
    store = MemoryInboxStore()
    async with talking(store) as (edge, _):
        await welcomed(edge)
        store.bug = ZeroDivisionError("a defect")
        edge.say(make_batch(1))
        await until(lambda: edge.has(Nack))
        edge.say(make_batch(2))
        await until(lambda: edge.has(Ack))
        assert set(store.database.data[EDGE].batches) == {(2, 2)}


async def test_says_goodbye_when_central_stops() -> None:
    async with talking(MemoryInboxStore()) as (edge, conversation):
        await welcomed(edge)
        conversation.tell(events.StopRequested())
        await until(conversation.ended.is_set)
        assert edge.heard[-1] == Bye(reason="shutdown")
