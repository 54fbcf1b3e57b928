"""The tables, as SQLAlchemy knows them. Owns no DDL that runs: migrations do; a test compares both.

Every table of site data has ``site_id`` first in its key, so that the same schema shards by site.
Names are compared by code point (collation "C"): their order is the API's listing order, and an
index in it cannot be broken by a new libc. Partitions of ``sync_batch`` (by day of receipt) and
``sample`` (by day of measurement) are made at run time. Hot tables (``sync_batch``, ``sample``,
``latest``) have no foreign keys: each insert would lock the same parent row.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import SchemaItem

NAME = Text(collation="C")
MOMENT = DateTime(timezone=True)
_NAME_CHECK = "name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'"


class Model(DeclarativeBase):
    """Base of all tables; constraint names are derived, so that migrations can rely on them."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )


class CentralIdentity(Model):
    """The one row that tells this database from a restored, new or foreign one."""

    __tablename__ = "central_identity"
    __table_args__ = (CheckConstraint("only_one", name="only_one"),)
    only_one: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=text("true"))
    central_uuid: Mapped[UUID] = mapped_column(Uuid, server_default=text("gen_random_uuid()"))
    created_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class Site(Model):
    """A mine."""

    __tablename__ = "site"
    __table_args__ = (CheckConstraint(_NAME_CHECK, name="name"), UniqueConstraint("name"))
    site_id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class EdgeNode(Model):
    """A place at a site where an edge runs; its installations come and go, see SyncEpoch."""

    __tablename__ = "edge_node"
    __table_args__ = (
        CheckConstraint(_NAME_CHECK, name="name"),
        UniqueConstraint("site_id", "name"),
    )
    site_id: Mapped[int] = mapped_column(ForeignKey("site.site_id"), primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class SyncEpoch(Model):
    """One installation of an edge, or one that was fenced; each has higher numbers than before.

    ``base_epoch`` is the one that a fenced installation was in, and goes on from.
    """

    __tablename__ = "sync_epoch"
    __table_args__ = (
        ForeignKeyConstraint(
            ["site_id", "edge_node_id"], ["edge_node.site_id", "edge_node.edge_node_id"]
        ),
        Index("sync_epoch_install", "site_id", "edge_node_id", "install_uuid", "epoch"),
        CheckConstraint("epoch >= 1", name="epoch"),
    )
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    install_uuid: Mapped[UUID] = mapped_column(Uuid)
    granted_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))
    base_epoch: Mapped[int | None] = mapped_column(Integer)
    fenced_because: Mapped[str | None] = mapped_column(Text)


class SyncRange(Model):
    """Which batches of a lane are held, remembered for ever: the memory that stops duplicates."""

    __tablename__ = "sync_range"
    __table_args__ = (
        ForeignKeyConstraint(
            ["site_id", "edge_node_id", "epoch"],
            ["sync_epoch.site_id", "sync_epoch.edge_node_id", "sync_epoch.epoch"],
        ),
    )
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lane: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    held: Mapped[Any] = mapped_column(
        INT8MULTIRANGE, nullable=False, server_default=text("'{}'::int8multirange")
    )


class SyncBatch(Model):
    """The durable inbox: what is acknowledged to edges, until it is unpacked and some days more."""

    __tablename__ = "sync_batch"
    __table_args__: tuple[SchemaItem | dict[str, str], ...] = (
        CheckConstraint("state IN ('received', 'applied', 'quarantined', 'parked')", name="state"),
        Index(
            "sync_batch_pending_edge",
            *("site_id", "edge_node_id", "received_at"),
            postgresql_where=text("state = 'received'"),
        ),
        Index(
            "sync_batch_pending_urgent",
            "lane",
            "seq",
            postgresql_where=text("state = 'received' AND lane < 2"),
        ),
        Index(
            "sync_batch_pending_edge_newest",
            *("site_id", "edge_node_id", "recv_max_ms"),
            postgresql_where=text("state = 'received'"),
        ),
        Index("sync_batch_parked", "judged_at", postgresql_where=text("state = 'parked'")),
        {"postgresql_partition_by": "RANGE (received_at)"},
    )
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lane: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    received_at: Mapped[datetime] = mapped_column(MOMENT, primary_key=True)
    n: Mapped[int] = mapped_column(Integer)
    t_min_ms: Mapped[int] = mapped_column(BigInteger)
    t_max_ms: Mapped[int] = mapped_column(BigInteger)
    recv_min_ms: Mapped[int] = mapped_column(BigInteger)
    recv_max_ms: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(NAME, server_default=text("'received'"))
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    parked_reason: Mapped[str | None] = mapped_column(NAME)
    parked_detail: Mapped[str | None] = mapped_column(Text)
    parked_series_ix: Mapped[int | None] = mapped_column(BigInteger)  # the first that is unknown
    judged_by: Mapped[str | None] = mapped_column(Text)  # version of the program that parked it
    judged_at: Mapped[datetime | None] = mapped_column(MOMENT)


class SyncConflict(Model):
    """A second body under an identity that is already held. Kept for people; never applied."""

    __tablename__ = "sync_conflict"
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lane: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(MOMENT)
    n: Mapped[int] = mapped_column(Integer)
    t_min_ms: Mapped[int] = mapped_column(BigInteger)
    t_max_ms: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class SyncQuarantine(Model):
    """Rows of a batch that cannot be applied, for one reason; the whole body is kept verbatim."""

    __tablename__ = "sync_quarantine"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'released')", name="state"),
        Index("sync_quarantine_batch", "site_id", "edge_node_id", "epoch", "lane", "seq"),
        Index("sync_quarantine_held", "judged_at", postgresql_where=text("state = 'held'")),
    )
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    quarantine_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer)
    epoch: Mapped[int] = mapped_column(Integer)
    lane: Mapped[int] = mapped_column(SmallInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(NAME, server_default=text("'held'"))
    received_at: Mapped[datetime] = mapped_column(MOMENT)
    quarantined_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))
    reason: Mapped[str] = mapped_column(NAME)
    detail: Mapped[str] = mapped_column(Text)
    bad_rows: Mapped[bytes | None] = mapped_column(LargeBinary)  # a bit a row; None: the batch
    bad_count: Mapped[int] = mapped_column(Integer)
    judged_by: Mapped[str | None] = mapped_column(Text)  # version of the program that refused it
    judged_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("clock_timestamp()"))
    released_at: Mapped[datetime | None] = mapped_column(MOMENT)
    n: Mapped[int] = mapped_column(Integer)
    t_min_ms: Mapped[int] = mapped_column(BigInteger)
    t_max_ms: Mapped[int] = mapped_column(BigInteger)
    recv_min_ms: Mapped[int] = mapped_column(BigInteger)
    recv_max_ms: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class SyncSession(Model):
    """A conversation with an edge. It counts as open only while ``seen_at`` is fresh."""

    __tablename__ = "sync_session"
    __table_args__ = (
        ForeignKeyConstraint(
            ["site_id", "edge_node_id", "epoch"],
            ["sync_epoch.site_id", "sync_epoch.edge_node_id", "sync_epoch.epoch"],
        ),
        Index("sync_session_newest", "site_id", "edge_node_id", "role", text("opened_at DESC")),
    )
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer)
    epoch: Mapped[int] = mapped_column(Integer)
    boot_id: Mapped[str] = mapped_column(Text)
    software: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text, server_default=text("'all'"))
    opened_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("clock_timestamp()"))
    seen_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("clock_timestamp()"))
    closed_at: Mapped[datetime | None] = mapped_column(MOMENT)
    report: Mapped[Any | None] = mapped_column(JSONB)


class Series(Model):
    """The catalogue of a site: one entry per name, unit and type."""

    __tablename__ = "series"
    __table_args__ = (
        UniqueConstraint("site_id", "kind", "asset_id", "metric", "unit", "value_type"),
    )
    site_id: Mapped[int] = mapped_column(ForeignKey("site.site_id"), primary_key=True)
    series_id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(NAME)
    asset_id: Mapped[str] = mapped_column(NAME)
    metric: Mapped[str] = mapped_column(NAME)
    unit: Mapped[str] = mapped_column(NAME)
    value_type: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class EdgeSeries(Model):
    """What an edge's own series numbers mean within one epoch."""

    __tablename__ = "edge_series"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "series_id"], ["series.site_id", "series.series_id"]),
        ForeignKeyConstraint(
            ["site_id", "edge_node_id", "epoch"],
            ["sync_epoch.site_id", "sync_epoch.edge_node_id", "sync_epoch.epoch"],
        ),
    )
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    edge_node_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    series_ix: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(Integer)


# One row per measurement: no key of its own, because batches are deduplicated as a whole. Numbers
# are in ``v``, integers and flags (0, 1) in ``i``, text (escaped, see text_escape) in ``s``.
SAMPLE = Table(
    "sample",
    Model.metadata,
    Column("site_id", Integer, nullable=False),
    Column("series_id", Integer, nullable=False),
    Column("ts", MOMENT, nullable=False),
    Column("v", Double),
    Column("i", BigInteger),
    Column("q", SmallInteger, nullable=False),
    Column("s", Text),
    Index("sample_series_ts", "series_id", "ts", postgresql_include=["v"]),
    postgresql_partition_by="RANGE (ts)",
)


class Latest(Model):
    """The newest sample of each series; ``ranked_at`` decides what newest means, see unpack."""

    __tablename__ = "latest"
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    ts: Mapped[datetime] = mapped_column(MOMENT)
    ranked_at: Mapped[datetime] = mapped_column(MOMENT)
    v: Mapped[float | None] = mapped_column(Double)
    i: Mapped[int | None] = mapped_column(BigInteger)
    q: Mapped[int] = mapped_column(SmallInteger)
    s: Mapped[str | None] = mapped_column(Text)


class Worker(Model):
    """A process that unpacks; it counts as running only while ``seen_at`` is fresh."""

    __tablename__ = "worker"
    worker_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    process_id: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("clock_timestamp()"))
    seen_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("clock_timestamp()"))
    stopped_at: Mapped[datetime | None] = mapped_column(MOMENT)
    applied_batches: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    applied_samples: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    quarantined_batches: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    marks_rollups: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class AccountRow(Model):
    """A person or program that may sign in; ``user_id`` is opaque to everyone."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("username = lower(username)", name="username"),
        CheckConstraint("state IN ('active', 'pending', 'disabled')", name="state"),
        UniqueConstraint("username"),
    )
    user_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    username: Mapped[str] = mapped_column(NAME)
    password_hash: Mapped[str] = mapped_column(Text)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    sites: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str] = mapped_column(NAME, server_default=text("'active'"))
    first_name: Mapped[str] = mapped_column(Text, server_default=text("''"))
    last_name: Mapped[str] = mapped_column(Text, server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))
    password_changed_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))


class RefreshFamily(Model):
    """The refresh tokens that follow each other from one sign-in."""

    __tablename__ = "refresh_family"
    __table_args__ = (Index("refresh_family_user", "user_id"),)
    family_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("account.user_id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("now()"))
    revoked_at: Mapped[datetime | None] = mapped_column(MOMENT)


class RefreshTokenRow(Model):
    """One refresh token, by its SHA-256; used once."""

    __tablename__ = "refresh_token"
    __table_args__ = (Index("refresh_token_family", "family_id"),)
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    family_id: Mapped[str] = mapped_column(
        ForeignKey("refresh_family.family_id", ondelete="CASCADE")
    )
    issued_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    used_ms: Mapped[int | None] = mapped_column(BigInteger)
