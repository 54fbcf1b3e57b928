"""History put straight into central's inbox, as edges bring it: batches, through the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from prometheus_client import CollectorRegistry

from central.metrics import StoreMetrics
from central.store.database import Database
from central.store.inbox import PostgresInbox
from shared.clock import Clock
from shared.codec.body import encode_body
from shared.codec.columns import SampleColumns
from shared.domain.samples import ValueType
from shared.sync.frames import Batch, Hello, LaneExtent, SeriesEntry

LANE = 2  # telemetry
_BATCHES_PER_CALL = 16


@dataclass(frozen=True, slots=True)
class History:
    """What each of ``edges`` brings: so many batches of so many samples of each series."""

    site: str
    prefix: str
    edges: int
    batches: int
    series: int
    samples_per_series: int
    spacing_ms: int
    start_ms: int

    @property
    def samples(self) -> int:
        """All of it."""
        return self.edges * self.batches * self.series * self.samples_per_series

    def series_name(self, edge: int, number: int) -> str:
        """Return kind/id/metric of a series of an edge, both counted from 0."""
        return f"sensor/{self.prefix}-{edge}-{number}/ch4_pct"


async def fill_inbox(database: Database, clock: Clock, history: History) -> None:
    """Store all batches of ``history``, durable, not yet unpacked; edges one after another.

    Raises:
        StoreError: the server is away.
    """
    inbox = PostgresInbox(database, clock, StoreMetrics(CollectorRegistry()))
    for edge in range(history.edges):
        grant = await inbox.open_session(_hello(history, edge), clock.utc_ms())
        entries = [_entry(history, edge, number) for number in range(history.series)]
        chance = np.random.default_rng(edge)
        batches = [_batch(history, seq, chance) for seq in range(1, history.batches + 1)]
        for first in range(0, len(batches), _BATCHES_PER_CALL):
            part: Sequence[Batch] = batches[first : first + _BATCHES_PER_CALL]
            await inbox.store(grant, entries if not first else (), part, now_ms=clock.utc_ms())
        await inbox.session_closed(grant, clock.utc_ms())


def _entry(history: History, edge: int, number: int) -> SeriesEntry:
    kind, asset_id, metric = history.series_name(edge, number).split("/")
    return SeriesEntry(number + 1, kind, asset_id, metric, "%", ValueType.NUMBER)


def _hello(history: History, edge: int) -> Hello:
    return Hello(
        site=history.site,
        edge_id=f"{history.prefix}-{edge}",
        install_uuid=str(uuid5(NAMESPACE_URL, f"{history.prefix}/{edge}")),
        boot_id="bench",
        epoch=0,
        software="bench",
        lanes={LANE: LaneExtent(1, history.batches)},
        series_count=history.series,
        sent_at_ms=history.start_ms,
    )


def _batch(history: History, seq: int, chance: np.random.Generator) -> Batch:
    """Return batch ``seq``: a walk of two decimals for each series, behind the batch before."""
    count, series = history.samples_per_series, history.series
    first_ms = history.start_ms + (seq - 1) * count * history.spacing_ms
    times = first_ms + np.arange(count, dtype=np.int64) * history.spacing_ms
    steps = chance.integers(-3, 4, (series, count))
    n = series * count
    body = encode_body(
        SampleColumns(
            series_ix=np.arange(1, series + 1, dtype=np.uint32),
            value_type=np.full(series, ValueType.NUMBER, np.uint8),
            count=np.full(series, count, np.uint32),
            ts_ms=np.tile(times, series),
            quality=np.zeros(n, np.uint16),
            number=(np.cumsum(steps, axis=1).ravel() / 100.0 + 20.0),
            integer=np.empty(0, np.int64),
            flag=np.empty(0, np.bool_),
            text=(),
        )
    )
    last_ms = int(times[-1])
    return Batch(
        lane=LANE, seq=seq, n=n, t_min_ms=first_ms, t_max_ms=last_ms,
        recv_min_ms=first_ms, recv_max_ms=last_ms, sha256=sha256(body).digest(), body=body,
    )  # fmt: skip
