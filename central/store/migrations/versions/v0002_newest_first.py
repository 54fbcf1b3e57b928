"""What is recorded now is found at once, however much of the past waits in the inbox."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Writers of the inbox wait while it is built. It holds what waits to be unpacked only: the rows
# are looked at, the bodies beside them are not.
_PENDING_NEWEST = """
CREATE INDEX sync_batch_pending_newest ON sync_batch (recv_max_ms) WHERE state = 'received';
"""


def upgrade() -> None:
    """Add the index."""
    op.execute(_PENDING_NEWEST)
