"""Alerts for stories about them."""

from shared.domain.samples import Value
from shared.sync.records import AlertRecord, AlertState, Severity

T0_MS = 1_700_000_000_000


def make_alert(
    value: Value = 1.62,
    *,
    alert_id: str = "a1",
    revision: int = 1,
    state: AlertState = AlertState.RAISED,
    severity: Severity = Severity.CRITICAL,
    kind: str = "sensor",
    at_ms: int = T0_MS,
    raised_ms: int = T0_MS,
) -> AlertRecord:
    """Return a revision of an alert about methane."""
    return AlertRecord(
        alert_id=alert_id,
        revision=revision,
        state=state,
        severity=severity,
        type="methane_high",
        message="ch4_pct 1.62 % at sensor gas-n1: the limit is 1.5 %",
        kind=kind,
        asset_id="gas-n1",
        metric="ch4_pct",
        unit="%",
        value=float(value),
        threshold=1.5,
        raised_ms=raised_ms,
        at_ms=at_ms,
        detected_ms=at_ms + 40,
        context=((T0_MS - 1_000, 1.4), (T0_MS, 1.62)),
    )
