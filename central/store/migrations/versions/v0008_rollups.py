"""One-minute and one-hour rollups of samples, and which hours of them are out of date."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COLUMNS = """
    site_id integer NOT NULL,
    series_id integer NOT NULL,
    ts timestamptz NOT NULL,
    n integer NOT NULL,
    last_ts timestamptz NOT NULL,
    lo double precision,
    hi double precision,
    total double precision,
    lo_i bigint,
    hi_i bigint,
    total_i numeric,
"""
_ROLLUPS = f"""
CREATE TABLE rollup_minute ({_COLUMNS}
    CONSTRAINT rollup_minute_pkey PRIMARY KEY (site_id, series_id, ts)
);
CREATE TABLE rollup_hour ({_COLUMNS}
    CONSTRAINT rollup_hour_pkey PRIMARY KEY (site_id, series_id, ts)
);
"""
# A row is inserted when an hour gets its first sample and locked at every further one, never
# updated: hours that fill up cost no dead rows.
_DIRTY = """
CREATE TABLE rollup_dirty (
    site_id integer NOT NULL,
    series_id integer NOT NULL,
    hour timestamptz NOT NULL,
    marked_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    failed boolean DEFAULT false NOT NULL,
    CONSTRAINT rollup_dirty_pkey PRIMARY KEY (site_id, series_id, hour)
);
CREATE INDEX rollup_dirty_hour ON rollup_dirty (hour);
"""
# Rollups are read once the hours of everything that was there before have been marked. Workers of
# the version before mark none, so a worker of this one does it when they are gone. Where nothing
# has ever been unpacked there is nothing to wait for.
_STATE = """
ALTER TABLE worker ADD COLUMN marks_rollups boolean DEFAULT false NOT NULL;
CREATE TABLE rollup_state (
    only_one boolean DEFAULT true NOT NULL,
    ready_at timestamptz,
    CONSTRAINT rollup_state_pkey PRIMARY KEY (only_one),
    CONSTRAINT rollup_state_only_one_check CHECK (only_one)
);
INSERT INTO rollup_state (ready_at)
SELECT now() WHERE NOT EXISTS (SELECT FROM worker) AND NOT EXISTS (SELECT FROM latest)
UNION ALL
SELECT NULL WHERE EXISTS (SELECT FROM worker) OR EXISTS (SELECT FROM latest);
"""


def upgrade() -> None:
    """Add the tables; no sample is looked at."""
    for part in (_ROLLUPS, _DIRTY, _STATE):
        op.execute(part)
