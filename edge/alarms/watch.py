"""Alerts from detection to the log: restored at start, stored before the samples that made them.

An alert is durable before its samples are acknowledged: a crash in between makes the samples come
again, and their alert is known by its id. The other way round it would be lost.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from edge.alarms.book import AlarmBook
from edge.alarms.standing import Standing, read_standing, write_standing
from edge.log.records import Committed, LogState, PendingBatch, PendingRecords, StoredBatch
from shared.clock import Clock
from shared.errors import CodecError
from shared.logs import get_log
from shared.sync.records import (
    ALERT_LANE,
    BODY_SIZE_MAX_BYTES,
    RECORDS_PER_BODY_MAX,
    AlertRecord,
    AlertState,
    decode_records,
)

# Batches of the alert lane that are read at start, so that what happened lately is listed again:
# 0.1 s. What the file of standing alerts does not cover is read however much it is.
LATELY_BATCHES: Final = 1_000
_STEP_BATCHES: Final = 100

_log = get_log("alarms")


class AlertLog(Protocol):
    """What alerts need of the log."""

    async def append_records(self, pending: PendingRecords) -> Committed:
        """Store records; they are on disk when this returns. LogError when it cannot."""
        ...

    async def read(
        self, lane: int, first_seq: int, last_seq: int, size_max_bytes: int
    ) -> list[StoredBatch]:
        """Return held batches of the range, ascending; at least one if there is any."""
        ...

    def state(self) -> LogState:
        """Return how the log stands."""
        ...


class AlarmWatch:
    """The rules at work. ``judge`` then ``store`` for each batch, in order."""

    def __init__(self, book: AlarmBook, log: AlertLog, state_dir: Path, clock: Clock) -> None:
        self._book = book
        self._log = log
        self._state_dir = state_dir
        self._clock = clock
        self._changed: list[Callable[[AlertRecord], None]] = []
        self.raised = 0  # since the process started
        self.cleared = 0

    @property
    def book(self) -> AlarmBook:
        """The alerts as they stand; to look at."""
        return self._book

    def on_change(self, callback: Callable[[AlertRecord], None]) -> None:
        """Have ``callback`` called, on the loop, with each revision that is durable."""
        self._changed.append(callback)

    async def restore(self) -> None:
        """Take in what the log knows, and clear what stands under rules that are no more.

        Raises:
            LogError: if the log cannot be read or written.
        """
        standing = read_standing(self._state_dir)
        for record in standing.alerts:
            self._book.restore(record)
        await self._restore_lane(standing.through_seq)
        orphans = self._book.orphans(self._clock.utc_ms())
        if orphans:
            await self.store(orphans)

    def judge(self, batch: PendingBatch) -> list[AlertRecord]:
        """Return the revisions that a batch makes; they must be stored before it is."""
        return self._book.judge(batch, self._clock.utc_ms())

    async def store(self, records: Sequence[AlertRecord]) -> None:
        """Make revisions durable.

        Raises:
            LogError: nothing of the part that failed is stored; the whole may be stored again.
        """
        last_seq = 0
        for first in range(0, len(records), RECORDS_PER_BODY_MAX):
            part = tuple(records[first : first + RECORDS_PER_BODY_MAX])
            pending = PendingRecords(
                lane=ALERT_LANE, records=part, received_ms=self._clock.utc_ms()
            )
            last_seq = (await self._log.append_records(pending)).last_seq
        for record in records:
            self._tell(record)
        await self._note(last_seq)

    def _tell(self, record: AlertRecord) -> None:
        is_raised = record.state is AlertState.RAISED
        self.raised += is_raised
        self.cleared += not is_raised
        tell = _log.warning if is_raised else _log.info
        tell(
            f"alert {record.state}",
            alert_id=record.alert_id,
            severity=str(record.severity),
            message=record.message,
            value=record.value,
        )
        for callback in self._changed:
            callback(record)

    async def _note(self, through_seq: int) -> None:
        standing = Standing(through_seq, self._book.active)
        try:
            await asyncio.to_thread(write_standing, self._state_dir, standing)
        except OSError as error:  # the next start reads more of the log instead
            _log.warning("the standing alerts cannot be noted", error=str(error))

    async def _restore_lane(self, through_seq: int) -> None:
        lane = self._log.state().lanes.get(ALERT_LANE)
        if lane is None:
            return
        lately = lane.last_seq - LATELY_BATCHES + 1
        following = max(lane.first_retained, min(through_seq + 1, lately))
        while following <= lane.last_seq:
            last = min(lane.last_seq, following + _STEP_BATCHES - 1)
            batches = await self._log.read(ALERT_LANE, following, last, BODY_SIZE_MAX_BYTES)
            for batch in batches:
                self._restore_batch(batch)
            following = batches[-1].seq + 1 if batches else last + 1

    def _restore_batch(self, batch: StoredBatch) -> None:
        try:
            records = decode_records(batch.body)
        except CodecError as error:
            _log.error("alerts cannot be read from the log", seq=batch.seq, error=str(error))
            return
        for record in records:
            if isinstance(record, AlertRecord):
                self._book.restore(record)
