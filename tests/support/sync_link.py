"""A real edge log, uplink and sync listener on loopback, with real certificates."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry

from central.config import SyncConfig
from central.inbox.acceptor import SyncListener, start_sync_listener
from central.inbox.ports import InboxStore
from central.metrics import SyncMetrics
from edge.config import LogConfig, UplinkConfig
from edge.uplink.framing import Installation
from edge.uplink.pair import UplinkPair
from edge.uplink.ports import SyncedLog
from shared.clock import SystemClock
from tests.support.certificates import Authority, CertificateFiles

HOST = "127.0.0.1"
ROOMY = LogConfig(segment_size_bytes=1_048_576)  # several segments, none of them given up
INSTALLATION = Installation(software="0.1.0", boot_id="boot-1")


class SyncSite:
    """Certificates of one mine, and configurations that use them."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ca")
        self.central = self.authority.issue("central", host=HOST)
        self.edge = self.authority.issue("kaduna/edge-1")

    def sync_config(
        self, *, port: int = 0, limits: Mapping[str, float] | None = None
    ) -> SyncConfig:
        """Return a listener's configuration; port 0, which a file may not say, is any free one."""
        config = SyncConfig(
            host=HOST,
            cert_file=self.central.cert_file,
            key_file=self.central.key_file,
            client_ca_file=self.authority.ca_file,
            **(limits or {}),  # pyright: ignore[reportArgumentType] validated by pydantic
        )
        return config.model_copy(update={"port": port})

    def uplink_config(
        self, port: int, *, files: CertificateFiles | None = None, **more: float
    ) -> UplinkConfig:
        """Return an edge's configuration that retries fast."""
        edge = files or self.edge
        return UplinkConfig(
            url=f"wss://{HOST}:{port}/sync/v1",
            ca_file=self.authority.ca_file,
            cert_file=edge.cert_file,
            key_file=edge.key_file,
            **{"backoff_min_s": 0.05, "backoff_max_s": 0.3, **more},  # pyright: ignore[reportArgumentType] validated by pydantic
        )

    @contextlib.asynccontextmanager
    async def listening(
        self,
        store: InboxStore,
        *,
        port: int = 0,
        limits: Mapping[str, float] | None = None,
    ) -> AsyncGenerator[SyncListener]:
        """Give a listener over ``store``."""
        metrics = SyncMetrics(CollectorRegistry())
        config = self.sync_config(port=port, limits=limits)
        async with start_sync_listener(config, store, SystemClock(), metrics) as listener:
            yield listener


@contextlib.asynccontextmanager
async def uplinked(config: UplinkConfig, log: SyncedLog) -> AsyncGenerator[UplinkPair]:
    """Give a running uplink of two connections and stop it at the end, properly."""
    uplink = UplinkPair(config, log, INSTALLATION, SystemClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(uplink.run(), name="uplink")
        try:
            yield uplink
        finally:
            uplink.stop()
    assert uplink.link.faults == 0
