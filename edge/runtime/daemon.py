"""The edge process: opens the log, joins the parts, runs them, and stops them in order.

Owns the tasks and the stages of the stop. A part that breaks ends the process with an error, so
that a supervisor starts it anew; broker and central may be away as long as they like.
"""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from edge.config import EdgeConfig
from edge.errors import EdgeError, LogError
from edge.ingest.listener.listener import DurableListener
from edge.ingest.listener.settings import check_listener
from edge.ingest.mqtt import read_password, tls_context
from edge.log.gap_file import GapFile, open_gap_file
from edge.log.journal import Journal
from edge.runtime.assembly import EdgeParts, assemble
from edge.runtime.lifecycle import (
    CLOSE_LOG,
    FLUSH,
    STOP_API,
    STOP_READING,
    STOP_UPLINK,
    Phase,
    Signal,
    StopStage,
    next_phase,
)
from edge.runtime.report import report_from_metrics, write_report
from edge.runtime.seeding import NewestPart, newest_batches, newest_part
from edge.uplink.pair import UplinkPair
from shared.clock import Clock
from shared.errors import CodecError, ConfigurationError
from shared.logs import get_log
from shared.notify import Notifier

STATUS_EVERY_S: Final = 5.0  # how often `systemctl status` is told what goes on
REPORT_EVERY_S: Final = 60.0  # how often the report for `status` is left: a kilobyte to the disk
# The log's writer needs the interpreter a dozen times in each commit, and waits so long for it each
# time while messages are judged. With CPython's 5 ms a commit takes 60 ms under load, now 20 ms.
_SWITCH_INTERVAL_S: Final = 0.0005
# A full collection walks every identity in the window: rarely, and never through what start made.
_GC_THRESHOLDS: Final = (50_000, 20, 50)


class EdgeDaemon:
    """One life of an edge node: ``run`` from start to stop."""

    def __init__(
        self, config: EdgeConfig, *, clock: Clock, environment: Mapping[str, str], pid: int
    ) -> None:
        self.phase = Phase.STARTING
        self._config = config
        self._clock = clock
        self._notifier = Notifier(environment, clock, pid)
        self._stop = asyncio.Event()
        self._report = get_log("edge")

    def request_stop(self) -> None:
        """Begin the staged stop; harmless when it has begun already."""
        self._stop.set()

    async def run(self) -> None:
        """Run until ``request_stop`` was called and every stage of the stop is through.

        Raises:
            EdgeError: if the log cannot be opened.
            ConfigurationError: if a file that the configuration names cannot be used.
        """
        read_password(self._config.mqtt)
        tls_context(self._config.mqtt)
        check_listener(self._config.listener)
        journal = await asyncio.to_thread(
            Journal.open,
            self._config.state_dir,
            self._config.site,
            self._config.edge_id,
            self._config.log,
            self._clock,
        )
        gaps: GapFile | None = None
        try:
            gaps = await asyncio.to_thread(open_gap_file, self._config.state_dir, self._clock)
            newest = await self._newest(journal)
            parts = assemble(self._config, journal, gaps, newest, self._clock)
            await self._restore_alarms(parts)
            await self._work(parts)
        except BaseException:
            self._enter(Signal.FAULT)
            raise
        finally:
            await self._stage(CLOSE_LOG, _closed(journal, gaps))
            self._notifier.close()
        self._enter(Signal.STAGES_DONE)
        self._report.info("stopped")

    async def _newest(self, journal: Journal) -> NewestPart:
        try:
            batches = await newest_batches(journal)
            return await asyncio.to_thread(newest_part, batches)
        except (EdgeError, CodecError) as error:
            # The page starts empty then; the log itself decides whether it can go on.
            self._report.warning("newest values cannot be read from the log", error=str(error))
            return NewestPart()

    async def _restore_alarms(self, parts: EdgeParts) -> None:
        try:
            await parts.watch.restore()
        except LogError as error:
            # An alert that stands is raised anew by its next sample: no reason to stay down.
            self._report.error("alerts cannot be restored from the log", error=str(error))

    async def _work(self, parts: EdgeParts) -> None:
        parts.intake.on_beat(self._notifier.beat)
        try:
            await self._run_tasks(parts)
        except BaseExceptionGroup as group:
            raise _first_cause(group) from group

    async def _run_tasks(self, parts: EdgeParts) -> None:
        async with asyncio.TaskGroup() as group:
            ingest = group.create_task(parts.intake.run(), name="ingest")
            api = group.create_task(_run_api(parts), name="api")
            # An address in use ends the start here, before anything is taken from the broker.
            await parts.api.listening.wait()
            listener = group.create_task(_run_listener(parts.listener), name="listener")
            if parts.listener is not None:
                await parts.listener.listening.wait()
            tasks = _Tasks(
                ingest=ingest,
                api=api,
                listener=listener,
                status=group.create_task(self._tell_status(parts), name="status"),
                uplink=group.create_task(_run_uplink(parts.uplink), name="uplink"),
                mqtt=group.create_task(parts.reader.run(), name="mqtt"),
                drops=group.create_task(parts.gaps.watch_drops(), name="drops"),
            )
            self._settle()
            self._enter(Signal.READY)
            self._notifier.ready(_status_line(parts))
            self._report.info(
                "ready",
                site=self._config.site,
                edge_id=self._config.edge_id,
                port=parts.api.port,
                series=parts.snapshot.series_count,
            )
            await self._stop.wait()
            await self._wind_down(parts, tasks)

    async def _wind_down(self, parts: EdgeParts, tasks: "_Tasks") -> None:
        self._enter(Signal.STOP)
        self._notifier.stopping("stopping")
        self._report.info("stopping", waiting=parts.intake.load.messages)
        parts.reader.stop_reading()
        if parts.listener is not None:
            parts.listener.stop_reading()
        await self._stage(FLUSH, parts.intake.flush())
        parts.reader.close()
        if parts.listener is not None:
            parts.listener.close()
        await self._stage(STOP_READING, _cancelled(tasks.mqtt, tasks.listener))
        if parts.uplink is not None:
            parts.uplink.stop()
            await self._stage(STOP_UPLINK, _ended(tasks.uplink))
        await self._stage(STOP_API, _cancelled(tasks.api))
        self._leave_report(parts, running=False)
        for task in (tasks.ingest, tasks.status, tasks.uplink, tasks.drops):
            task.cancel()

    async def _stage(self, stage: StopStage, work: Awaitable[None]) -> None:
        """Await one stage of the stop, but no longer than it may take."""
        started_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(stage.timeout_s):
                await work
        except TimeoutError:
            running = sorted(task.get_name() for task in asyncio.all_tasks() if not task.done())
            self._report.warning(
                "a stage of the stop took too long and was left",
                stage=stage.name,
                timeout_s=stage.timeout_s,
                running=running,
            )
        else:
            took_s = round(self._clock.monotonic_s() - started_s, 3)
            self._report.debug("stage of the stop done", stage=stage.name, took_s=took_s)

    async def _tell_status(self, parts: EdgeParts) -> None:
        written_s = float("-inf")
        in_doubt = False
        while True:
            _raise_log_failure(parts.journal)
            in_doubt = self._tell_doubt(parts, told=in_doubt)
            self._notifier.status(_status_line(parts))
            now_s = self._clock.monotonic_s()
            if now_s - written_s >= REPORT_EVERY_S:
                written_s = now_s
                self._leave_report(parts, running=True)
            await asyncio.sleep(STATUS_EVERY_S)

    def _tell_doubt(self, parts: EdgeParts, *, told: bool) -> bool:
        """Report once that the clock is in doubt, and once that it is not any more."""
        behind_ms = parts.doubt.behind_ms(parts.clock.utc_ms())
        if behind_ms and not told:
            self._report.warning(
                "this node's clock is behind what it has recorded; times ahead of it are accepted",
                behind_s=round(behind_ms / 1000),
            )
        elif told and not behind_ms:
            self._report.warning("this node's clock is in doubt no more")
        return behind_ms > 0

    def _leave_report(self, parts: EdgeParts, *, running: bool) -> None:
        text = parts.metrics.render().decode()
        report = replace(report_from_metrics(text, self._clock.utc_ms()), running=running)
        try:
            write_report(self._config.state_dir, report)
        except OSError as error:
            self._report.warning("the status report cannot be written", error=str(error))

    def _settle(self) -> None:
        """Keep the garbage collector away from everything that was made at start."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)

    def _enter(self, signal: Signal) -> None:
        self.phase = next_phase(self.phase, signal)


@dataclass(frozen=True, slots=True)
class _Tasks:
    """The tasks of a running edge, one owner each."""

    ingest: asyncio.Task[None]
    api: asyncio.Task[None]
    status: asyncio.Task[None]
    uplink: asyncio.Task[None]
    mqtt: asyncio.Task[None]
    listener: asyncio.Task[None]
    drops: asyncio.Task[None]


def _raise_log_failure(journal: Journal) -> None:
    """End the process when its log takes nothing more: only a new one can take messages again.

    Raises:
        LogError: if the log's writer has failed.
    """
    failure = journal.failure()
    if failure is not None:
        raise LogError(f"the log's writer has failed: {failure}")


def _first_cause(error: BaseException) -> BaseException:
    """Return the error that ended the tasks; the others were cancelled because of it."""
    cause = error
    while isinstance(cause, BaseExceptionGroup):
        cause = cast("BaseExceptionGroup[BaseException]", cause).exceptions[0]
    return cause


async def _run_api(parts: EdgeParts) -> None:
    try:
        await parts.api.run()
    except OSError as error:
        if parts.api.listening.is_set():
            raise
        address = f"{parts.config.api.host}:{parts.config.api.port}"
        reason = error.strerror or str(error)
        raise ConfigurationError(f"api.port: cannot listen on {address}: {reason}") from error


async def _run_uplink(uplink: UplinkPair | None) -> None:
    if uplink is not None:
        await uplink.run()


async def _closed(journal: Journal, gaps: GapFile | None) -> None:
    if gaps is not None:
        await asyncio.to_thread(gaps.close)
    await journal.close()


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])


async def _run_listener(listener: DurableListener | None) -> None:
    if listener is not None:
        await listener.run()


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _status_line(parts: EdgeParts) -> str:
    broker, load = parts.reader.link, parts.intake.load
    lanes = parts.journal.state().lanes.values()
    words = [
        f"broker {broker.stage}",
        f"central {parts.link.state}",
        f"{load.messages} messages in flight",
        f"backlog {sum(lane.backlog_samples for lane in lanes)} samples",
    ]
    if parts.doubt.behind_ms(parts.clock.utc_ms()):
        words.insert(0, "OWN CLOCK IN DOUBT")
    if load.trouble is not None:
        words.insert(0, f"LOG REFUSES: {load.trouble}")
    return ", ".join(words)
