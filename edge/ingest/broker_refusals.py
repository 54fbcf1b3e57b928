"""What the broker refused before it reached the edge, as the broker's side counts it.

The broker alone knows of these: MQTT 3.1.1 gives a sender no reason, and the edge never sees the
message. Whoever runs the broker keeps a JSON file with counts by reason; it is only read here.
What the broker dropped for full queues it tells by itself, while the edge is connected.
"""

import json
import re
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeGuard, cast

from edge.metrics import IngestCounts

SIZE_MAX_BYTES: Final = 65_536  # a dozen reasons; a larger file is not one of ours
REASONS_MAX: Final = 64  # each becomes a label value and a row of the page; central takes no more
COUNT_MAX: Final = 2**63 - 1  # more has no place in a frame, which would end the session
QUEUE_FULL: Final = "queue_full"  # dropped because a queue of the broker was full
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")  # as codes of the sync session


def refused_by_broker(file: Path | None, counts: IngestCounts) -> dict[str, int]:
    """Return how often the broker refused or dropped something, by reason.

    At most `REASONS_MAX` reasons; every reason and count may go into a frame as it is.
    """
    refusals = read_refusals(file)
    if counts.broker_dropped > 0:
        refusals = {QUEUE_FULL: counts.broker_dropped, **_without(QUEUE_FULL, refusals)}
    return dict(islice(refusals.items(), REASONS_MAX))


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
    return dict(islice(found.items(), REASONS_MAX))


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= COUNT_MAX


def _without(reason: str, refusals: dict[str, int]) -> dict[str, int]:
    return {other: count for other, count in refusals.items() if other != reason}
