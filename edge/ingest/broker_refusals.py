"""What the broker refused before it reached the edge, as the broker's side counts it.

The broker alone knows of these: MQTT 3.1.1 gives a sender no reason, and the edge never sees the
message. Whoever runs the broker keeps a JSON file with counts by reason; it is only read here.
What the broker dropped for full queues it tells by itself, while the edge is connected.
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeGuard, cast

from edge.metrics import IngestCounts
from shared.sync.frames import REPORTED_REASONS_MAX

SIZE_MAX_BYTES: Final = 65_536  # a dozen reasons; a larger file is not one of ours
COUNT_MAX: Final = 2**63 - 1  # more has no place in a frame, which would end the session
QUEUE_FULL: Final = "queue_full"  # dropped because a queue of the broker was full
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")  # as codes of the sync session


def refused_before_us(
    file: Path | None, counts: IngestCounts, listener: Callable[[], Mapping[str, int]]
) -> dict[str, int]:
    """Return how often the broker, or our own ``listener``, refused something, by reason."""
    found = refused_by_broker(file, counts)
    for reason, count in listener().items():
        found[reason] = found.get(reason, 0) + count
    return dict(islice(found.items(), REPORTED_REASONS_MAX))


def refused_by_broker(file: Path | None, counts: IngestCounts) -> dict[str, int]:
    """Return how often the broker refused or dropped something, by reason.

    At most `REPORTED_REASONS_MAX` reasons; every reason and count may go into a frame as it is.
    """
    dropped = {QUEUE_FULL: counts.broker_dropped} if counts.broker_dropped > 0 else {}
    # Its own place first, and its own count over what the file may say of it.
    refusals = dropped | read_refusals(file) | dropped
    return dict(islice(refusals.items(), REPORTED_REASONS_MAX))


def read_refusals(file: Path | None) -> dict[str, int]:
    """Return what ``file`` counts, by reason; what is no reason or no count is left out.

    Empty where nobody counts. Nothing in the file raises: it is not the edge's own.
    """
    if file is None:
        return {}
    try:
        with file.open("rb") as source:
            found: Any = json.loads(source.read(SIZE_MAX_BYTES + 1))
    except (OSError, ValueError, RecursionError):
        return {}
    return _counts(cast("dict[Any, Any]", found)) if isinstance(found, dict) else {}


def _counts(table: dict[Any, Any]) -> dict[str, int]:
    found = {
        reason: count
        for reason, count in table.items()
        if _REASON.fullmatch(str(reason)) and _is_count(count)
    }
    return dict(islice(found.items(), REPORTED_REASONS_MAX))


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= COUNT_MAX
