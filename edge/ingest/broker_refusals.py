"""What the broker refused before it reached the edge, as whoever runs the broker counts it.

The broker alone knows of these: MQTT 3.1.1 gives a sender no reason, and the edge never sees the
message. Whoever runs the broker keeps a JSON file with counts by reason; it is only read here.
"""

import json
from pathlib import Path
from typing import Any, cast

SIZE_MAX_BYTES = 65_536  # a dozen reasons; a larger file is not one of ours
REASONS_MAX = 64  # each becomes a label value


def read_refusals(file: Path | None) -> dict[str, int]:
    """Return how often the broker refused something, by reason; empty where nobody counts."""
    if file is None:
        return {}
    try:
        with file.open("rb") as source:
            found: Any = json.loads(source.read(SIZE_MAX_BYTES + 1))
    except (OSError, ValueError):
        return {}
    return _counts(cast("dict[Any, Any]", found)) if isinstance(found, dict) else {}


def _counts(table: dict[Any, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason, count in table.items():
        if isinstance(count, int) and not isinstance(count, bool) and len(counts) < REASONS_MAX:
            counts[str(reason)] = count
    return counts
