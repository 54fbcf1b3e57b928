"""A page of alerts from all that are in memory. Pure; central asks PostgreSQL the same."""

from collections.abc import Iterable

from shared.sync.records import AlertRecord
from shared.web.site_data import AlertQuery


def select_alerts(alerts: Iterable[AlertRecord], query: AlertQuery) -> list[AlertRecord]:
    """Return those that ``query`` asks for, the one raised last first."""
    wanted = [alert for alert in alerts if _is_wanted(alert, query)]
    return sorted(wanted, key=_place)[: query.limit]


def _is_wanted(alert: AlertRecord, query: AlertQuery) -> bool:
    return (
        alert.kind in query.kinds
        and query.state in {None, alert.state}
        and query.severity in {None, alert.severity}
        and query.alert_id in {None, alert.alert_id}
        and (query.after is None or _place(alert) > (-query.after[0], query.after[1]))
    )


def _place(alert: AlertRecord) -> tuple[int, str]:
    return -alert.raised_ms, alert.alert_id
