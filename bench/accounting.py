"""What was sent against what was stored. Pure: every published sample carries its own number.

The n-th sample of a source (from 0) has the value n in the metric COUNTER_METRIC, so the log can
be compared with what was sent without any other record of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COUNTER_METRIC = "reading_number"


@dataclass(frozen=True, slots=True)
class LossAccount:
    """Samples of all sources together. ``sent`` = ``stored`` - ``doubled`` + ``lost``."""

    sent: int
    stored: int  # rows found, doubled ones included; strangers are not
    lost: int  # sent and never found
    doubled: int  # rows beyond the first of the same sample
    strangers: int  # rows that nobody sent: a number beyond the last, or an unknown source

    @property
    def is_whole(self) -> bool:
        """Whether everything that was sent is there exactly once, and nothing else."""
        return not (self.lost or self.doubled or self.strangers)

    @property
    def figures(self) -> dict[str, int]:
        """What is wrong, under the names that a report has for it."""
        return {
            "samples_lost": self.lost,
            "samples_doubled": self.doubled,
            "samples_of_nobody": self.strangers,
        }


def account(sent: Mapping[str, int], stored: Mapping[str, NDArray[np.float64]]) -> LossAccount:
    """Compare the number of samples ``sent`` by each source with the numbers ``stored`` for it."""
    rows = lost = doubled = strangers = 0
    for source in sent.keys() | stored.keys():
        count = sent.get(source, 0)
        found = stored.get(source, np.empty(0))
        known = found[(found >= 0) & (found < count) & (found == np.floor(found))]
        different = len(np.unique(known))
        rows += len(known)
        lost += count - different
        doubled += len(known) - different
        strangers += len(found) - len(known)
    return LossAccount(sum(sent.values()), rows, lost, doubled, strangers)
