"""Rows of a batch in quarantine, batches that wait for a newer program, and turns between edges."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# An entry is a batch and which of its rows: several entries of one batch differ by their reason.
_QUARANTINE = """
ALTER TABLE sync_quarantine
    DROP CONSTRAINT sync_quarantine_pkey,
    ADD COLUMN quarantine_id bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN state text COLLATE "C" DEFAULT 'held' NOT NULL,
    ADD COLUMN received_at timestamptz,
    ADD COLUMN bad_rows bytea,
    ADD COLUMN bad_count integer,
    ADD COLUMN judged_by text,
    ADD COLUMN judged_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    ADD COLUMN released_at timestamptz,
    ADD CONSTRAINT sync_quarantine_state_check CHECK (state IN ('held', 'released'));
UPDATE sync_quarantine SET received_at = quarantined_at, bad_count = n;
ALTER TABLE sync_quarantine
    ALTER COLUMN received_at SET NOT NULL,
    ALTER COLUMN bad_count SET NOT NULL,
    ADD CONSTRAINT sync_quarantine_pkey PRIMARY KEY (site_id, quarantine_id);
CREATE INDEX sync_quarantine_batch
    ON sync_quarantine (site_id, edge_node_id, epoch, lane, seq);
CREATE INDEX sync_quarantine_held ON sync_quarantine (judged_at) WHERE state = 'held';
"""

# No row is rewritten: new columns are empty. Checking the state looks at rows, not at bodies.
_PARKED = """
ALTER TABLE sync_batch
    DROP CONSTRAINT sync_batch_state_check,
    ADD COLUMN parked_reason text COLLATE "C",
    ADD COLUMN parked_detail text,
    ADD COLUMN parked_series_ix bigint,
    ADD COLUMN judged_by text,
    ADD COLUMN judged_at timestamptz,
    ADD CONSTRAINT sync_batch_state_check
        CHECK (state IN ('received', 'applied', 'quarantined', 'parked'));
CREATE INDEX sync_batch_parked ON sync_batch (judged_at) WHERE state = 'parked';
"""

# Unpackers take from each edge in turn, so each edge's first and newest must be found at once.
_TURNS = """
CREATE INDEX sync_batch_pending_edge ON sync_batch (site_id, edge_node_id, received_at)
    WHERE state = 'received';
CREATE INDEX sync_batch_pending_edge_newest ON sync_batch (site_id, edge_node_id, recv_max_ms)
    WHERE state = 'received';
DROP INDEX sync_batch_pending;
DROP INDEX sync_batch_pending_newest;
"""


def upgrade() -> None:
    """Change the inbox and the quarantine; each waits for its table for a few seconds at most."""
    for part in (_QUARANTINE, _PARKED, _TURNS):
        op.execute(part)
