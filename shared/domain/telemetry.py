"""Questions about the past of a series, and how points are aggregated. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.samples import Value, ValueType
from shared.errors import AggregateError
from shared.ids import SeriesName

POINTS_MAX = 10_000  # per answer: what a screen and a spreadsheet still handle; 250 kB of JSON


class Aggregate(StrEnum):
    """How the samples of one step become one point."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    LAST = "last"
    RAW = "raw"  # no steps: every sample is a point


_FOR_TEXT = frozenset({Aggregate.COUNT, Aggregate.LAST, Aggregate.RAW})


@dataclass(frozen=True, slots=True)
class TelemetryQuery:
    """Points of one series in ``[start_ms, end_ms)``, milliseconds since the epoch.

    Steps are aligned to the epoch (a step begins where ``ts_ms % step_ms == 0``), so that zooming
    and panning never move them; ``step_ms`` is ignored with RAW. A name may have several catalogue
    entries (its unit or type changed): ``unit`` chooses among them, of those left the one with the
    newest sample is taken.
    """

    series: SeriesName
    start_ms: int
    end_ms: int
    step_ms: int
    aggregate: Aggregate
    unit: str | None = None
    points_max: int = POINTS_MAX


@dataclass(frozen=True, slots=True)
class TelemetryResult:
    """Points in ascending time; the time of an aggregated point is the start of its step.

    Steps without a sample have no point. MEAN, MIN, MAX and COUNT are numbers (a flag counts as
    0 or 1), LAST and RAW have the series' own type. ``next_start_ms`` is set when there are more
    than ``points_max`` points: ask again from there (see :func:`page_of`).
    """

    unit: str
    value_type: ValueType
    points: list[tuple[int, Value]]
    next_start_ms: int | None = None
    complete_from_ms: int | None = None  # earlier points are elsewhere, or too many to read here


def check_aggregate(value_type: ValueType, aggregate: Aggregate) -> None:
    """Refuse arithmetic on text.

    Raises:
        AggregateError: if ``aggregate`` has no meaning for ``value_type``.
    """
    if value_type is ValueType.TEXT and aggregate not in _FOR_TEXT:
        allowed = ", ".join(sorted(_FOR_TEXT))
        raise AggregateError(f"a text series allows only {allowed}, got {aggregate}")


def page_of(
    points: list[tuple[int, Value]], points_max: int
) -> tuple[list[tuple[int, Value]], int | None]:
    """Return the points of one answer and where the next begins, from ``points_max + 1`` points.

    ``points`` ascend in time and hold one more than fits when there are more. Points of one
    millisecond stay together, in the next answer if they do not fit in this one; only when a
    single millisecond has more than ``points_max`` are the rest of it left out.
    """
    if len(points) <= points_max:
        return points, None
    next_start_ms = points[points_max][0]
    kept = [point for point in points[:points_max] if point[0] < next_start_ms]
    if kept:
        return kept, next_start_ms
    return points[:points_max], next_start_ms + 1
