"""Frames with sensible defaults, so that a test names only what its story is about."""

import hashlib

from shared.sync.frames import (
    FRAME_SIZE_MAX_BYTES,
    Batch,
    Hello,
    LaneExtent,
    Role,
    SeriesEntry,
    Welcome,
)
from shared.sync.ranges import Ranges

TELEMETRY = 2
INSTALL_UUID = "6f1c2f9e-5d3b-4b8e-9a51-0d6d6a3c7b10"
OTHER_INSTALL_UUID = "0b8f2a57-2f0e-4d0b-8f4e-5d9f3a1c2e44"
CENTRAL_UUID = "3b0c7a52-9d0f-4a59-b6d5-52b1a3f1c0de"
SESSION_ID = "c5d24a1e-7a8e-4a3b-a1de-0d9f2f2b6c11"


def make_hello(
    last_seq: int = 0,
    *,
    first_retained: int = 1,
    series_count: int = 0,
    install_uuid: str = INSTALL_UUID,
    edge_id: str = "edge-1",
    epoch: int = 0,
    protocol: int = 1,
    role: Role = Role.ALL,
) -> Hello:
    """Return the HELLO of an edge whose lane 2 holds ``first_retained`` to ``last_seq``."""
    return Hello(
        protocol=protocol,
        site="kaduna",
        edge_id=edge_id,
        install_uuid=install_uuid,
        boot_id="boot-1",
        epoch=epoch,
        software="0.1.0",
        lanes={TELEMETRY: LaneExtent(first_retained, last_seq)},
        series_count=series_count,
        sent_at_ms=0,
        role=role,
    )


def make_welcome(
    held: Ranges | None = None,
    *,
    credit_bytes: int = FRAME_SIZE_MAX_BYTES,
    series_known: int = 0,
    heartbeat_s: float = 15.0,
    role: Role = Role.ALL,
) -> Welcome:
    """Return a WELCOME of a central that holds ``held`` of lane 2."""
    return Welcome(
        session_id=SESSION_ID,
        central_uuid=CENTRAL_UUID,
        epoch=1,
        lanes={TELEMETRY: held or Ranges()},
        series_known=series_known,
        credit_bytes=credit_bytes,
        heartbeat_s=heartbeat_s,
        server_ms=0,
        role=role,
    )


def make_batch(seq: int, body: bytes = b"body", *, lane: int = TELEMETRY) -> Batch:
    """Return batch ``seq`` with the true hash of ``body``."""
    return Batch(
        lane=lane,
        seq=seq,
        n=1,
        t_min_ms=seq,
        t_max_ms=seq,
        recv_min_ms=seq,
        recv_max_ms=seq,
        sha256=hashlib.sha256(body).digest(),
        body=body,
    )


def make_series(first: int, last: int) -> tuple[SeriesEntry, ...]:
    """Return catalogue entries ``first`` to ``last``."""
    return tuple(
        SeriesEntry(ix, "sensor", f"s{ix}", "ch4_pct", "%", 1) for ix in range(first, last + 1)
    )
