"""From samples to the points of a chart: steps aligned to the epoch, one point each. Pure."""

from collections.abc import Sequence
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from shared.domain.samples import Value, ValueType
from shared.domain.telemetry import Aggregate, check_aggregate

Points = list[tuple[int, Value]]


def aggregate_samples(
    ts_ms: Sequence[int],
    value: Sequence[Value],
    *,
    value_type: ValueType,
    step_ms: int,
    aggregate: Aggregate,
) -> Points:
    """Return one point per step that has a sample, at the start of the step.

    ``ts_ms`` ascends; ``value`` runs in parallel and holds values of ``value_type``. Of samples of
    one millisecond the last given counts as the last. MEAN is in float64; MIN and MAX keep the
    type of the series except that flags become 0 or 1. With RAW every sample is a point.

    Raises:
        AggregateError: if ``aggregate`` has no meaning for ``value_type``.
        ValueError: if ``step_ms`` is not positive.
    """
    check_aggregate(value_type, aggregate)
    if aggregate is Aggregate.RAW:
        return list(zip(ts_ms, value, strict=True))
    if step_ms <= 0:
        raise ValueError(f"step_ms must be positive, got {step_ms}")
    if not ts_ms:
        return []
    times = np.asarray(ts_ms, dtype=np.int64)
    steps = times - times % step_ms
    first = np.flatnonzero(np.concatenate(([True], steps[1:] != steps[:-1])))
    starts: list[int] = steps[first].tolist()
    return list(
        zip(starts, _values(value, first, value_type=value_type, aggregate=aggregate), strict=True)
    )


def _values(
    value: Sequence[Value],
    first: NDArray[np.intp],
    *,
    value_type: ValueType,
    aggregate: Aggregate,
) -> list[Value]:
    after = np.append(first[1:], len(value))
    match aggregate:
        case Aggregate.COUNT:
            return (after - first).tolist()
        case Aggregate.LAST:
            return [value[index] for index in (after - 1).tolist()]
        case Aggregate.MIN:
            return np.minimum.reduceat(_numbers(value, value_type), first).tolist()
        case Aggregate.MAX:
            return np.maximum.reduceat(_numbers(value, value_type), first).tolist()
        case Aggregate.MEAN:
            numbers = _numbers(value, value_type).astype(np.float64)
            return (np.add.reduceat(numbers, first) / (after - first)).tolist()
        case Aggregate.RAW:
            return list(value)
        case _:
            assert_never(aggregate)


def _numbers(value: Sequence[Value], value_type: ValueType) -> NDArray[np.float64 | np.int64]:
    is_whole = value_type is not ValueType.NUMBER
    return np.asarray(value, dtype=np.int64 if is_whole else np.float64)
