"""The web process of headquarters: takes batches in, serves the API, feeds the sockets.

Owns its tasks and its stop. PostgreSQL may come late, restart or be killed at any time: pages and
health answer meanwhile, the API says 503, `/readyz` says why, and edges keep what they have.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from central.api.application import CentralStores, CentralWeb, build_central_web
from central.broadcast.listener import LiveListener
from central.config import CentralConfig
from central.errors import StoreError
from central.inbox.acceptor import start_sync_listener, tls_context
from central.metrics import CentralMetrics
from central.store.accounts import PostgresAccounts
from central.store.address import address_of
from central.store.chart_limit import CHARTS_AT_ONCE_MAX, ChartLimitedReader
from central.store.database import Database
from central.store.edge_status import Backlog, read_backlog
from central.store.inbox import SESSION_BEAT_S, PostgresInbox
from central.store.readiness import durability_problem
from central.store.refresh_tokens import PostgresRefreshTokens
from central.store.schema import upgrade_schema
from shared.access.passwords import PasswordHasher
from shared.clock import Clock
from shared.logs import get_log
from shared.notify import Notifier
from shared.web.server import serve
from shared.web.sign_in import SignInStores

INBOX_CONNECTIONS_MAX: Final = 4  # transactions of milliseconds; the commits are the disk's
MIGRATION_RETRY_S: Final = 0.5  # a refused connection costs nothing; people wait for the page
START_PATIENCE_S: Final = 30.0  # asked of systemd anew at each attempt to reach PostgreSQL
GAUGES_EVERY_S: Final = 5.0
WATCHDOG_TICK_S: Final = 1.0
STOP_TIMEOUT_S: Final = 4.5  # all stages together; systemd and `up` kill later than that
FAREWELL_TIMEOUT_S: Final = 0.5  # for the connections to PostgreSQL

_log = get_log("central")


class CentralWebProcess:
    """One life of the web process: ``run`` from start to stop."""

    def __init__(
        self, config: CentralConfig, *, clock: Clock, environment: Mapping[str, str], pid: int
    ) -> None:
        """Make the parts; nothing runs yet.

        Raises:
            ConfigurationError, CentralError: if a file that the configuration names cannot be used.
        """
        tls_context(config.sync)  # found out now, not once PostgreSQL is there
        self._config = config
        self._clock = clock
        self._notifier = Notifier(environment, clock, pid)
        self._metrics = CentralMetrics()
        self._database = Database(config.database, application="headframe-central")
        # Acknowledgements and readiness wait for no chart.
        self._inbox_database = Database(
            config.database, application="headframe-inbox", connections_max=INBOX_CONNECTIONS_MAX
        )
        # One connection at least is left for what is not a chart.
        charts_at_once_max = min(CHARTS_AT_ONCE_MAX, config.database.pool_size_max - 1)
        self._reader = ChartLimitedReader(self._database, charts_at_once_max=charts_at_once_max)
        self._inbox = PostgresInbox(self._inbox_database, clock, self._metrics.store)
        self._web = self._built_web()
        self._stop = asyncio.Event()
        self._migrated = False

    def request_stop(self) -> None:
        """Begin to stop; harmless when it has begun already."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until ``request_stop`` was called, then stop within STOP_TIMEOUT_S.

        Raises:
            ConfigurationError: if a certificate cannot be used.
            SchemaError: if the database is newer than this program.
            CentralError, OSError: if a port is in use.
        """
        self._metrics.register_process()
        try:
            async with asyncio.timeout(None) as limit:
                await self._serve(limit)
        except TimeoutError:
            _log.warning("stop took too long and was cut off", timeout_s=STOP_TIMEOUT_S)
        finally:
            await self._farewell()

    async def _serve(self, limit: asyncio.Timeout) -> None:
        async with (
            serve(self._web.application, self._web.endpoint) as port,
            asyncio.TaskGroup() as group,
        ):
            _log.info("serving", host=self._web.endpoint.host, port=port)
            work = group.create_task(self._work(), name="work")
            watchdog = group.create_task(self._watchdog(), name="watchdog")
            await self._stop.wait()
            limit.reschedule(asyncio.get_running_loop().time() + STOP_TIMEOUT_S)
            self._notifier.stopping("stopping")
            _log.info("stopping")
            work.cancel()
            watchdog.cancel()

    async def _work(self) -> None:
        """Everything that needs the database: the schema first, then edges and live values."""
        await self._migrate()
        live = LiveListener(self._database, self._reader, self._web.live, self._metrics.store)
        async with (
            start_sync_listener(
                self._config.sync, self._inbox, self._clock, self._metrics.sync
            ) as listener,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(live.run(), name="live")
            group.create_task(self._beat(), name="beat")
            group.create_task(self._gauges(), name="gauges")
            self._notifier.ready(f"serving; edges dial port {listener.port}")
            _log.info("ready", sync_port=listener.port)

    async def _migrate(self) -> None:
        address = address_of(self._config.database)
        while True:
            try:
                revision = await asyncio.to_thread(upgrade_schema, address)
                risk = await durability_problem(self._inbox_database)
            except StoreError as error:
                self._notifier.starting(f"waiting: {error}", patience_s=START_PATIENCE_S)
                _log.info("waiting for PostgreSQL", problem=str(error))
                await asyncio.sleep(MIGRATION_RETRY_S)
            else:
                break
        self._migrated = True
        _log.info("schema ready", revision=revision)
        if risk is not None:
            _log.error("what is acknowledged to edges may be lost in a power cut", problem=risk)

    async def _beat(self) -> None:
        while True:
            try:
                await self._inbox.beat()
            except StoreError as error:
                _log.debug("heartbeat failed", error=str(error))
            await asyncio.sleep(SESSION_BEAT_S)

    async def _gauges(self) -> None:
        while True:
            try:
                backlog = await read_backlog(self._inbox_database)
            except StoreError:
                self._metrics.backlog.database_up.set(0)
            else:
                self._show(backlog)
            await asyncio.sleep(GAUGES_EVERY_S)

    def _show(self, backlog: Backlog) -> None:
        gauges = self._metrics.backlog
        gauges.database_up.set(1)
        gauges.inbox_pending.set(backlog.pending)
        gauges.inbox_oldest_seconds.set(backlog.oldest_s)
        gauges.quarantined.set(backlog.quarantined)
        gauges.show_held(backlog.held, backlog.parked)
        gauges.workers.set(backlog.workers)
        gauges.unpacked_samples.set(backlog.unpacked_samples)
        gauges.default_rows.set(backlog.default_rows)

    async def _watchdog(self) -> None:
        """Say that the loop comes round: requests, edges and sockets all live on it."""
        while True:
            self._notifier.beat()
            await asyncio.sleep(WATCHDOG_TICK_S)

    async def _schema_ready(self) -> str | None:
        return None if self._migrated else "the database has not been reached since the start"

    def _built_web(self) -> CentralWeb:
        stores = CentralStores(
            reader=self._reader,
            sign_in=SignInStores(
                accounts=PostgresAccounts(self._database),
                refresh_tokens=PostgresRefreshTokens(self._database),
            ),
            passwords=PasswordHasher(),
            readiness={"database": self._inbox_database.probe, "schema": self._schema_ready},
        )
        return build_central_web(
            self._config, stores, clock=self._clock, registry=self._metrics.registry
        )

    async def _farewell(self) -> None:
        try:
            async with asyncio.timeout(FAREWELL_TIMEOUT_S):
                await self._database.close()
                await self._inbox_database.close()
        except TimeoutError:
            _log.debug("connections were left to the server")
        self._notifier.close()
        _log.info("stopped")
