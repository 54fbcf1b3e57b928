"""CPU time and memory of the processes of a site, by role. The only module that knows psutil."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # pyright: ignore[reportMissingTypeStubs] untyped; wrapped here only

# What a command line contains, in the order in which it is looked for.
_ROLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("nats-server",), "broker"),
    (("mosquitto",), "broker"),
    (("postgres",), "postgresql"),
    (("edge", "run"), "edge"),
    (("headframe-edge", "run"), "edge"),
    (("central", "worker"), "central worker"),
    (("headframe-central", "worker"), "central worker"),
    (("central", "run"), "central"),
    (("headframe-central", "run"), "central"),
    (("bench.load",), "publisher"),
    (("bench.listener_load",), "publisher"),
    (("chromium",), "browser"),
    (("chromium-browser",), "browser"),
    (("chrome",), "browser"),
)
_OTHER = "supervisor"
LOOK_EVERY_S = 1.0  # a look costs about 10 ms


@dataclass(slots=True)
class Usage:
    """What one role used while it was watched; several processes of a role are added."""

    cpu_s: float = 0.0
    rss_max_bytes: int = 0  # the largest sum over the role's processes at one moment


@dataclass(slots=True)
class ProcessWatch:
    """Watches processes and everything below them; ``watch`` runs in its own thread.

    CPU time counts from the first look; of a process that started later, from its start. What a
    process used between the last look and its end is missed.
    """

    roots: list[int]  # process numbers; more may be added while it watches
    stop: threading.Event = field(default_factory=threading.Event)
    _first_s: dict[int, float] = field(default_factory=dict[int, float])
    _last_s: dict[int, float] = field(default_factory=dict[int, float])
    _role: dict[int, str] = field(default_factory=dict[int, str])
    _rss_max: dict[str, int] = field(default_factory=dict[str, int])

    def watch(self) -> None:
        """Look every LOOK_EVERY_S until ``stop`` is set."""
        self.look()
        while not self.stop.wait(LOOK_EVERY_S):
            self.look()
        self.look()

    def look(self) -> None:
        """Read the times and sizes of all processes that exist now."""
        is_first_look = not self._first_s
        rss: dict[str, int] = {}
        for process in [each for pid in self.roots for each in _family(pid)]:
            seen = _read(process)
            if seen is None:
                continue
            number, role, cpu_s, rss_bytes = seen
            self._role[number] = role
            self._first_s.setdefault(number, cpu_s if is_first_look else 0.0)
            self._last_s[number] = cpu_s
            rss[role] = rss.get(role, 0) + rss_bytes
        for role, size in rss.items():
            self._rss_max[role] = max(size, self._rss_max.get(role, 0))

    def usage(self) -> dict[str, Usage]:
        """Return what each role has used between the first and the last look."""
        found = {role: Usage(0.0, size) for role, size in sorted(self._rss_max.items())}
        for number, role in self._role.items():
            found[role].cpu_s += self._last_s[number] - self._first_s[number]
        return found


def role_of(command: Sequence[str]) -> str:
    """Return what a process of a site does, by its command line."""
    words = {word for part in command for word in (part, Path(part).name, part.partition(":")[0])}
    for needles, role in _ROLES:
        if words.issuperset(needles):
            return role
    return _OTHER


def memory_size_bytes() -> int:
    """Return the machine's memory."""
    return int(psutil.virtual_memory().total)


def load_average() -> float:
    """Return the number of runnable tasks over the last minute."""
    return round(os.getloadavg()[0], 2)


def filesystem_of(folder: Path) -> str:
    """Return type and device of the file system that holds ``folder``, such as ``ext4 on vda1``."""
    path = str(folder.resolve())
    mounts: list[Any] = psutil.disk_partitions(all=True)
    holding = [each for each in mounts if Path(path).is_relative_to(each.mountpoint)]
    if not holding:
        return "unknown"
    nearest = max(holding, key=lambda each: len(each.mountpoint))
    return f"{nearest.fstype} on {Path(nearest.device).name or nearest.device}"


def _family(pid: int) -> list[Any]:
    try:
        root: Any = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _read(process: Any) -> tuple[int, str, float, int] | None:
    try:
        with process.oneshot():
            times = process.cpu_times()
            command: list[str] = process.cmdline()
            rss_bytes = int(process.memory_info().rss)
            return process.pid, role_of(command), times.user + times.system, rss_bytes
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return None
