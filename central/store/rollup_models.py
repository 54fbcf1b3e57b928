"""The tables of the rollups, as SQLAlchemy knows them; see models."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Double, Index, Integer, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from central.store.models import MOMENT
from central.store.record_models import Model  # with it, this module knows all tables


class _Rollup:
    """What the samples of one step come to; numbers in ``lo`` …, whole ones in ``lo_i`` …."""

    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    ts: Mapped[datetime] = mapped_column(MOMENT, primary_key=True)  # start of the step
    n: Mapped[int] = mapped_column(Integer)
    last_ts: Mapped[datetime] = mapped_column(MOMENT)  # of the newest sample in it
    lo: Mapped[float | None] = mapped_column(Double)
    hi: Mapped[float | None] = mapped_column(Double)
    total: Mapped[float | None] = mapped_column(Double)
    lo_i: Mapped[int | None] = mapped_column(BigInteger)
    hi_i: Mapped[int | None] = mapped_column(BigInteger)
    total_i: Mapped[Decimal | None] = mapped_column(Numeric)


class RollupMinute(_Rollup, Model):
    """Steps of one minute."""

    __tablename__ = "rollup_minute"


class RollupHour(_Rollup, Model):
    """Steps of one hour."""

    __tablename__ = "rollup_hour"


class RollupDirty(Model):
    """Hours of series whose rollups are out of date: their samples are read instead."""

    __tablename__ = "rollup_dirty"
    __table_args__ = (Index("rollup_dirty_hour", "hour"),)
    site_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    hour: Mapped[datetime] = mapped_column(MOMENT, primary_key=True)
    marked_at: Mapped[datetime] = mapped_column(MOMENT, server_default=text("clock_timestamp()"))
    failed: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # cannot be summed


class RollupState(Model):
    """Whether rollups may be read: not before all earlier samples have been marked."""

    __tablename__ = "rollup_state"
    __table_args__ = (CheckConstraint("only_one", name="only_one"),)
    only_one: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=text("true"))
    ready_at: Mapped[datetime | None] = mapped_column(MOMENT)
