"""Migrations over a database that has been at work: nothing is lost, and nothing is guessed."""

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from central.store.schema import upgrade_schema

BEFORE = "0006"  # the last revision without quarantined rows, parking and rollups
IN_SCHEMA = "-c search_path=headframe"
AT_WORK = """
INSERT INTO site (name) VALUES ('kaduna');
INSERT INTO edge_node (site_id, name) VALUES (1, 'edge-1');
INSERT INTO sync_epoch (site_id, edge_node_id, epoch, install_uuid)
VALUES (1, 1, 1, gen_random_uuid());
CREATE TABLE sync_batch_d20261120 (LIKE sync_batch
    INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
ALTER TABLE sync_batch ATTACH PARTITION sync_batch_d20261120
    FOR VALUES FROM ('2026-11-20 00:00+00') TO ('2026-11-21 00:00+00');
INSERT INTO sync_batch (site_id, edge_node_id, epoch, lane, seq, received_at, n, t_min_ms,
    t_max_ms, recv_min_ms, recv_max_ms, state, sha256, body)
SELECT 1, 1, 1, 2, seq, '2026-11-20 10:00+00', 5, 0, 0, 0, 0,
    CASE WHEN seq = 1 THEN 'received' ELSE 'applied' END, 'a', 'b'
FROM generate_series(1, 100) AS seq;
INSERT INTO sync_quarantine (site_id, edge_node_id, epoch, lane, seq, reason, detail, n,
    t_min_ms, t_max_ms, recv_min_ms, recv_max_ms, sha256, body)
VALUES (1, 1, 1, 2, 7, 'bad_body', 'as it was', 5, 0, 0, 0, 0, 'a', 'b');
INSERT INTO worker (worker_id, host, process_id) VALUES (gen_random_uuid(), 'old', 1);
"""


def test_a_database_at_work_is_upgraded_in_place(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = command.upgrade

    def only_so_far(settings: Config, _: str) -> None:
        upgrade(settings, BEFORE)

    monkeypatch.setattr(command, "upgrade", only_so_far)
    assert upgrade_schema(empty_database_url) == BEFORE
    with psycopg.connect(empty_database_url, options=IN_SCHEMA) as connection:
        connection.execute(AT_WORK)
    monkeypatch.setattr(command, "upgrade", upgrade)
    upgrade_schema(empty_database_url)
    with psycopg.connect(empty_database_url, options=IN_SCHEMA) as connection:
        held = connection.execute("SELECT state, reason, bad_count, bad_rows FROM sync_quarantine")
        assert held.fetchall() == [("held", "bad_body", 5, None)]
        states = connection.execute("SELECT state, count(*) FROM sync_batch GROUP BY 1 ORDER BY 1")
        assert states.fetchall() == [("applied", 99), ("received", 1)]
        # A worker of the version before may still write samples without a mark.
        assert connection.execute("SELECT ready_at FROM rollup_state").fetchall() == [(None,)]
