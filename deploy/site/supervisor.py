"""Starts the children in order, keeps them alive, and stops them in order."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import chain

from deploy.errors import SiteError
from deploy.site.child import PROBE_EVERY_S, TAIL_LINES, Child, Surroundings
from deploy.site.children import ChildSpec
from deploy.site.log_lines import Shown, admit, weighty
from deploy.site.refusal_counts import RefusalCounts
from deploy.site.supervision import Phase

Stages = Sequence[Sequence[str]]

FOLLOW_LOGS_EVERY_S = 0.25
BROKER = "broker"


class Supervisor:
    """Owns the children of one site; ``run`` in a task, then ``start_all`` and ``stop_all``."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        start_stages: Stages,
        stop_stages: Stages,
        around: Surroundings,
    ) -> None:
        """Each of ``specs`` is named once in either order; a stage starts or stops at once."""
        names = sorted(spec.name for spec in specs)
        assert sorted(chain(*start_stages)) == sorted(chain(*stop_stages)) == names
        self.children = {spec.name: Child(spec, around) for spec in specs}
        self._refusals = RefusalCounts(around.state)
        self._start_stages = start_stages
        self._stop_stages = stop_stages
        self._around = around
        self._shown: dict[str, Shown] = {}

    async def run(self) -> None:
        """Supervise until every child has ended."""
        async with asyncio.TaskGroup() as group:
            follower = group.create_task(self._follow_logs(), name="logs")
            runs = [
                group.create_task(child.run(), name=f"child-{name}")
                for name, child in self.children.items()
            ]
            await asyncio.wait(runs)
            follower.cancel()

    async def start_all(self) -> None:
        """Start stage after stage, each when its predecessor answers.

        Raises:
            SiteError: if a child does not come up; those started so far still run.
        """
        for stage in self._start_stages:
            async with asyncio.TaskGroup() as group:
                starts = [
                    group.create_task(self._start(self.children[name]), name=f"start-{name}")
                    for name in stage
                ]
            for start in starts:
                if (failure := start.result()) is not None:
                    raise failure
        await self._all_at_once()

    async def _all_at_once(self) -> None:
        """Wait until all are ready at the same moment: one may have died while others started."""
        while not all(child.state.phase is Phase.READY for child in self.children.values()):
            for child in self.children.values():
                if child.state.flapping:
                    raise SiteError(self._why_not(child))
            await asyncio.sleep(PROBE_EVERY_S)

    async def _start(self, child: Child) -> SiteError | None:
        try:
            await child.spec.before_first_start()
            child.start()
            await child.settled.wait()
            if child.state.phase is not Phase.READY:
                return SiteError(self._why_not(child))
            await child.spec.after_first_ready()
        except SiteError as error:
            return error
        return None

    async def stop_all(self) -> None:
        """Stop stage after stage; returns when every child has ended."""
        for stage in self._stop_stages:
            children = [self.children[name] for name in stage]
            for child in children:
                child.stop()
            for child in children:
                await child.ended.wait()

    def hurry(self) -> None:
        """Force whatever is stopping; the later stages still end in order."""
        for child in self.children.values():
            child.hurry()

    def phases(self) -> Mapping[str, Phase]:
        """Return where each child stands."""
        return {name: child.state.phase for name, child in self.children.items()}

    async def _follow_logs(self) -> None:
        while True:
            for name, child in self.children.items():
                for line in child.log.new_lines():
                    self._judge_line(name, line)
            self._refusals.save()
            await asyncio.sleep(FOLLOW_LOGS_EVERY_S)

    def _judge_line(self, name: str, line: str) -> None:
        if name == BROKER:
            self._refusals.judge(line)
        text = weighty(line)
        if text is None:
            return
        now_s = self._around.clock.monotonic_s()
        self._shown[name], allowed = admit(self._shown.get(name, Shown()), now_s)
        if allowed:
            self._around.announcer.log_line(name, text)

    def _why_not(self, child: Child) -> str:
        tail = "\n".join(f"  {child.spec.name} | {line}" for line in child.log.tail(TAIL_LINES))
        log = self._around.state.logs / f"{child.spec.name}.log"
        return f"{child.spec.name} did not start (exit code {child.exit_code}); {log}:\n{tail}"
