"""An edge may have two sessions at a time: one for urgent lanes, one for the others."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A constant default rewrites no row; the index is small: sessions are kept some weeks.
_ROLE = """
ALTER TABLE sync_session ADD COLUMN role text DEFAULT 'all' NOT NULL;
DROP INDEX sync_session_newest;
CREATE INDEX sync_session_newest ON sync_session (site_id, edge_node_id, role, opened_at DESC);
"""


def upgrade() -> None:
    """Add the column and find the newest session of each role at once."""
    op.execute(_ROLE)
