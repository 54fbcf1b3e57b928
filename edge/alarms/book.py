"""Which alerts stand: judges samples in the order of arrival, makes the revisions. Pure.

An alert belongs to one rule and one series. It is raised by the first sample at the limit and
cleared by the first below it; each change is a revision, a record of its own. Samples older than
the newest judged of their series change nothing: what a device sends late is no news.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from edge.alarms.rules import Finding, ThresholdRule
from edge.log.records import PendingBatch
from shared.domain.samples import Series
from shared.sync.records import CONTEXT_SAMPLES_MAX, AlertRecord, AlertState

CONTEXT_MS: Final = 30_000  # of the past that an alert brings along
REMEMBERED_MAX: Final = 1_000  # alerts that are over; the oldest are forgotten first
_ID_LENGTH: Final = 32

# (ts_ms, value) of a series since a time, ascending: what is known before the samples judged now.
Context = Callable[[int, int], Iterable[tuple[int, float]]]
_Key = tuple[str, str, str, str]  # rule, kind, asset, metric


class AlarmBook:
    """All alerts of one edge, newest revision each."""

    def __init__(
        self,
        rules: Iterable[ThresholdRule],
        *,
        site: str,
        edge_id: str,
        context: Context,
    ) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._scope = f"{site}/{edge_id}"
        self._context = context
        self._watched: dict[int, tuple[Series, tuple[ThresholdRule, ...]]] = {}
        self._newest: dict[_Key, AlertRecord] = {}
        self._judged_ms: dict[tuple[str, int], int] = {}  # rule, series_ix -> newest rank judged
        self._alerts: dict[str, AlertRecord] = {}

    @property
    def active(self) -> tuple[AlertRecord, ...]:
        """The alerts that stand, in the order in which they were raised."""
        return tuple(one for one in self._alerts.values() if one.state is AlertState.RAISED)

    @property
    def alerts(self) -> Mapping[str, AlertRecord]:
        """The newest revision of each alert that is remembered, by id, oldest alert first."""
        return self._alerts

    def watch(self, series_ix: int, series: Series) -> None:
        """Have the rules of its metric look at a series from now on."""
        rules = tuple(rule for rule in self._rules.values() if rule.metric == series.name.metric)
        if rules:
            self._watched[series_ix] = (series, rules)

    def restore(self, record: AlertRecord) -> None:
        """Take in a revision from the log or from what was left of it, in their order."""
        held = self._alerts.get(record.alert_id)
        if held is None or record.revision > held.revision:
            self._keep(record)

    def judge(self, batch: PendingBatch, now_ms: int) -> list[AlertRecord]:
        """Return the revisions that the samples of ``batch``, in arrival order, make.

        ``now_ms`` is edge time. Series that are new in it are watched from here on.
        """
        for series_ix, series in batch.new_series:
            self.watch(series_ix, series)
        watched = self._watched
        made: list[AlertRecord] = []
        for place, series_ix in enumerate(batch.series_ix):
            if series_ix in watched:
                made += self._judge_row(batch, place, now_ms)
        return made

    def orphans(self, now_ms: int) -> list[AlertRecord]:
        """Clear what stands under a rule that is no more, and return these revisions."""
        return [
            self._keep(_cleared(one, value=one.value, at_ms=now_ms, detected_ms=now_ms))
            for one in self.active
            if one.type not in self._rules
        ]

    def _judge_row(self, batch: PendingBatch, place: int, now_ms: int) -> Iterator[AlertRecord]:
        series_ix = batch.series_ix[place]
        ts_ms, value = batch.ts_ms[place], batch.value[place]
        series, rules = self._watched[series_ix]
        for rule in rules:
            if not self._is_news(rule, series_ix, min(ts_ms, now_ms)):
                continue
            held = self._newest.get(_key(rule.name, series))
            stands = held is not None and held.state is AlertState.RAISED
            finding = rule.judge(value, batch.quality[place])
            if finding is Finding.ABOVE and not stands:
                raised = self._raised(rule, series, value=float(value), at_ms=ts_ms)
                context = self._context_of(batch, place)
                yield self._keep(replace(raised, detected_ms=now_ms, context=context))
            elif finding is Finding.BELOW and held is not None and stands:
                yield self._keep(
                    _cleared(held, value=float(value), at_ms=ts_ms, detected_ms=now_ms)
                )

    def _is_news(self, rule: ThresholdRule, series_ix: int, ranked_ms: int) -> bool:
        key = (rule.name, series_ix)
        judged_ms = self._judged_ms.get(key)
        if judged_ms is None:
            series, _ = self._watched[series_ix]
            held = self._newest.get(_key(rule.name, series))
            judged_ms = ranked_ms if held is None else min(held.at_ms, held.detected_ms)
        if ranked_ms < judged_ms:
            return False
        self._judged_ms[key] = ranked_ms
        return True

    def _raised(
        self, rule: ThresholdRule, series: Series, *, value: float, at_ms: int
    ) -> AlertRecord:
        name = series.name
        alert_id = self._id(rule.name, series, at_ms)
        held = self._alerts.get(alert_id)  # cleared and raised again within one millisecond
        unit = f" {series.unit}" if series.unit else ""
        return AlertRecord(
            alert_id=alert_id,
            revision=1 if held is None else held.revision + 1,
            state=AlertState.RAISED,
            severity=rule.severity,
            type=rule.name,
            message=(
                f"{name.metric} {value:g}{unit} at {name.kind} {name.asset_id}: "
                f"the limit is {rule.raise_at:g}{unit}"
            ),
            kind=name.kind,
            asset_id=name.asset_id,
            metric=name.metric,
            unit=series.unit,
            value=value,
            threshold=rule.raise_at,
            raised_ms=at_ms,
            at_ms=at_ms,
            detected_ms=0,
        )

    def _id(self, rule_name: str, series: Series, raised_ms: int) -> str:
        # From what it is about, so that a crash between storing an alert and its samples cannot
        # make two of it when the samples come again.
        name = series.name
        text = f"{self._scope}/{rule_name}/{name.kind}/{name.asset_id}/{name.metric}/{raised_ms}"
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    def _context_of(self, batch: PendingBatch, place: int) -> tuple[tuple[int, float], ...]:
        series_ix, until_ms = batch.series_ix[place], batch.ts_ms[place]
        since_ms = until_ms - CONTEXT_MS
        known = [sample for sample in self._context(series_ix, since_ms) if sample[0] <= until_ms]
        for at in range(place + 1):
            value = batch.value[at]
            is_near = since_ms <= batch.ts_ms[at] <= until_ms
            if batch.series_ix[at] == series_ix and is_near and not isinstance(value, str):
                known.append((batch.ts_ms[at], float(value)))
        return tuple(sorted(known)[-CONTEXT_SAMPLES_MAX:])

    def _keep(self, record: AlertRecord) -> AlertRecord:
        self._alerts[record.alert_id] = record
        self._newest[record.type, record.kind, record.asset_id, record.metric] = record
        over = [one.alert_id for one in self._alerts.values() if one.state is AlertState.CLEARED]
        for alert_id in over[: max(0, len(over) - REMEMBERED_MAX)]:
            del self._alerts[alert_id]
        return record


def _key(rule_name: str, series: Series) -> _Key:
    return rule_name, series.name.kind, series.name.asset_id, series.name.metric


def _cleared(held: AlertRecord, *, value: float, at_ms: int, detected_ms: int) -> AlertRecord:
    return replace(
        held,
        revision=held.revision + 1,
        state=AlertState.CLEARED,
        value=value,
        at_ms=at_ms,
        detected_ms=detected_ms,
        context=(),
    )
