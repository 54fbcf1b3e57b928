"""What was published against what was shown somewhere. Pure: samples are known by their number.

A place that shows live values may leave out values that newer ones have replaced, but never the
last one of a source: that is what stands there from then on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.accounting import COUNTER_METRIC

Sample = tuple[str, int]  # source and number
Times = dict[Sample, int]  # a moment of each sample, milliseconds since the epoch


@dataclass(frozen=True, slots=True)
class Delivery:
    """How completely one place has shown what was sent."""

    conflated: int  # replaced by newer values before they could be shown
    behind: int  # sources whose last number was not shown, silent ones included
    strangers: int  # numbers that nobody sent

    @property
    def is_whole(self) -> bool:
        """Whether the newest value of every source was shown, and nothing invented."""
        return not (self.behind or self.strangers)


def delivery(sent: Mapping[str, int], seen: Iterable[Sample]) -> Delivery:
    """Compare the number of samples ``sent`` by each source with what was ``seen`` of them.

    Of a source that is behind, what is newer than its newest number does not count as conflated.
    """
    newest = dict.fromkeys(sent, -1)
    known = strangers = 0
    for source, number in set(seen):
        if 0 <= number < sent.get(source, 0):
            known += 1
            newest[source] = max(newest[source], number)
        else:
            strangers += 1
    return Delivery(
        conflated=sum(number + 1 for number in newest.values()) - known,
        behind=sum(newest[source] + 1 < count for source, count in sent.items()),
        strangers=strangers,
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What one place was expected to show, and when it first showed what."""

    sent: Mapping[str, int]  # samples by source
    seen_ms: Times

    @property
    def delivery(self) -> Delivery:
        """How complete it was."""
        return delivery(self.sent, self.seen_ms)


def latencies_ms(taken_ms: Times, seen_ms: Times, from_ms: int) -> list[float]:
    """Return how long each sample took; of those ``taken_ms`` knows, taken at or after ``from_ms``.

    In the order in which they were seen.
    """
    known = ((taken_ms.get(sample), at_ms) for sample, at_ms in seen_ms.items())
    return [
        float(at_ms - ts_ms) for ts_ms, at_ms in known if ts_ms is not None and ts_ms >= from_ms
    ]


def first_shown(rows: Iterable[tuple[str, str, float]]) -> Times:
    """Return when each number was first on the page.

    A row is ``site/kind/id/metric``, the text in its cell and the time. Rows of other metrics are
    left out; a text that is no number of a sample becomes the number -1, which nobody sends.
    """
    shown_ms: Times = {}
    for series, text, at_ms in rows:
        _, _, source, metric = series.split("/")
        if metric == COUNTER_METRIC:
            shown_ms.setdefault((source, _number_in(text)), round(at_ms))
    return shown_ms


def _number_in(text: str) -> int:
    digits = text.replace(",", "")  # the page groups thousands
    return int(digits) if digits.isascii() and digits.isdigit() else -1
