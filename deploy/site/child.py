"""One supervised child: carries out what the supervision table says. Owns its process."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from dataclasses import dataclass

from deploy.errors import SiteError
from deploy.site.announcements import Announcer
from deploy.site.child_log import ChildLog
from deploy.site.children import CHILD_VARIABLE, STATE_VARIABLE, ChildSpec
from deploy.site.leftovers import forget_child, record_child
from deploy.site.state_dir import StateDir
from deploy.site.supervision import ChildState, Phase, Step, Trigger, advance
from shared.clock import Clock

PROBE_EVERY_S = 0.1
# A fault that passes by itself, as a moment of overload does, is no reason to interrupt anything.
FAULT_LOOK_EVERY_S = 5.0
FAULTS_IN_A_ROW = 3
# A child has one exit, one answer and a few orders in flight; more would be a defect.
TRIGGERS_MAX = 64
TAIL_LINES = 12
_ENDED = (Phase.STOPPED, Phase.FAILED)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every child needs from the site."""

    state: StateDir
    announcer: Announcer
    clock: Clock


class Child:
    """Runs one row of the table of children; ``run`` returns when it is stopped or given up."""

    def __init__(self, spec: ChildSpec, around: Surroundings) -> None:
        self.spec = spec
        self.log = ChildLog(around.state.logs / f"{spec.name}.log")
        self.state = ChildState()
        self.settled = asyncio.Event()  # ready for the first time, or ended
        self.ended = asyncio.Event()
        self.exit_code: int | None = None  # of the last process
        self._around = around
        self._triggers: asyncio.Queue[tuple[Trigger, int]] = asyncio.Queue(TRIGGERS_MAX)
        self._process: Process | None = None
        self._kills = 0
        self._watchers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Order the first start."""
        self._triggers.put_nowait((Trigger.START, 0))

    def stop(self) -> None:
        """Order the end; it may be repeated."""
        if not self.ended.is_set():
            self._triggers.put_nowait((Trigger.STOP, 0))

    def hurry(self) -> None:
        """Force the end now, if it was ordered."""
        if self.state.phase is Phase.STOPPING:
            self._triggers.put_nowait((Trigger.OVERDUE, 0))

    async def run(self) -> None:
        """Follow the table until the child has ended for good."""
        async with asyncio.TaskGroup() as group:
            while self.state.phase not in _ENDED:
                trigger, run = await self._next_trigger()
                await self._apply(trigger, run, group)
            self._drop_watchers()
        self.settled.set()
        self.ended.set()

    async def _next_trigger(self) -> tuple[Trigger, int]:
        deadline_s = self.state.deadline_s
        if deadline_s is None:
            return await self._triggers.get()
        remaining_s = deadline_s - self._around.clock.monotonic_s()
        try:
            async with asyncio.timeout(max(0.0, remaining_s)):
                return await self._triggers.get()
        except TimeoutError:
            return Trigger.OVERDUE, self.state.run

    async def _apply(self, trigger: Trigger, run: int, group: asyncio.TaskGroup) -> None:
        before = self.state
        now_s = self._around.clock.monotonic_s()
        self.state, steps = advance(before, trigger, run=run, now_s=now_s, times=self.spec.times)
        if self.state.phase is not before.phase:
            self._announce(before)
        for step in steps:
            await self._carry_out(step, group)

    async def _carry_out(self, step: Step, group: asyncio.TaskGroup) -> None:
        match step:
            case Step.SPAWN:
                await self._spawn(group)
            case Step.ASK_TO_STOP:
                self._kills = 0
                self._signal(self.spec.stop_signal)
            case Step.KILL:
                ways = self.spec.kill_signals
                self._signal(ways[min(self._kills, len(ways) - 1)])
                self._kills += 1

    async def _spawn(self, group: asyncio.TaskGroup) -> None:
        self._drop_watchers()
        run = self.state.run
        try:
            self._process = await self._start_process()
        except (OSError, SiteError) as error:
            self._around.announcer.child(self.spec.name, "cannot be started", str(error))
            self._triggers.put_nowait((Trigger.EXITED, run))
            return
        self._kills = 0
        with contextlib.suppress(OSError):  # a full disk: the marker in its environment remains
            record_child(self._around.state, self.spec.name, self._process.pid)
        self._watchers = [
            group.create_task(self._watch(self._process, run), name=f"watch-{self.spec.name}"),
            group.create_task(self._probe(run), name=f"probe-{self.spec.name}"),
        ]

    async def _start_process(self) -> Process:
        launch = self.spec.launch()
        marks = {
            STATE_VARIABLE: str(self._around.state.root),
            CHILD_VARIABLE: self.spec.name,
            "PYTHONUNBUFFERED": "1",
        }
        with self.log.open_for_child() as out:
            return await asyncio.create_subprocess_exec(
                *launch.argv(),
                stdin=DEVNULL,
                stdout=out,
                stderr=out,
                cwd=launch.folder,
                env={**os.environ, **launch.variables, **marks},
                start_new_session=True,  # Ctrl-C on the terminal is for the supervisor alone
            )

    async def _watch(self, process: Process, run: int) -> None:
        self.exit_code = await process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it may have started itself
        with contextlib.suppress(OSError):
            forget_child(self._around.state, self.spec.name)
        await self._triggers.put((Trigger.EXITED, run))

    async def _probe(self, run: int) -> None:
        while True:
            if await self.spec.answers():
                break
            await asyncio.sleep(PROBE_EVERY_S)
        await self._triggers.put((Trigger.ANSWERED, run))
        fault = await self._lasting_fault()
        self._around.announcer.child(self.spec.name, "unwell", f"{fault}; it is started again")
        await self._triggers.put((Trigger.UNWELL, run))

    async def _lasting_fault(self) -> str:
        """Return the fault that was found FAULTS_IN_A_ROW times, whenever that is."""
        found = 0
        while True:
            await asyncio.sleep(FAULT_LOOK_EVERY_S)
            fault = await self.spec.fault()
            found = found + 1 if fault else 0
            if fault and found >= FAULTS_IN_A_ROW:
                return fault

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
                self._process.send_signal(signal.SIGCONT)  # a frozen one would never see it

    def _drop_watchers(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        self._watchers = []

    def _announce(self, before: ChildState) -> None:
        phase = self.state.phase
        if phase in (Phase.READY, Phase.FAILED):
            self.settled.set()
        if phase in (Phase.BACKOFF, Phase.FAILED):
            self._drop_watchers()
        detail = ""
        if phase is Phase.BACKOFF:
            detail = f"ended with {_told(self.exit_code)}"
            if self.state.flapping:
                detail += f", {self.state.failures} times in a row: {'; '.join(self.log.tail(2))}"
        if before.ever_ready and phase is Phase.READY:
            detail = "again"
        if before.phase is Phase.WAITING and phase is Phase.STOPPED:
            return  # it never ran
        self._around.announcer.child(self.spec.name, phase, detail)


def _told(exit_code: int | None) -> str:
    if exit_code is None:
        return "nothing"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
