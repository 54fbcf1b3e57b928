"""The worker process: unpacks the inbox as batches arrive. Owns its tasks and its stop.

PostgreSQL may come late, restart or be killed at any time: the worker waits and goes on. Any
number of workers may run; each batch is unpacked by one of them.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final
from uuid import uuid4

import numpy as np
from prometheus_client import start_http_server

from central.config import CentralConfig
from central.errors import DataRefusedError, StoreError
from central.inbox.pacing import Pace
from central.inbox.unpack import prepare
from central.metrics import WorkerMetrics
from central.store.claims import Applied, Parked, Poison
from central.store.database import Database
from central.store.listening import listen
from central.store.live_notice import INBOX_CHANNEL
from central.store.readiness import wait_for_schema
from central.store.releasing import Released, Releasing
from central.store.rollups import RolledUp, Rollups
from central.store.unpacking import Unpacking
from central.store.upkeep import Upkeep
from central.store.workers import WORKER_BEAT_S, WorkerIdentity, WorkerRows, WorkTotal
from shared.clock import Clock
from shared.logs import get_log
from shared.notify import Notifier

SAFETY_POLL_S: Final = 2.0  # a notification lost in a reconnect costs no more than this
# After a transaction that took all there was: what arrives meanwhile shares the next one, and the
# newest values of its series are written once. A person sees ten changes a second as flowing.
COMPANY_S: Final = 0.1
UPKEEP_EVERY_S: Final = 600.0
UPKEEP_RETRY_S: Final = 10.0
# A batch that waited for its series is unpacked so soon after the series is known.
SECOND_LOOK_EVERY_S: Final = 2.0
ROLL_UP_EVERY_S: Final = 5.0  # when no hour is due; what is not rolled up is read from samples
WATCHDOG_TICK_S: Final = 1.0
STALLED_AFTER_S: Final = 90.0  # no statement may take so long: the loop hangs and is to be killed
START_PATIENCE_S: Final = 30.0  # asked of systemd anew at each attempt to reach PostgreSQL
FINISH_TIMEOUT_S: Final = 1.0  # for the transaction under way; cut off, it is simply repeated
FAREWELL_TIMEOUT_S: Final = 0.5  # for the last row and the connections

_log = get_log("worker")


class UnpackWorker:
    """One life of a worker: ``run`` from start to stop."""

    def __init__(
        self, config: CentralConfig, *, clock: Clock, environment: Mapping[str, str], pid: int
    ) -> None:
        self._config = config
        self._clock = clock
        self._notifier = Notifier(environment, clock, pid)
        self._metrics = WorkerMetrics()
        # A crash of the server loses whole transactions: the batches are in the inbox then, as
        # before. So nothing here has to wait for the disk.
        self._database = Database(config.database, application="headframe-worker", durable=False)
        self._unpacking = Unpacking(self._database, clock, prepare)
        self._rows = WorkerRows(self._database)
        self._identity = WorkerIdentity(uuid4(), socket.gethostname(), pid)
        self._releasing = Releasing(self._database, clock, prepare)
        self._rollups = Rollups(self._database, clock)
        self._upkeep = Upkeep(self._database, inbox_keep_days=config.worker.inbox_keep_days)
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._total = WorkTotal()
        self._progressed_s = clock.monotonic_s()

    def request_stop(self) -> None:
        """Begin to stop; harmless when it has begun already."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Unpack until ``request_stop`` was called; the batch under way is finished or left whole.

        Raises:
            SchemaError: if the database is newer than this program.
            OSError: if the metrics port is in use.
        """
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(self._work(), name="work")
                await self._stop.wait()
                self._notifier.stopping("stopping")
                await asyncio.wait([work], timeout=FINISH_TIMEOUT_S)
                work.cancel()
        finally:
            await self._farewell()

    async def _work(self) -> None:
        await wait_for_schema(self._database, self._say_waiting)
        self._metrics.register_process()
        self._serve_metrics()
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._listen(), name="listen"),
                group.create_task(self._beat(), name="beat"),
                group.create_task(self._keep_up(), name="upkeep"),
                group.create_task(self._look_again(), name="second-look"),
                group.create_task(self._roll_up(), name="roll-up"),
                group.create_task(self._watchdog(), name="watchdog"),
            ]
            self._notifier.ready("waiting for batches")
            _log.info("ready", worker_id=str(self._identity.worker_id))
            await self._unpack()
            for task in helpers:
                task.cancel()

    async def _unpack(self) -> None:
        """The work loop: everything that waits, then asleep until woken or for the safety poll."""
        pace = Pace(self._config.worker.batches_per_transaction_max)
        while not self._stop.is_set():
            self._progressed_s = self._clock.monotonic_s()
            self._wake.clear()
            applied = await self._unpack_once(pace)
            if applied is None:
                pace = pace.after_failure()
                await self._sleep(pace.pause_s)
                continue
            pace = pace.after_success(self._config.worker.batches_per_transaction_max)
            if not applied:
                await self._sleep(SAFETY_POLL_S)
            elif not applied.more:
                await asyncio.sleep(COMPANY_S)

    async def _unpack_once(self, pace: Pace) -> Applied | None:
        """Return what one transaction did; None when the server could not do it now."""
        started_s = self._clock.monotonic_s()
        try:
            applied = await self._unpacking.apply_next(batches_max=pace.batches)
        except StoreError as error:
            self._metrics.unpack.unpack_failures.inc()
            _log.warning("unpacking interrupted", error=str(error), batches=pace.batches)
            return None
        if applied:
            self._count(applied, self._clock.monotonic_s() - started_s)
        return applied

    def _count(self, applied: Applied, took_s: float) -> None:
        counts = self._metrics.unpack
        counts.unpack_seconds.observe(took_s)
        counts.rows_applied.inc(applied.rows)
        counts.batches_applied.inc(applied.batches)
        self._total = self._total.plus(applied)
        for poison in applied.quarantined:
            counts.batches_quarantined.labels(poison.reason).inc()
            rows = None if poison.rows is None else int(np.count_nonzero(poison.rows))
            counts.rows_quarantined.labels(poison.reason).inc(rows or 0)
            _log.error("batch quarantined", rows=rows, **_named(poison))
        for parked in applied.parked:
            counts.batches_parked.labels(parked.reason).inc()
            _log.warning("batch parked", **_named(parked))

    async def _sleep(self, timeout_s: float) -> None:
        """Return after ``timeout_s``, or earlier when woken."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _listen(self) -> None:
        async def wake(*_: object) -> None:
            self._wake.set()

        await listen(self._database, INBOX_CHANNEL, connected=wake, heard=wake)

    async def _beat(self) -> None:
        while True:
            try:
                await self._rows.beat(self._identity, self._total)
            except StoreError as error:
                _log.debug("heartbeat failed", error=str(error))
            await asyncio.sleep(WORKER_BEAT_S)

    async def _keep_up(self) -> None:
        while True:
            pause_s = UPKEEP_EVERY_S
            try:
                dropped = await self._upkeep.run(self._clock.utc_ms())
            except StoreError as error:
                _log.warning("upkeep failed", error=str(error))
                pause_s = UPKEEP_RETRY_S
            else:
                if dropped:
                    _log.info("old inbox dropped", partitions=dropped)
            await asyncio.sleep(pause_s)

    async def _look_again(self) -> None:
        """Release what this version, or the catalogue by now, understands."""
        while True:
            try:
                released = await self._releasing.second_look()
            except StoreError as error:
                _log.debug("second look failed", error=str(error))
            else:
                self._metrics.unpack.rows_released.inc(released.rows)
                if released != Released():
                    _log.info("second look", **asdict(released))
            await asyncio.sleep(SECOND_LOOK_EVERY_S)

    async def _roll_up(self) -> None:
        """Keep the rollups up to date, a second of work at a time."""
        is_ready = False
        while True:
            done = RolledUp()
            try:
                is_ready = is_ready or await self._rollups.begin()
                done = await self._rollups.refresh_next()
            except (StoreError, DataRefusedError) as error:
                _log.warning("rolling up interrupted", error=str(error))
            self._metrics.unpack.rows_rolled_up.inc(done.samples)
            await asyncio.sleep(0 if done.hours else ROLL_UP_EVERY_S)

    async def _watchdog(self) -> None:
        """Feed the watchdog only while the work loop comes round."""
        while True:
            if self._clock.monotonic_s() - self._progressed_s < STALLED_AFTER_S:
                self._notifier.beat()
                self._notifier.status(
                    f"{self._total.batches} batches, {self._total.samples} samples unpacked, "
                    f"{self._total.quarantined} quarantined"
                )
            await asyncio.sleep(WATCHDOG_TICK_S)

    def _say_waiting(self, problem: str) -> None:
        self._notifier.starting(f"waiting: {problem}", patience_s=START_PATIENCE_S)
        _log.info("waiting for PostgreSQL", problem=problem)

    def _serve_metrics(self) -> None:
        worker = self._config.worker
        if worker.metrics_port is not None:
            start_http_server(
                worker.metrics_port, worker.metrics_host, registry=self._metrics.registry
            )

    async def _farewell(self) -> None:
        try:
            async with asyncio.timeout(FAREWELL_TIMEOUT_S):
                await self._rows.stop(self._identity)
        except (StoreError, TimeoutError):
            _log.debug("the last heartbeat could not be written")
        try:
            async with asyncio.timeout(FAREWELL_TIMEOUT_S):
                await self._database.close()
        except TimeoutError:
            _log.debug("connections were left to the server")
        self._notifier.close()
        _log.info("stopped", batches=self._total.batches, samples=self._total.samples)


def _named(what: Poison | Parked) -> dict[str, Any]:
    return {
        **what.key.epoch_key._asdict(),
        "lane": what.key.lane,
        "seq": what.key.seq,
        "reason": what.reason,
        "detail": what.detail,
    }
