"""Scenario scripts: what happens when, read from a TOML file. Parsing only; no I/O but the file.

A script is a list of ``[[step]]`` tables: ``at_s`` (seconds after the start), ``over_s`` (how long
the change takes, linear), ``what`` (one of the quantities below) and ``value`` (the new value).
"""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Any, cast

from deploy.errors import SiteUsageError


class Lever(StrEnum):
    """What a script can move; each with the value that means "normal"."""

    METHANE_INFLOW = "methane-inflow"  # factor on the inflow at the face, 1 = normal
    FAN_SHARE = "fan-share"  # share of the nominal airflow, 1 = normal
    SATELLITE_UP = "satellite-up"  # 1 = the link to central carries data, 0 = cut


NORMAL: dict[Lever, float] = dict.fromkeys(Lever, 1.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One change: from ``at_s`` on, over ``over_s`` seconds, ``lever`` goes to ``value``."""

    at_s: float
    over_s: float
    lever: Lever
    value: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named script; its steps are in order of time."""

    name: str
    description: str
    steps: tuple[Step, ...]

    def values_at(self, time_s: float) -> dict[Lever, float]:
        """Return the value of every lever ``time_s`` seconds after the start."""
        values = dict(NORMAL)
        for step in self.steps:
            if time_s < step.at_s:
                break
            before = values[step.lever]
            done = 1.0 if step.over_s <= 0 else min(1.0, (time_s - step.at_s) / step.over_s)
            values[step.lever] = before + (step.value - before) * done
        return values


QUIET = Scenario("quiet", "nothing out of the ordinary", ())


def scenario_names() -> list[str]:
    """Return the names of the scripts that come with the product, sorted."""
    folder = resources.files("deploy.sim") / "scenarios"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def read_scenario(name: str) -> Scenario:
    """Return the script called ``name``.

    Raises:
        SiteUsageError: if there is none of that name; the message lists those there are.
    """
    if name not in scenario_names():
        raise SiteUsageError(
            f"--scenario: expected one of {', '.join(scenario_names())}, got {name!r}"
        )
    file = resources.files("deploy.sim") / "scenarios" / f"{name}.toml"
    return parse_scenario(name, file.read_text(encoding="utf-8"))


def parse_scenario(name: str, text: str) -> Scenario:
    """Return the script written in ``text``.

    Raises:
        SiteUsageError: naming the step and key that is wrong and what was expected.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SiteUsageError(f"scenario {name}: not valid TOML: {error}") from error
    entries = table.get("step", [])
    if not isinstance(entries, list):
        raise SiteUsageError(f"scenario {name}: step: expected [[step]] tables")
    steps = [
        _parse_step(name, number, entry)
        for number, entry in enumerate(cast("list[Any]", entries), start=1)
    ]
    ordered = tuple(sorted(steps, key=lambda step: step.at_s))
    return Scenario(name, str(table.get("description", "")), ordered)


def _parse_step(name: str, number: int, entry: Any) -> Step:
    where = f"scenario {name}: step {number}"
    if not isinstance(entry, dict):
        raise SiteUsageError(f"{where}: expected a table")
    fields = cast("dict[str, Any]", entry)
    numbers: dict[str, float] = {}
    for key, default in (("at_s", None), ("over_s", 0.0), ("value", None)):
        given = fields.get(key, default)
        if isinstance(given, bool) or not isinstance(given, int | float) or given < 0:
            raise SiteUsageError(f"{where}: {key}: expected a number >= 0, got {given!r}")
        numbers[key] = float(given)
    what = fields.get("what")
    if what not in list(Lever):
        raise SiteUsageError(f"{where}: what: expected one of {', '.join(Lever)}, got {what!r}")
    return Step(numbers["at_s"], numbers["over_s"], Lever(str(what)), numbers["value"])
