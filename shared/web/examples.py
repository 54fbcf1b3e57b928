"""Examples shown in the API's documentation; the tests hold them against the schemas."""

from collections.abc import Mapping
from typing import Any

Example = Mapping[str, Any]

_TS = "2026-11-02T06:00:00.000Z"
_PLACE: Example = {
    "coordinates": {"lat": 10.5209, "lng": 7.4386, "altitude_m": 611.0, "accuracy_m": 1.5},
    "zone": "pit-north-2",
    "level": "surface",
    "quality": "good",
}


def _asset(
    kind: str, asset_id: str, status: str, metrics: Mapping[str, tuple[float, str]]
) -> Example:
    return {
        "id": asset_id,
        "site": "kaduna",
        "kind": kind,
        "name": asset_id,
        "status": status,
        "connection": "online",
        "ts": _TS,
        "age_s": 0.8,
        "location": _PLACE if kind in {"vehicle", "worker"} else None,
        "metrics": {
            name: {"value": value, "unit": unit, "ts": _TS, "quality": "good"}
            for name, (value, unit) in metrics.items()
        },
    }


TRUCK = _asset(
    "vehicle", "truck-07", "online", {"fuel_pct": (71.5, "%"), "speed_mps": (8.2, "m/s")}
)
PUMP = _asset("equipment", "pump-1", "running", {"flow_l_min": (412.0, "l/min")})
WORKER = _asset("worker", "worker-03", "online", {"heart_rate_bpm": (88.0, "bpm")})
SENSOR = _asset("sensor", "ch4-face-2", "online", {"ch4_pct": (0.42, "%")})

SERIES: Example = {
    "series": "kaduna/sensor/ch4-face-2/ch4_pct",
    "site": "kaduna",
    "kind": "sensor",
    "id": "ch4-face-2",
    "metric": "ch4_pct",
    "unit": "%",
    "type": "number",
    "last_ts": _TS,
}
TELEMETRY: Example = {
    "series": "kaduna/sensor/ch4-face-2/ch4_pct",
    "unit": "%",
    "points": [[1793599200000, 0.42], [1793599260000, 0.44]],
    "agg": "mean",
    "step": 60.0,
    "next_start": None,
    "complete_from": None,
}
ALERT: Example = {
    "id": "0f4c9a7be31d52c8a6f0d94b7c1e8a53",
    "site": "kaduna",
    "revision": 1,
    "severity": "critical",
    "type": "methane_high",
    "state": "raised",
    "message": "ch4_pct 1.62 % at sensor ch4-face-2: the limit is 1.5 %",
    "raised_at": _TS,
    "changed_at": _TS,
    "detected_at": _TS,
    "deadline_at": None,
    "source": {"kind": "sensor", "id": "ch4-face-2", "metric": "ch4_pct"},
    "value": 1.62,
    "threshold": 1.5,
    "unit": "%",
    "context": [[1793599199000, 1.44], [1793599200000, 1.62]],
}
GAP: Example = {
    "id": "3f1c9a7be31d52c8a6f0d94b7c1e8a53",
    "edge_id": "edge-1",
    "reason": "sequence_gap",
    "declared_at": _TS,
    "lane": None,
    "first_seq": None,
    "last_seq": None,
    "samples": None,
    "is_thinned": False,
    "topic": "mine/v1/kaduna/sensor/ch4-face-2/telemetry",
    "messages": 12,
    "start": _TS,
    "end": _TS,
}
SYNC: Example = {
    "site": "kaduna",
    "edges": [
        {
            "edge_id": "edge-1",
            "state": "connected",
            "since": _TS,
            "last_seen": _TS,
            "rtt_ms": 612.0,
            "lanes": {
                "2": {
                    "last_seq": 81342,
                    "acked": 81339,
                    "backlog_batches": 3,
                    "backlog_samples": 214,
                    "backlog_bytes": 1460,
                    "oldest_age_s": 0.7,
                }
            },
            "quarantined": {"bad_json": 2},
            "broker_refused": {"not_permitted": 1},
            "inbox_pending": 0,
            "held": {"bad_value": {"batches": 1, "rows": 3}},
            "parked": {},
            "error": None,
            "sent_today_bytes": {"lane_0": 512, "lane_2": 73_400_320, "control": 1_048_576},
            "held_up": None,
            "connections": {"urgent": "connected", "bulk": "connected"},
        }
    ],
}
GRANT: Example = {
    "access_token": "eyJ…",
    "token_type": "Bearer",
    "expires_in": 900,
    "refresh_token": "h4Qz…",
    "user_id": "6f1c…",
    "roles": ["analyst"],
    "sites": ["kaduna"],
}
ME: Example = {
    "user_id": "6f1c…",
    "username": "analyst@kaduna.example",
    "roles": ["analyst"],
    "sites": ["kaduna"],
    "expires_at": _TS,
}


def page_of(item: Example) -> Example:
    """Return a page with one item."""
    return {"items": [item], "next_cursor": None}
