"""Sites, edges, inbox, samples, accounts: the schema that everything later builds on."""

from alembic import op

revision = "0001"
down_revision = None  # the first; and no step ever goes down: a backup does
branch_labels = None
depends_on = None

_SITES = """
CREATE TABLE central_identity (
    only_one boolean DEFAULT true NOT NULL,
    central_uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT central_identity_pkey PRIMARY KEY (only_one),
    CONSTRAINT central_identity_only_one_check CHECK (only_one)
);
INSERT INTO central_identity DEFAULT VALUES;

CREATE TABLE site (
    site_id integer GENERATED ALWAYS AS IDENTITY,
    name text COLLATE "C" NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT site_pkey PRIMARY KEY (site_id),
    CONSTRAINT site_name_key UNIQUE (name),
    CONSTRAINT site_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$')
);

CREATE TABLE edge_node (
    site_id integer NOT NULL,
    edge_node_id integer GENERATED ALWAYS AS IDENTITY,
    name text COLLATE "C" NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT edge_node_pkey PRIMARY KEY (site_id, edge_node_id),
    CONSTRAINT edge_node_site_id_name_key UNIQUE (site_id, name),
    CONSTRAINT edge_node_site_id_fkey FOREIGN KEY (site_id) REFERENCES site,
    CONSTRAINT edge_node_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$')
);

CREATE TABLE sync_epoch (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    install_uuid uuid NOT NULL,
    granted_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT sync_epoch_pkey PRIMARY KEY (site_id, edge_node_id, epoch),
    CONSTRAINT sync_epoch_site_id_edge_node_id_install_uuid_key
        UNIQUE (site_id, edge_node_id, install_uuid),
    CONSTRAINT sync_epoch_site_id_edge_node_id_fkey
        FOREIGN KEY (site_id, edge_node_id) REFERENCES edge_node,
    CONSTRAINT sync_epoch_epoch_check CHECK (epoch >= 1)
);
"""

_INBOX = """
-- Rewritten at every store: room in the page keeps the updates out of the index (HOT).
CREATE TABLE sync_range (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    lane smallint NOT NULL,
    held int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    CONSTRAINT sync_range_pkey PRIMARY KEY (site_id, edge_node_id, epoch, lane),
    CONSTRAINT sync_range_site_id_edge_node_id_epoch_fkey
        FOREIGN KEY (site_id, edge_node_id, epoch) REFERENCES sync_epoch
) WITH (fillfactor = 50);

CREATE TABLE sync_batch (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    lane smallint NOT NULL,
    seq bigint NOT NULL,
    received_at timestamptz NOT NULL,
    n integer NOT NULL,
    t_min_ms bigint NOT NULL,
    t_max_ms bigint NOT NULL,
    recv_min_ms bigint NOT NULL,
    recv_max_ms bigint NOT NULL,
    state text COLLATE "C" DEFAULT 'received' NOT NULL,
    sha256 bytea NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT sync_batch_pkey
        PRIMARY KEY (site_id, edge_node_id, epoch, lane, seq, received_at),
    CONSTRAINT sync_batch_state_check CHECK (state IN ('received', 'applied', 'quarantined'))
) PARTITION BY RANGE (received_at);
CREATE INDEX sync_batch_pending ON sync_batch (received_at) WHERE state = 'received';
-- Bodies are compressed already: PostgreSQL must not try again.
ALTER TABLE sync_batch ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE sync_batch_default PARTITION OF sync_batch DEFAULT;

CREATE TABLE sync_conflict (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    lane smallint NOT NULL,
    seq bigint NOT NULL,
    sha256 bytea NOT NULL,
    seen_at timestamptz NOT NULL,
    n integer NOT NULL,
    t_min_ms bigint NOT NULL,
    t_max_ms bigint NOT NULL,
    body bytea,
    CONSTRAINT sync_conflict_pkey
        PRIMARY KEY (site_id, edge_node_id, epoch, lane, seq, sha256)
);
ALTER TABLE sync_conflict ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE sync_quarantine (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    lane smallint NOT NULL,
    seq bigint NOT NULL,
    quarantined_at timestamptz DEFAULT now() NOT NULL,
    reason text COLLATE "C" NOT NULL,
    detail text NOT NULL,
    n integer NOT NULL,
    t_min_ms bigint NOT NULL,
    t_max_ms bigint NOT NULL,
    recv_min_ms bigint NOT NULL,
    recv_max_ms bigint NOT NULL,
    sha256 bytea NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT sync_quarantine_pkey PRIMARY KEY (site_id, edge_node_id, epoch, lane, seq)
);
ALTER TABLE sync_quarantine ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE sync_session (
    site_id integer NOT NULL,
    session_id uuid NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    boot_id text NOT NULL,
    software text NOT NULL,
    opened_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    seen_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    closed_at timestamptz,
    report jsonb,
    CONSTRAINT sync_session_pkey PRIMARY KEY (site_id, session_id),
    CONSTRAINT sync_session_site_id_edge_node_id_epoch_fkey
        FOREIGN KEY (site_id, edge_node_id, epoch) REFERENCES sync_epoch
) WITH (fillfactor = 70);
CREATE INDEX sync_session_newest ON sync_session (site_id, edge_node_id, opened_at DESC);
"""

_SAMPLES = """
CREATE TABLE series (
    site_id integer NOT NULL,
    series_id integer GENERATED ALWAYS AS IDENTITY,
    kind text COLLATE "C" NOT NULL,
    asset_id text COLLATE "C" NOT NULL,
    metric text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    value_type smallint NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT series_pkey PRIMARY KEY (site_id, series_id),
    CONSTRAINT series_site_id_kind_asset_id_metric_unit_value_type_key
        UNIQUE (site_id, kind, asset_id, metric, unit, value_type),
    CONSTRAINT series_site_id_fkey FOREIGN KEY (site_id) REFERENCES site
);

CREATE TABLE edge_series (
    site_id integer NOT NULL,
    edge_node_id integer NOT NULL,
    epoch integer NOT NULL,
    series_ix bigint NOT NULL,
    series_id integer NOT NULL,
    CONSTRAINT edge_series_pkey PRIMARY KEY (site_id, edge_node_id, epoch, series_ix),
    CONSTRAINT edge_series_site_id_series_id_fkey
        FOREIGN KEY (site_id, series_id) REFERENCES series,
    CONSTRAINT edge_series_site_id_edge_node_id_epoch_fkey
        FOREIGN KEY (site_id, edge_node_id, epoch) REFERENCES sync_epoch
);

CREATE TABLE sample (
    site_id integer NOT NULL,
    series_id integer NOT NULL,
    ts timestamptz NOT NULL,
    v double precision,
    i bigint,
    q smallint NOT NULL,
    s text
) PARTITION BY RANGE (ts);
-- The value stands in the index: a chart of a series reads neighbouring index pages only, where
-- the rows themselves lie scattered, one page per batch.
CREATE INDEX sample_series_ts ON sample (series_id, ts) INCLUDE (v);
CREATE TABLE sample_default PARTITION OF sample DEFAULT;

-- Rewritten with every batch, never in an indexed column: room in the page keeps updates HOT.
CREATE TABLE latest (
    site_id integer NOT NULL,
    series_id integer NOT NULL,
    ts timestamptz NOT NULL,
    ranked_at timestamptz NOT NULL,
    v double precision,
    i bigint,
    q smallint NOT NULL,
    s text,
    CONSTRAINT latest_pkey PRIMARY KEY (site_id, series_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE worker (
    worker_id uuid NOT NULL,
    host text NOT NULL,
    process_id integer NOT NULL,
    started_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    seen_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    stopped_at timestamptz,
    applied_batches bigint DEFAULT 0 NOT NULL,
    applied_samples bigint DEFAULT 0 NOT NULL,
    quarantined_batches bigint DEFAULT 0 NOT NULL,
    CONSTRAINT worker_pkey PRIMARY KEY (worker_id)
);
"""

_ACCOUNTS = """
CREATE TABLE account (
    user_id text COLLATE "C" NOT NULL,
    username text COLLATE "C" NOT NULL,
    password_hash text NOT NULL,
    roles text[] NOT NULL,
    sites text[] NOT NULL,
    state text COLLATE "C" DEFAULT 'active' NOT NULL,
    first_name text DEFAULT '' NOT NULL,
    last_name text DEFAULT '' NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    password_changed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (user_id),
    CONSTRAINT account_username_key UNIQUE (username),
    CONSTRAINT account_username_check CHECK (username = lower(username)),
    CONSTRAINT account_state_check CHECK (state IN ('active', 'pending', 'disabled'))
);

CREATE TABLE refresh_family (
    family_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT refresh_family_pkey PRIMARY KEY (family_id),
    CONSTRAINT refresh_family_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES account ON DELETE CASCADE
);
CREATE INDEX refresh_family_user ON refresh_family (user_id);

CREATE TABLE refresh_token (
    token_sha256 bytea NOT NULL,
    family_id text COLLATE "C" NOT NULL,
    issued_ms bigint NOT NULL,
    expires_ms bigint NOT NULL,
    used_ms bigint,
    CONSTRAINT refresh_token_pkey PRIMARY KEY (token_sha256),
    CONSTRAINT refresh_token_family_id_fkey
        FOREIGN KEY (family_id) REFERENCES refresh_family ON DELETE CASCADE
);
CREATE INDEX refresh_token_family ON refresh_token (family_id);
"""


def upgrade() -> None:
    """Create everything."""
    for part in (_SITES, _INBOX, _SAMPLES, _ACCOUNTS):
        op.execute(part)
