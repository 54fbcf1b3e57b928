"""Everything the writer thread works on: lanes, quarantine, meta.db, and what of it is published.

Runs in the writer thread only; the event loop and the reader thread see `state` and `views`, which
are replaced whole and never changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter

from edge.config import LogConfig
from edge.errors import LogError, LogFullError
from edge.log.ballast import FREE_SPACE_FLOOR_BYTES, Ballast
from edge.log.certain import Certain
from edge.log.commit_group import encoded_group, refused
from edge.log.facts import NO_VIEW, LaneView
from edge.log.lane import LaneLog, Workshop
from edge.log.quarantine import Quarantine
from edge.log.recent import NOTHING_SEEN
from edge.log.records import LaneState, LogState, LostRange
from edge.log.recovery import Site, begin_newest, recover_lane
from edge.log.retention import Limits, effective_segment_size_bytes, refusal, removable
from edge.log.writer import AppendJob, CallJob, Outcome, QuarantineJob, RecordsJob
from shared.logs import get_log
from shared.sync.ranges import Ranges

PUBLISH_INTERVAL_S = 0.5  # of what changes without a commit: free space above all
RETRY_AFTER_S = 1.0  # after a failure, before a lane is opened or a segment is begun again

_log = get_log("log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a store is made of."""

    site: Site
    shop: Workshop
    quarantine: Quarantine
    ballast: Ballast
    lanes: Mapping[int, LaneLog]
    config: LogConfig


class Store:
    """The open log. See `edge.log.writer.LogStore` for what may be called when."""

    def __init__(self, parts: Parts) -> None:
        self._site = parts.site
        self._meta = parts.site.meta
        self._clock = parts.site.clock
        self._shop = parts.shop
        self._catalogue = parts.shop.catalogue
        self._readers = parts.shop.readers
        self._quarantine = parts.quarantine
        self._ballast = parts.ballast
        self._lanes = dict(parts.lanes)
        self._broken: dict[int, float] = {}  # lane -> when to try again
        self._certain: dict[int, Certain] = {}  # of lanes that are being opened again
        self._maintain_after_s = 0.0
        self._published_s = 0.0
        self._limits = Limits(
            parts.config.size_max_bytes,
            max(parts.config.free_space_min_bytes, FREE_SPACE_FLOOR_BYTES),
        )
        self._segment_size_bytes = effective_segment_size_bytes(
            parts.config.segment_size_bytes, self._limits
        )
        self._series_copied = len(self._meta.series())
        self._free_bytes = 0
        self._lost: tuple[LostRange, ...] = self._meta.lost()
        self._lane_states: dict[int, LaneState] = {}
        self.views: Mapping[int, LaneView] = {}
        self._look_at_disk()
        self._copy_series()
        self._publish(self._lanes)
        self._remove_segments()

    state: LogState

    def commit(self, jobs: Sequence[AppendJob]) -> list[Outcome]:
        """Store a group, one transaction for each lane; return an answer to each job."""
        outcomes: list[Outcome] = []
        by_lane = sorted(jobs, key=attrgetter("batch.lane"))
        for lane, group in groupby(by_lane, key=attrgetter("batch.lane")):
            outcomes.extend(self._commit_lane(lane, list(group)))
        return outcomes

    def commit_records(self, jobs: Sequence[RecordsJob]) -> list[Outcome]:
        """Store records, one transaction for each lane; return an answer to each job."""
        outcomes: list[Outcome] = []
        by_lane = sorted(jobs, key=attrgetter("lane"))
        for lane, group in groupby(by_lane, key=attrgetter("lane")):
            outcomes.extend(self._commit_records(lane, list(group)))
        return outcomes

    def quarantine(self, jobs: Sequence[QuarantineJob]) -> list[Outcome]:
        """Store entries in one transaction; return an answer to each job."""
        try:
            self._quarantine.add([entry for job in jobs for entry in job.entries])
        except (LogError, ValueError) as error:
            return refused(jobs, error)
        self._publish(())
        return [Outcome(job) for job in jobs]

    def call(self, job: CallJob) -> Outcome:
        """Do what the job asks."""
        try:
            return Outcome(job, result=job.call())
        except (LogError, ValueError) as error:
            return Outcome(job, error=error)

    def maintain(self) -> None:
        """Checkpoint, begin new segments, look at the disk; failures are logged and retried."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._maintain_after_s:
            for lane in self._due_lanes(now_s):
                self._maintain_lane(lane, now_s)
        if now_s - self._published_s >= PUBLISH_INTERVAL_S:
            self._look_at_disk()
            self._remove_segments()
            self._publish(self._lanes)
            self._published_s = now_s

    def close(self) -> None:
        """Close every file; what cannot be written any more is left to the next start."""
        closing = [*self._lanes.values(), self._quarantine, self._meta, self._readers]
        for part in closing:
            try:
                part.close()
            except LogError as error:
                _log.error("closing the log", error=str(error))

    def acknowledge(self, lane: int, ranges: Ranges) -> None:
        """Note that central holds ``ranges``; raises LogError."""
        log = self._lane(lane)
        self._set_acked(log, log.settlement.acked.union(ranges))

    def reconcile(self, lane: int, held: Ranges) -> None:
        """Note that central holds ``held`` and nothing else; raises LogError."""
        self._set_acked(self._lane(lane), held)

    def set_session(self, epoch: int, central_uuid: str) -> None:
        """Keep the session's identity; another central holds nothing yet. Raises LogError."""
        settings = self._meta.settings()
        if settings.get("central_uuid", central_uuid) != central_uuid:
            _log.warning("another central: everything held here is owed to it")
            for log in self._lanes.values():
                self._set_acked(log, Ranges())
        settings = {"epoch": str(epoch), "central_uuid": central_uuid}
        self._even_if_full(partial(self._meta.set_settings, settings))

    def _even_if_full(self, note: Callable[[], None]) -> None:
        try:
            note()
        except LogFullError:
            if not self._ballast.release():
                raise
            _log.error("the disk is full: the ballast is given up for bookkeeping")
            note()

    def repair(self, lane: int, first_seq: int) -> None:
        """Salvage a segment that was found damaged while reading; raises LogError."""
        view = self._lanes[lane].view() if lane in self._lanes else ()
        if any(facts.first_seq == first_seq for facts in view):
            self._reopen(lane, frozenset({first_seq}))

    def _commit_lane(self, lane: int, jobs: Sequence[AppendJob]) -> list[Outcome]:
        try:
            self._refuse_if_full()
            log = self._lane(lane)
        except LogError as error:
            return refused(jobs, error)
        group = encoded_group(jobs, self._catalogue.value_types)
        if not group.jobs:
            return list(group.refused)
        try:
            committed = log.commit(
                group.batches,
                group.seen,
                series_count=max(job.series_count for job in group.jobs),
                source_count=max(job.source_count for job in group.jobs),
            )
        except LogError as error:
            if not isinstance(error, LogFullError):
                self._mark_broken(lane, error)
            return [*group.refused, *refused(group.jobs, error)]
        self._copy_series()
        self._publish((lane,))
        return [*group.refused, *(Outcome(job, result=committed) for job in group.jobs)]

    def _commit_records(self, lane: int, jobs: Sequence[RecordsJob]) -> list[Outcome]:
        try:
            self._refuse_if_full()
            log = self._lane(lane)
        except LogError as error:
            return refused(jobs, error)
        try:
            batches = [job.batch for job in jobs]
            committed = log.commit(batches, NOTHING_SEEN, series_count=0, source_count=0)
        except LogError as error:
            if not isinstance(error, LogFullError):
                self._mark_broken(lane, error)
            return refused(jobs, error)
        self._publish((lane,))
        return [Outcome(job, result=committed) for job in jobs]

    def _copy_series(self) -> None:
        """Keep the second copy of the catalogue up to date, before anyone uses a new number."""
        count = self._catalogue.series_count
        if count == self._series_copied:
            return
        entries = self._catalogue.entries(
            series_after=self._series_copied, series_count=count, sources_after=0, source_count=0
        )
        try:
            self._meta.add_series(entries.series)
            self._series_copied = count
        except LogError as error:  # the first copy is safe; the next commit tries again
            _log.warning("the second copy of the catalogue is behind", error=str(error))

    def _look_at_disk(self) -> None:
        try:
            self._free_bytes = self._site.layout.free_bytes()
        except LogError as error:  # the disk is gone: what is not known is not counted on
            _log.error("looking at the disk", error=str(error))
            self._free_bytes = 0
        self._ballast.restore(self._free_bytes - self._limits.free_space_min_bytes)

    def _refuse_if_full(self) -> None:
        self._look_at_disk()
        reason = self._refusal()
        if reason is not None:
            self._remove_segments()
            reason = self._refusal()
        if reason is not None:
            raise LogFullError(reason)

    def _refusal(self) -> str | None:
        if not self._ballast.held:
            return f"the disk is full: {self._free_bytes} bytes are free, kept for bookkeeping"
        size_bytes = sum(state.size_bytes for state in self._lane_states.values())
        return refusal(size_bytes=size_bytes, free_bytes=self._free_bytes, limits=self._limits)

    def _set_acked(self, log: LaneLog, acked: Ranges) -> None:
        if acked == log.settlement.acked:
            return
        try:
            log.set_acked(acked)
            self._save(log)
        finally:
            self._lost = self._meta.lost()
            self._publish((log.lane,))

    def _save(self, log: LaneLog) -> None:
        """Note what is acknowledged, then let go of what it allows, in this order if possible."""
        try:
            log.settlement.save()
        except LogFullError:
            self._remove_segments()
            self._even_if_full(log.settlement.save)
        self._remove_segments()

    def _remove_segments(self) -> None:
        facts = [
            one.for_retention(log.settlement.settled)
            for log in self._lanes.values()
            for one in log.view()
        ]
        for chosen in removable(facts, free_bytes=self._free_bytes, limits=self._limits):
            try:
                self._lanes[chosen.lane].remove_segment(chosen.first_seq)
            except LogError as error:
                _log.error("removing a segment", error=str(error))
            self._look_at_disk()
            self._publish((chosen.lane,))

    def _due_lanes(self, now_s: float) -> list[int]:
        """Return each lane once, without those that are put off because they could not be opened.

        To look at one of these would only log that it is put off, and put off all others too.
        """
        lanes = sorted(self._lanes.keys() | self._broken.keys())
        return [lane for lane in lanes if self._broken.get(lane, now_s) <= now_s]

    def _maintain_lane(self, lane: int, now_s: float) -> None:
        try:
            log = self._lane(lane)
            if log.suspects:
                self._reopen(lane, frozenset(log.suspects))
                log = self._lane(lane)
            if log.maintain(self._segment_size_bytes):
                self._publish((lane,))
            log.settlement.save()
        except LogError as error:
            _log.error("maintaining the log", lane=lane, error=str(error))
            self._maintain_after_s = now_s + RETRY_AFTER_S
            # One that could not be opened is put off already.
            if lane not in self._broken and not isinstance(error, LogFullError):
                self._mark_broken(lane, error)

    def _lane(self, lane: int) -> LaneLog:
        """Return the lane, opened if this is its first use or its files had an error."""
        retry_at_s = self._broken.get(lane)
        if retry_at_s is not None:
            if self._clock.monotonic_s() < retry_at_s:
                raise LogError(f"lane {lane} had an error on its files and will be opened again")
            self._reopen(lane)
        elif lane not in self._lanes:
            self._open(lane)
        return self._lanes[lane]

    def _mark_broken(self, lane: int, error: LogError) -> None:
        _log.error("the lane will be opened again", lane=lane, error=str(error))
        self._broken[lane] = self._clock.monotonic_s()

    def _reopen(self, lane: int, suspects: frozenset[int] = frozenset()) -> None:
        self._broken[lane] = self._clock.monotonic_s() + RETRY_AFTER_S
        old = self._lanes.pop(lane, None)
        if old is not None:
            self._certain[lane] = old.certain()
            old.abandon()
        for facts in self.views.get(lane, NO_VIEW).segments:
            with self._readers.exclude(facts.file):
                pass
        self._open(lane, suspects)
        del self._broken[lane]

    def _open(self, lane: int, suspects: frozenset[int] = frozenset()) -> None:
        finding = recover_lane(self._site, lane, suspects, self._certain.get(lane))
        try:
            newest = begin_newest(self._site, finding, self._catalogue.all_entries())
            self._lanes[lane] = LaneLog(self._shop, finding.sealed, newest)
        except BaseException:
            finding.close()
            raise
        self._certain.pop(lane, None)
        self._lost = self._meta.lost()
        self._publish((lane,))

    def _publish(self, lanes: Iterable[int]) -> None:
        for lane in lanes:
            log = self._lanes.get(lane)
            if log is not None:
                self._lane_states = {**self._lane_states, lane: log.state()}
                self.views = {
                    **self.views, lane: LaneView(log.view(), log.settlement.lost)
                }  # fmt: skip
        counts = self._quarantine.counts
        self.state = LogState(
            lanes=self._lane_states,
            size_bytes=sum(state.size_bytes for state in self._lane_states.values()),
            free_bytes=self._free_bytes,
            refusing=self._refusal(),
            lost=self._lost,
            series=self._catalogue.series_count,
            quarantined=counts.entered,
            quarantine_evicted=counts.evicted,
            quarantine_entries=counts.entries,
            quarantine_bytes=counts.size_bytes,
        )
