"""Counts what the embedded broker refused, in a file that the edge shows from.

The counts go on over restarts of the site. The edge only reads the file; see edge.ingest.
"""

import contextlib
import json
from pathlib import Path

from deploy.site.broker_refusals import refusal_reason
from deploy.site.private_files import write_private
from deploy.site.state_dir import StateDir, read_table


def refusals_file(state: StateDir) -> Path:
    """Return where the counts are kept."""
    return state.run / "broker-refusals.json"


class RefusalCounts:
    """Counts by reason; ``save`` writes them when they changed."""

    def __init__(self, state: StateDir) -> None:
        self._file = refusals_file(state)
        kept = read_table(self._file)
        self._counts = {reason: n for reason, n in kept.items() if isinstance(n, int)}
        self._changed = not kept

    def judge(self, line: str) -> None:
        """Count what ``line`` of the broker's log tells."""
        reason = refusal_reason(line)
        if reason is not None:
            self._counts[reason] = self._counts.get(reason, 0) + 1
            self._changed = True

    def save(self) -> None:
        """Write the counts if they changed; a full disk only delays that."""
        if self._changed:
            with contextlib.suppress(OSError):
                write_private(self._file, json.dumps(self._counts) + "\n")
                self._changed = False
