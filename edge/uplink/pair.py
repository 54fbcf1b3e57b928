"""The link to central as two connections: one for what is urgent, one for what is bulky.

Owns the two uplinks and their tasks. The urgent one dials first; that central knows of roles it
shows in its WELCOME, and only then is there a second. An older central serves all lanes on the
first: a second connection would end it, as one edge has one session there.
"""

import asyncio
from dataclasses import replace

from edge.config import UplinkConfig
from edge.uplink.framing import Installation
from edge.uplink.link import LinkState, joined
from edge.uplink.ports import SyncedLog
from edge.uplink.pump import Uplink
from edge.uplink.spending import Spending, limits_of
from edge.uplink.transport import Dial
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.frames import Role

_log = get_log("uplink")


class UplinkPair:
    """Both connections. ``run`` it in a task group; look at ``link`` at any time."""

    def __init__(
        self,
        config: UplinkConfig,
        log: SyncedLog,
        installation: Installation,
        clock: Clock,
        *,
        dial: Dial | None = None,
        spending: Spending | None = None,
    ) -> None:
        """``dial`` defaults to a WebSocket as configured, ``spending`` to one that is not kept."""
        shared = spending or Spending(limits_of(config), clock)

        def uplink(role: Role) -> Uplink:
            said = replace(installation, role=role)
            return Uplink(config, log, said, clock, dial=dial, spending=shared)

        self._urgent = uplink(Role.URGENT)
        self._bulk = uplink(Role.BULK)
        self._has_second = asyncio.Event()
        self._urgent.on_served(self._on_served)

    @property
    def link(self) -> LinkState:
        """Return the link as it is now; one connection where central takes no second."""
        urgent = self._urgent.link
        if not self._has_second.is_set():
            return urgent
        return joined(urgent, self._bulk.link)

    def stop(self) -> None:
        """Say goodbye on both and end ``run``; harmless when called again."""
        self._urgent.stop()
        self._bulk.stop()

    async def run(self) -> None:
        """Keep the link up until `stop`; returns then. Cancelling it drops the connections."""
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._run_bulk(), name="uplink-bulk")
            await self._urgent.run()
            if not self._has_second.is_set():
                waiting.cancel()

    async def _run_bulk(self) -> None:
        await self._has_second.wait()
        await self._bulk.run()

    def _on_served(self, role: Role) -> None:
        if role is Role.URGENT:
            self._has_second.set()
        elif not self._has_second.is_set():
            _log.warning("central is older and takes one connection: alerts share it with bulk")
