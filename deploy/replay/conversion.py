"""Rows to messages: time, numbers and identities as the mapping declares them. Pure."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from deploy.errors import SiteUsageError
from deploy.replay.mapping import (
    ClockMapping,
    FileMapping,
    LocationMapping,
    Mapping,
    MessageMapping,
    MetricMapping,
)
from deploy.replay.tables import Row
from shared.ids import is_name

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_OF = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
TRUE_WORDS = frozenset({"1", "1.0", "true", "t", "yes", "y", "on"})
FALSE_WORDS = frozenset({"0", "0.0", "false", "f", "no", "n", "off"})
PROBLEMS_KEPT_MAX = 20  # examples shown in the summary; all are counted
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Message:
    """One message to publish: its topic, time and content without ``ts`` and ``seq``."""

    topic: str
    ts_ms: int
    content: dict[str, Any]


@dataclass(slots=True)
class Account:
    """What became of the rows so far."""

    rows: int = 0
    refused_rows: int = 0
    refused_cells: int = 0
    problems: list[str] = field(default_factory=list[str])

    def refuse(self, row: Row, what: str) -> None:
        """Keep the first few reasons with file and line."""
        if len(self.problems) < PROBLEMS_KEPT_MAX:
            self.problems.append(f"{row.member}:{row.line}: {what}")


class Converter:
    """Turns the rows of one recording into messages, in order; counts what it had to refuse."""

    def __init__(self, mapping: Mapping, site: str) -> None:
        self._mapping = mapping
        self._site = site
        self._clock = RowClock(mapping.clock)
        self._plain: dict[str, MetricMapping] = {}
        self.account = Account()

    def convert(self, row: Row, stem: str) -> Iterator[Message]:
        """Yield the messages of ``row``; ``stem`` names the member it comes from.

        A cell that is no number refuses that cell, a time that cannot be read the whole row.
        """
        self.account.rows += 1
        try:
            ts_ms = self._clock.time_of(row, self.account.rows - 1)
        except ValueError as error:
            self.account.refused_rows += 1
            self.account.refuse(row, str(error))
            return
        for message in self._mapping.message:
            content = self._content(row, message)
            if content:
                yield Message(self._topic(row, stem, message), ts_ms, content)

    def _topic(self, row: Row, stem: str, message: MessageMapping) -> str:
        asset_id = message.id
        if "{" in asset_id:
            names = {**row.cells, "member": stem}
            for name, value in names.items():
                asset_id = asset_id.replace(f"{{{name}}}", value)
            asset_id = _NOT_IN_NAMES.sub("-", asset_id.lower()).strip("-_")[:64]
        if not is_name(asset_id):
            raise SiteUsageError(f"message.id {message.id!r} gives {asset_id!r}, which is no name")
        return f"mine/v1/{self._site}/{message.kind}/{asset_id}/{message.channel}"

    def _content(self, row: Row, message: MessageMapping) -> dict[str, Any]:
        if message.location is not None:
            return self._position(row, message, message.location)
        metrics: dict[str, Any] = {}
        for entry in message.metric:
            value = self._cell(row, entry)
            if value is not None:
                metrics[entry.metric] = value
        return {"metrics": metrics} if metrics else {}

    def _position(
        self, row: Row, message: MessageMapping, location: LocationMapping
    ) -> dict[str, Any]:
        columns = {
            "lat": location.lat,
            "lng": location.lng,
            "altitude_m": location.altitude_m,
            "accuracy_m": location.accuracy_m,
        }
        coordinates = {name: self._number(row, column) for name, column in columns.items()}
        if coordinates["lat"] is None or coordinates["lng"] is None:
            return {}
        place: dict[str, Any] = {
            "coordinates": {name: value for name, value in coordinates.items() if value is not None}
        }
        place |= {n: t for n, t in (("zone", location.zone), ("level", location.level)) if t}
        content: dict[str, Any] = {"location": place}
        for name, column in (
            ("speed_mps", message.speed_mps),
            ("heading_deg", message.heading_deg),
        ):
            value = self._number(row, column)
            if value is not None:
                content[name] = value
        return content

    def _number(self, row: Row, column: str | None) -> float | None:
        if column is None:
            return None
        if column not in self._plain:
            self._plain[column] = MetricMapping(column=column, metric="value", optional=True)
        value = self._cell(row, self._plain[column])
        return value if isinstance(value, float) else None

    def _cell(self, row: Row, entry: MetricMapping) -> float | bool | str | None:
        text = row.cells.get(entry.column)
        if text is None:
            if not entry.optional:
                self._refuse_cell(row, f"column {entry.column!r} is absent")
            return None
        text = text.strip()
        if text in self._mapping.file.missing:
            return None
        try:
            return parse_cell(text, entry, self._mapping.file)
        except ValueError as error:
            self._refuse_cell(row, f"column {entry.column!r}: {error}")
            return None

    def _refuse_cell(self, row: Row, what: str) -> None:
        self.account.refused_cells += 1
        self.account.refuse(row, what)


def parse_cell(text: str, entry: MetricMapping, file: FileMapping) -> float | bool | str:
    """Return the value written in ``text``; a number keeps every digit the file has.

    Raises:
        ValueError: saying what was expected.
    """
    if entry.type == "text":
        return text
    if entry.type == "flag":
        word = text.lower()
        if word not in TRUE_WORDS | FALSE_WORDS:
            raise ValueError(f"expected a flag (1/0, true/false, yes/no, on/off), got {text!r}")
        return word in TRUE_WORDS
    plain = text.replace(file.thousands, "") if file.thousands else text
    plain = plain.replace(",", ".") if file.decimal == "," else plain
    try:
        value = float(plain)
    except ValueError as error:
        raise ValueError(f"expected a number, got {text[:80]!r}") from error
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {text[:80]!r}")
    if entry.scale == 1.0 and entry.offset == 0.0:
        return value
    return value * entry.scale + entry.offset


class RowClock:
    """The time of each row as the mapping declares it."""

    def __init__(self, mapping: ClockMapping) -> None:
        self._mapping = mapping
        self._zone = read_zone(mapping.zone)
        self._start_ms = 0
        if mapping.start is not None:
            self._start_ms = parse_time(mapping.start, "iso", self._zone)

    def time_of(self, row: Row, index: int) -> int:
        """Return the time of the ``index``-th row (from 0) in ms since the epoch.

        Raises:
            ValueError: if the time columns are absent or cannot be read.
        """
        if self._mapping.step_s is not None:
            return self._start_ms + round(index * self._mapping.step_s * 1000.0)
        column = self._mapping.column
        columns = (column,) if isinstance(column, str) else (column or ())
        absent = [name for name in columns if name not in row.cells]
        if absent:
            raise ValueError(f"time column {absent[0]!r} is absent")
        text = " ".join(row.cells[name].strip() for name in columns)
        return parse_time(text, self._mapping.format or "iso", self._zone)


def read_zone(name: str) -> tzinfo:
    """Return the time zone called ``name`` (IANA).

    Raises:
        SiteUsageError: if there is no such zone.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SiteUsageError(f"clock.zone: no such time zone: {name!r}") from error


def parse_time(text: str, form: str, zone: tzinfo) -> int:
    """Return ms since the epoch of ``text``; ``zone`` is for times that carry none.

    Raises:
        ValueError: naming the form that was expected.
    """
    try:
        if form in MICROSECONDS_OF:
            return _from_epoch(text, MICROSECONDS_OF[form])
        moment = datetime.fromisoformat(text) if form == "iso" else _strptime(text, form)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return (moment - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expected a time as {form}, got {text[:80]!r}") from error


def _strptime(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 -- the mapping's zone is put on by the caller


def _from_epoch(text: str, microseconds: int) -> int:
    plain = text.replace(",", ".")
    if "." in plain or "e" in plain.lower():
        return round(float(plain) * microseconds / 1000.0)
    return int(plain) * microseconds // 1000
