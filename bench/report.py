"""The result of a benchmark as text for people and JSON for programs. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bench.machine import Machine
from bench.measure import Distribution
from bench.processes import Usage

Figure = Distribution | float | str | None

_MEBIBYTE = 1_048_576
_GIBIBYTE = 1_073_741_824


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run has to say.

    ``figures`` carry their unit in their name; ``usage`` is by role over ``watched_s`` seconds.
    ``passed`` speaks of correctness only: nothing lost, doubled or wrong. Speed is never judged.
    """

    bench: str
    machine: Machine
    options: Mapping[str, float | str]
    figures: Mapping[str, Figure]
    usage: Mapping[str, Usage]
    watched_s: float
    passed: bool
    notes: tuple[str, ...] = ()

    def as_json(self) -> str:
        """Return the report as one indented JSON object."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def as_text(self) -> str:
        """Return the report as a table."""
        machine = self.machine
        lines = [
            f"headframe bench {self.bench}: {'passed' if self.passed else 'FAILED'}",
            f"  {machine.cpu}, {machine.cores} cores, {machine.memory_bytes / _GIBIBYTE:.0f} GiB",
            f"  {machine.kernel}, {machine.python}, {machine.filesystem}",
            f"  load before {machine.load_before:.2f}",
            "  " + ", ".join(f"{name} {_plain(value)}" for name, value in self.options.items()),
            "",
            f"{'':38}{'n':>10}{'min':>10}{'median':>10}{'p95':>10}{'p99':>10}{'max':>10}",
            *(_row(name, figure) for name, figure in self.figures.items()),
            "",
            f"{'process':<38}{'CPU s':>10}{'cores':>10}{'RSS MiB':>10}",
            *(self._usage_row(role, usage) for role, usage in self.usage.items()),
        ]
        return "\n".join([*lines, *(("", *self.notes) if self.notes else ())]) + "\n"

    def _usage_row(self, role: str, usage: Usage) -> str:
        cores = usage.cpu_s / self.watched_s if self.watched_s else 0.0
        return (
            f"{role:<38}{usage.cpu_s:>10.1f}{cores:>10.2f}{usage.rss_max_bytes / _MEBIBYTE:>10.0f}"
        )


def _row(name: str, figure: Figure) -> str:
    if isinstance(figure, Distribution):
        cells = (figure.minimum, figure.median, figure.p95, figure.p99, figure.maximum)
        return f"{name:<38}{figure.n:>10}" + "".join(f"{_plain(cell):>10}" for cell in cells)
    return f"{name:<38}{'-' if figure is None else _plain(figure):>10}"


def _plain(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value.is_integer():
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
