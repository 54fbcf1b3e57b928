"""Mapping files: what the columns of a recorded file mean. Parsing only.

A mapping says how the file is written (``[file]``), what time each row has (``[clock]``) and which
messages a row becomes (``[[message]]``). docs/replay.md describes every key.
"""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from deploy.errors import SiteUsageError
from shared.configuration import Section
from shared.ids import Kind
from shared.validation import expectation

Metric = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Names = tuple[str, ...]


class FileMapping(Section):
    """How the file is written."""

    format: Literal["delimited", "whitespace", "arff"] = "delimited"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] = '"'
    comment: str | None = None  # lines that start so are passed over
    encoding: str = "utf-8"
    skip_lines: Annotated[int, Field(ge=0)] = 0  # before the header or the first row
    header: bool = True  # the first line names the columns (an ARFF file names them itself)
    columns: Names = ()  # names where there is no header
    missing: Names = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "-")
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    members: Names = ()  # patterns of the files inside an archive or folder; empty: all
    combine: Literal["sequence", "columns"] = "sequence"  # one after another, or side by side
    layout: Literal["rows", "cycles"] = "rows"  # cycles: a line is a run of values of one column


class ClockMapping(Section):
    """What time a row has: from columns, or from a fixed step."""

    column: str | Names | None = None  # several are joined by a space, e.g. date and time
    format: str | None = None  # "iso", "epoch_s", "epoch_ms", "epoch_us", or a strptime format
    zone: str = "UTC"  # of times that carry none
    start: str | None = None  # ISO 8601, of the first row
    step_s: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "ClockMapping":
        if (self.column is None) == (self.step_s is None):
            raise ValueError("give either column (with format) or step_s (with start)")
        if self.column is not None and self.format is None:
            raise ValueError("column needs format: iso, epoch_s, epoch_ms, epoch_us or strptime")
        if self.step_s is not None and self.start is None:
            raise ValueError("step_s needs start, an ISO 8601 time")
        return self


class MetricMapping(Section):
    """One metric of a message."""

    column: str
    metric: Metric
    unit: str | None = None  # announced in the birth message where the name's suffix says less
    type: Literal["number", "flag", "text"] = "number"
    scale: float = 1.0  # value = cell * scale + offset; 1 and 0 leave the cell untouched
    offset: float = 0.0
    optional: bool = False  # the column may be absent from some files


class LocationMapping(Section):
    """The columns of a position."""

    lat: str
    lng: str
    altitude_m: str | None = None
    accuracy_m: str | None = None
    zone: str | None = None  # a fixed text, not a column
    level: str | None = None


class MessageMapping(Section):
    """One message a row becomes. ``id`` may hold ``{column}`` and ``{member}``."""

    kind: Kind
    id: str
    channel: Literal["telemetry", "position", "vitals", "kpi"] = "telemetry"
    metric: tuple[MetricMapping, ...] = ()
    location: LocationMapping | None = None
    speed_mps: str | None = None
    heading_deg: str | None = None

    @model_validator(mode="after")
    def _has_content(self) -> "MessageMapping":
        if self.channel == "position" and (self.location is None or self.metric):
            raise ValueError("a position message needs location and has no metric")
        if self.channel != "position" and (not self.metric or self.location is not None):
            raise ValueError(f"a {self.channel} message needs metric entries and has no location")
        return self


class Mapping(Section):
    """A whole mapping file."""

    description: str = ""
    file: FileMapping = FileMapping()
    clock: ClockMapping
    message: tuple[MessageMapping, ...]

    @model_validator(mode="after")
    def _says_something(self) -> "Mapping":
        if not self.message:
            raise ValueError("give at least one [[message]]")
        return self


def mapping_names() -> list[str]:
    """Return the names of the mappings that come with the product, sorted."""
    folder = resources.files("deploy.replay") / "mappings"
    names = [entry.name for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return sorted(name.removesuffix(".toml") for name in names)


def read_mapping(name: str) -> Mapping:
    """Return the mapping in the file ``name``, or the one of that name in the product.

    Raises:
        SiteUsageError: listing every mistake with file, key and what was expected.
    """
    file = Path(name)
    if not file.exists() and name in mapping_names():
        text = (resources.files("deploy.replay") / "mappings" / f"{name}.toml").read_text("utf-8")
        return parse_mapping(name, text)
    try:
        return parse_mapping(name, file.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(mapping_names())
        raise SiteUsageError(
            f"--mapping: {name}: {error.strerror}; a file, or one of {known}"
        ) from error


def parse_mapping(name: str, text: str) -> Mapping:
    """Return the mapping written in ``text``.

    Raises:
        SiteUsageError: listing every mistake with key and what was expected.
    """
    try:
        table: dict[str, Any] = tomllib.loads(text)
        return Mapping.model_validate(table)
    except tomllib.TOMLDecodeError as error:
        raise SiteUsageError(f"--mapping: {name}: not valid TOML: {error}") from error
    except ValidationError as error:
        mistakes = [
            (".".join(map(str, mistake["loc"])) or "(whole)", expectation(mistake))
            for mistake in error.errors(include_url=False)
        ]
        lines = [f"--mapping: {name}: {key}: {what}" for key, what in mistakes]
        raise SiteUsageError("\n".join(lines)) from error
