"""What machine a figure was measured on: without it no figure can be compared with another."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from bench.processes import filesystem_of, load_average, memory_size_bytes

_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and how busy it was when the run began."""

    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    filesystem: str  # of the state directory, with its device
    load_before: float  # runnable tasks over the last minute; far above 0: the figures are worse


def describe_machine(folder: Path) -> Machine:
    """Return the description; ``folder`` is where the site keeps its state."""
    return Machine(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=memory_size_bytes(),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        filesystem=filesystem_of(folder),
        load_before=load_average(),
    )


def _cpu_model() -> str:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
