"""Records of the urgent lanes as rows. Owns what a record becomes; the caller owns the transaction.

A batch is unpacked once, but an edge may store the same revision or gap in two batches after a
crash: the same again changes nothing, and an older revision never replaces a newer one.
"""

from collections.abc import Sequence
from typing import Any, assert_never

from psycopg.types.json import Jsonb

from central.store.claims import ClaimKey, PlacedRecord
from central.store.database import Connection
from central.store.instants import Instant, clamped
from central.store.queries import load_queries
from central.store.text_escape import escape_text, unescape_text
from shared.sync.records import (
    AlertRecord,
    AlertState,
    GapRecord,
    MessageGapRecord,
    Severity,
)
from shared.web.site_data import GapListing

Row = dict[str, Any]

_ALERT_FIELDS = (
    "alert_id",
    "revision",
    "state",
    "severity",
    "type",
    "message",
    "kind",
    "asset_id",
    "metric",
    "unit",
    "value",
    "threshold",
    "raised_ms",
    "at_ms",
    "detected_ms",
    "context",
)  # as the query ``alerts`` selects them


class RecordRows:
    """Writes records, in their order."""

    def __init__(self) -> None:
        self._sql = load_queries("record")

    async def write(self, connection: Connection, records: Sequence[PlacedRecord]) -> None:
        """Write all of them.

        Raises:
            StoreError: the server cannot now. DataRefusedError: PostgreSQL will not take one.
        """
        for placed in records:
            match placed.record:
                case AlertRecord() as alert:
                    parameters = _alert(placed.key, alert)
                    await connection.execute(self._sql["add_revision"], parameters)
                    await connection.execute(self._sql["raise_alert"], parameters)
                case GapRecord() as gap:
                    await connection.execute(self._sql["add_log_gap"], _gap(placed.key, gap))
                case MessageGapRecord() as gap:
                    parameters = _message_gap(placed.key, gap)
                    await connection.execute(self._sql["add_message_gap"], parameters)
                case _:
                    assert_never(placed.record)


def alert_of(row: Sequence[Any]) -> AlertRecord:
    """Return a row of the query ``alerts`` as the alert it was."""
    fields: Row = dict(zip(_ALERT_FIELDS, row, strict=True))
    fields["state"] = AlertState(fields["state"])
    fields["severity"] = Severity(fields["severity"])
    fields["message"] = unescape_text(fields["message"])
    fields["unit"] = unescape_text(fields["unit"])
    fields["context"] = tuple((ts_ms, value) for ts_ms, value in fields["context"] or ())
    return AlertRecord(**fields)


def gap_of(row: Sequence[Any]) -> GapListing:
    """Return a row of the query ``gaps``."""
    (declared_ms, gap_id, edge_id, reason, lane, first_seq, last_seq, samples, is_thinned,
     topic, messages, start_ms, end_ms) = row  # fmt: skip
    return GapListing(
        gap_id=gap_id,
        edge_id=edge_id,
        reason=reason,
        declared_ms=declared_ms,
        lane=lane,
        first_seq=first_seq,
        last_seq=last_seq,
        samples=samples,
        is_thinned=is_thinned,
        topic=None if topic is None else unescape_text(topic),
        messages=messages,
        start_ms=start_ms,
        end_ms=end_ms,
    )


def _keys(key: ClaimKey) -> Row:
    return {
        "site_id": key.epoch_key.site_id,
        "edge_node_id": key.epoch_key.edge_node_id,
        "epoch": key.epoch_key.epoch,
    }


def _alert(key: ClaimKey, alert: AlertRecord) -> Row:
    return _keys(key) | {
        "alert_id": alert.alert_id,
        "revision": alert.revision,
        "state": str(alert.state),
        "severity": str(alert.severity),
        "type": alert.type,
        "message": escape_text(alert.message),
        "kind": alert.kind,
        "asset_id": alert.asset_id,
        "metric": alert.metric,
        "unit": escape_text(alert.unit),
        "value": alert.value,
        "threshold": alert.threshold,
        "raised_at": clamped(alert.raised_ms),
        "changed_at": clamped(alert.at_ms),
        "detected_at": clamped(alert.detected_ms),
        "context": Jsonb([list(sample) for sample in alert.context]),
    }


def _gap(key: ClaimKey, gap: GapRecord) -> Row:
    return _keys(key) | {
        "lane": gap.lane,
        "first_seq": gap.first_seq,
        "last_seq": gap.last_seq,
        "samples": gap.samples,
        "started_at": _maybe(gap.t_min_ms),
        "ended_at": _maybe(gap.t_max_ms),
        "reason": gap.reason,
        "declared_at": clamped(gap.at_ms),
        "is_thinned": gap.is_thinned,
    }


def _message_gap(key: ClaimKey, gap: MessageGapRecord) -> Row:
    return _keys(key) | {
        "gap_id": gap.gap_id,
        "topic": escape_text(gap.topic),
        "missing": gap.missing,
        "started_at": _maybe(gap.from_ms),
        "ended_at": _maybe(gap.until_ms),
        "reason": gap.reason,
        "declared_at": clamped(gap.at_ms),
    }


def _maybe(ts_ms: int | None) -> Instant | None:
    return None if ts_ms is None else clamped(ts_ms)
