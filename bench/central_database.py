"""Central's database as a benchmark sees it: what is durable, what is unpacked, what it holds."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from bench.accounting import COUNTER_METRIC
from central.config import CentralConfig
from central.store.database import address_of
from central.store.schema import SCHEMA_NAME
from edge.log.records import TELEMETRY_LANE
from shared.clock import Clock
from shared.configuration import load_configuration

POLL_S = 0.005  # a commit is seen at most this much late, and half of it on average

_DURABLE = """
SELECT coalesce(max(upper(held) - 1), 0) FROM sync_range WHERE lane = %s AND NOT isempty(held)
"""
# The partial index on waiting batches makes this as cheap as the backlog is small.
_WAITING = "SELECT count(*), min(seq) FROM sync_batch WHERE state = 'received' AND lane = %s"
_TO_ROLL_UP = """
SELECT (SELECT count(*) FROM rollup_dirty WHERE hour < now() - interval '2 hours')
    + (SELECT count(*) FROM sync_batch WHERE state = 'received')
"""
_NUMBERS = """
SELECT series.asset_id, array_agg(sample.v)
FROM sample JOIN series USING (site_id, series_id)
WHERE series.metric = %s AND series.asset_id LIKE %s
GROUP BY series.asset_id
"""


def connect(central_config: Path) -> "psycopg.Connection[tuple[Any, ...]]":
    """Return a connection to the database that this configuration of central names.

    Raises:
        ConfigurationError: if the configuration cannot be used.
        psycopg.Error: if the server does not answer.
    """
    config = load_configuration(CentralConfig, file=central_config, environment={}, flags={})
    return psycopg.connect(
        address_of(config.database), autocommit=True, options=f"-c search_path={SCHEMA_NAME}"
    )


@dataclass(slots=True)
class InboxWatch:
    """Notes when each batch was durable at central; ``watch`` runs in its own thread.

    A batch counts as unpacked when no batch with its number or a smaller one is waiting.
    """

    central_config: Path
    clock: Clock
    stop: threading.Event = field(default_factory=threading.Event)
    durable_ms: dict[int, int] = field(default_factory=dict[int, int])  # by sequence number
    unpacked_ms: dict[int, int] = field(default_factory=dict[int, int])
    durable_seq: int = 0
    unpacked_seq: int = 0

    def watch(self) -> None:
        """Look until ``stop`` is set. Batches that are there at the first look are not noted."""
        with connect(self.central_config) as connection:
            self._look(connection)
            self.durable_ms.clear()
            self.unpacked_ms.clear()
            while not self.stop.wait(POLL_S):
                self._look(connection)

    def _look(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        durable_seq = int(_row(connection, _DURABLE)[0])
        waiting, first_waiting = _row(connection, _WAITING)
        unpacked_seq = int(first_waiting) - 1 if waiting else durable_seq
        now_ms = self.clock.utc_ms()
        for seq in range(self.durable_seq + 1, durable_seq + 1):
            self.durable_ms[seq] = now_ms
        for seq in range(self.unpacked_seq + 1, unpacked_seq + 1):
            self.unpacked_ms[seq] = now_ms
        self.durable_seq = durable_seq
        self.unpacked_seq = max(self.unpacked_seq, unpacked_seq)


def numbers_in_samples(central_config: Path, prefix: str) -> dict[str, NDArray[np.float64]]:
    """Return the sample numbers that the sample table holds, by source, for sources of a run."""
    with connect(central_config) as connection:
        rows = connection.execute(_NUMBERS, (COUNTER_METRIC, f"{prefix}-%"), binary=True)
        return {asset_id: np.array(numbers, dtype=np.float64) for asset_id, numbers in rows}


def hours_to_roll_up(central_config: Path) -> int:
    """Return how many hours that are over, and batches, still wait for the worker."""
    with connect(central_config) as connection:
        found = connection.execute(_TO_ROLL_UP).fetchone()
    assert found is not None
    return int(found[0])


def _row(connection: "psycopg.Connection[tuple[Any, ...]]", query: str) -> tuple[Any, ...]:
    found = connection.execute(query, (TELEMETRY_LANE,)).fetchone()  # pyright: ignore[reportArgumentType] constants of this module
    assert found is not None
    return found
