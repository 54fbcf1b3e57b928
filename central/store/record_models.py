"""The tables of what the urgent lanes carry, and of what batches were: alerts, gaps, hashes.

They have no foreign keys to the edge: an alert must never wait for a lock on its parent's row.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from central.store.models import MOMENT, NAME, Model

__all__ = ["Alert", "AlertRevision", "LogGap", "MessageGap", "Model", "SyncHash"]


class Alert(Model):
    """An alert at its newest revision."""

    __tablename__ = "alert"
    __table_args__ = (Index("alert_newest", "site_id", text("raised_at DESC"), "alert_id"),)
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    alert_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(NAME)
    severity: Mapped[str] = mapped_column(NAME)
    type: Mapped[str] = mapped_column(NAME)
    message: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(NAME)
    asset_id: Mapped[str] = mapped_column(NAME)
    metric: Mapped[str] = mapped_column(NAME)
    unit: Mapped[str] = mapped_column(NAME)
    value: Mapped[float] = mapped_column(Double)
    threshold: Mapped[float] = mapped_column(Double)
    raised_at: Mapped[datetime] = mapped_column(MOMENT)
    changed_at: Mapped[datetime] = mapped_column(MOMENT)
    detected_at: Mapped[datetime] = mapped_column(MOMENT)
    stored_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class AlertRevision(Model):
    """One change of an alert; ``context`` are the samples that it brought along."""

    __tablename__ = "alert_revision"
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    alert_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(NAME)
    value: Mapped[float] = mapped_column(Double)
    changed_at: Mapped[datetime] = mapped_column(MOMENT)
    detected_at: Mapped[datetime] = mapped_column(MOMENT)
    stored_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))
    context: Mapped[Any] = mapped_column(JSONB)


class LogGap(Model):
    """Batches that an edge's log can no longer give; ``is_thinned``: rollups of them follow."""

    __tablename__ = "log_gap"
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lane: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    first_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    last_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    samples: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime | None] = mapped_column(MOMENT)
    ended_at: Mapped[datetime | None] = mapped_column(MOMENT)
    reason: Mapped[str] = mapped_column(NAME)
    declared_at: Mapped[datetime] = mapped_column(MOMENT)
    is_thinned: Mapped[bool] = mapped_column(Boolean)
    stored_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class MessageGap(Model):
    """Messages that never reached an edge's log, or did after all (reason ``recovered``)."""

    __tablename__ = "message_gap"
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    gap_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    missing: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime | None] = mapped_column(MOMENT)
    ended_at: Mapped[datetime | None] = mapped_column(MOMENT)
    reason: Mapped[str] = mapped_column(NAME)
    declared_at: Mapped[datetime] = mapped_column(MOMENT)
    stored_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class SyncHash(Model):
    """The hashes of batches that have left the inbox, one after the other from ``first_seq`` on."""

    __tablename__ = "sync_hash"
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lane: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    first_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)
