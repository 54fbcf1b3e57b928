"""Alerts, their revisions and declared gaps: what the urgent lanes carry."""

from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

_ALERTS = """
CREATE TABLE alert (
    site_id integer NOT NULL,
    alert_id text COLLATE "C" NOT NULL,
    edge_node_id integer NOT NULL,
    revision integer NOT NULL,
    state text COLLATE "C" NOT NULL,
    severity text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    message text NOT NULL,
    kind text COLLATE "C" NOT NULL,
    asset_id text COLLATE "C" NOT NULL,
    metric text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    value double precision NOT NULL,
    threshold double precision NOT NULL,
    raised_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    stored_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT alert_pkey PRIMARY KEY (site_id, alert_id)
);
CREATE INDEX alert_newest ON alert (site_id, raised_at DESC, alert_id);

CREATE TABLE alert_revision (
    site_id integer NOT NULL,
    alert_id text COLLATE "C" NOT NULL,
    revision integer NOT NULL,
    state text COLLATE "C" NOT NULL,
    value double precision NOT NULL,
    changed_at timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    stored_at timestamptz DEFAULT now() NOT NULL,
    context jsonb NOT NULL,
    CONSTRAINT alert_revision_pkey PRIMARY KEY (site_id, alert_id, revision)
);
"""

_GAPS = """
CREATE TABLE log_gap (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    lane smallint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    samples bigint NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    reason text COLLATE "C" NOT NULL,
    declared_at timestamptz NOT NULL,
    is_thinned boolean NOT NULL,
    stored_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT log_gap_pkey PRIMARY KEY (site_id, edge_node_id, epoch, lane, first_seq, last_seq)
);

CREATE TABLE message_gap (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    gap_id text COLLATE "C" NOT NULL,
    topic text NOT NULL,
    missing bigint NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    reason text COLLATE "C" NOT NULL,
    declared_at timestamptz NOT NULL,
    stored_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT message_gap_pkey PRIMARY KEY (site_id, edge_node_id, gap_id)
);
"""

# Writers of the inbox wait while it is built; it holds what is urgent and waits: next to nothing.
_PENDING_URGENT = """
CREATE INDEX sync_batch_pending_urgent ON sync_batch (lane, seq)
    WHERE state = 'received' AND lane < 2;
"""


def upgrade() -> None:
    """Add the tables and the index by which urgent batches are found."""
    for statements in (_ALERTS, _GAPS, _PENDING_URGENT):
        op.execute(statements)
