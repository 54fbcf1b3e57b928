"""Keeps the declared gaps: writes them off the loop, one at a time, says them, tells central."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from edge.errors import LogError
from edge.log.declared import DeclaredGap, Recovered
from edge.log.gap_file import GapFile
from edge.log.records import Committed, PendingRecords
from edge.metrics import IngestCounts
from shared.clock import Clock
from shared.logs import get_log
from shared.sync.records import AUDIT_LANE

LOOK_EVERY_S: Final = 1.0  # mosquitto tells every 10 s
_SAID_MAX: Final = 5  # gaps of one commit that are named in the log; the others are counted

_log = get_log("gaps")


class RecordLog(Protocol):
    """Where records become durable on their way to central."""

    async def append_records(self, pending: PendingRecords) -> Committed:
        """Store records; they are on disk when this returns. LogError when it cannot."""
        ...


class GapKeeper:
    """Owns the file of gaps while the edge runs; run ``watch_drops`` in a task."""

    def __init__(
        self,
        file: GapFile,
        counts: IngestCounts,
        clock: Clock,
        log: RecordLog,
    ) -> None:
        self._file = file
        self._counts = counts
        self._clock = clock
        self._log = log
        self._turn = asyncio.Lock()
        self._dropped = -1  # as it was noted last

    @property
    def missing(self) -> Mapping[str, int]:
        """Return how many messages are declared lost, by reason."""
        return self._file.missing

    async def declare(self, gaps: Sequence[DeclaredGap], recovered: Sequence[Recovered]) -> None:
        """Store gaps, and what came of them after all; LogError when that is not possible."""
        async with self._turn:
            fresh = await asyncio.to_thread(self._file.declare, gaps, recovered)
        raise_alarm(fresh)
        await self.hand_over()

    async def watch_drops(self) -> None:
        """Declare what the broker says it has dropped, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.note_drops()
            await self.hand_over()

    async def hand_over(self) -> None:
        """Put what central is to be told into the urgent lane; what cannot go now goes later.

        A crash in between tells it twice, under one id.
        """
        try:
            async with self._turn:
                while (owed := await asyncio.to_thread(self._file.owed)).records:
                    pending = PendingRecords(
                        lane=AUDIT_LANE, records=owed.records, received_ms=self._clock.utc_ms()
                    )
                    await self._log.append_records(pending)
                    await asyncio.to_thread(self._file.forget_owed, owed.until_id)
        except LogError as error:
            _log.warning("declared gaps are not yet on their way to central", error=str(error))

    async def note_drops(self) -> None:
        """Declare by how much the broker's count has grown since it was noted last."""
        counts = self._counts
        if not counts.drops_told or counts.broker_dropped == self._dropped:
            return
        dropped = counts.broker_dropped
        try:
            async with self._turn:
                gaps = await asyncio.to_thread(
                    self._file.note_dropped, dropped, self._clock.utc_ms()
                )
        except LogError as error:
            _log.error("what the broker dropped cannot be noted; tried again", error=str(error))
            return
        self._dropped = dropped
        raise_alarm(gaps)


def raise_alarm(gaps: Sequence[DeclaredGap]) -> None:
    """Say in the log what is lost."""
    for gap in gaps[:_SAID_MAX]:
        _log.warning(
            "messages never arrived",
            reason=gap.reason.value,
            topic=gap.topic,
            missing=gap.missing,
            first_seq=gap.first_seq,
            last_seq=gap.last_seq,
        )
    if len(gaps) > _SAID_MAX:
        missing = sum(gap.missing for gap in gaps[_SAID_MAX:])
        _log.warning("more messages never arrived", gaps=len(gaps) - _SAID_MAX, missing=missing)
