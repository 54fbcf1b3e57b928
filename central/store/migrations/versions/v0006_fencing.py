"""An installation may have several epochs; what a batch was is known for ever by its hash."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_EPOCHS = """
ALTER TABLE sync_epoch
    DROP CONSTRAINT sync_epoch_site_id_edge_node_id_install_uuid_key,
    ADD COLUMN base_epoch integer,
    ADD COLUMN fenced_because text;
CREATE INDEX sync_epoch_install ON sync_epoch (site_id, edge_node_id, install_uuid, epoch);
"""

_HASHES = """
CREATE TABLE sync_hash (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    lane smallint NOT NULL,
    first_seq bigint NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT sync_hash_pkey PRIMARY KEY (site_id, edge_node_id, epoch, lane, first_seq)
);
ALTER TABLE sync_hash ALTER COLUMN hashes SET STORAGE EXTERNAL;
"""


def upgrade() -> None:
    """Change the epochs and add the hashes of batches that leave the inbox."""
    for statements in (_EPOCHS, _HASHES):
        op.execute(statements)
