-- add_site: a site exists from its first edge on; no update where it exists, so no dead row
INSERT INTO site (name)
SELECT %(site)s WHERE NOT EXISTS (SELECT FROM site WHERE name = %(site)s)
ON CONFLICT DO NOTHING;

-- add_edge: the same for the edge; runs after add_site in the same transaction
INSERT INTO edge_node (site_id, name)
SELECT site_id, %(edge_id)s FROM site s
WHERE s.name = %(site)s
    AND NOT EXISTS (
        SELECT FROM edge_node e WHERE e.site_id = s.site_id AND e.name = %(edge_id)s
    )
ON CONFLICT DO NOTHING;

-- lock_edge: the row lock makes sessions of one edge queue up, so that epochs are granted in order
SELECT e.site_id, e.edge_node_id FROM site s JOIN edge_node e USING (site_id)
WHERE s.name = %(site)s AND e.name = %(edge_id)s
FOR NO KEY UPDATE OF e;

-- epochs: all that were ever granted to an edge, newest first
SELECT epoch, install_uuid, base_epoch FROM sync_epoch
WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s
ORDER BY epoch DESC;

-- add_epoch: what central.store.epochs has decided
INSERT INTO sync_epoch (site_id, edge_node_id, epoch, install_uuid, base_epoch, fenced_because)
VALUES (%(site_key)s, %(edge_key)s, %(epoch)s, %(install_uuid)s, %(base_epoch)s, %(because)s);

-- share: what a new epoch has in common with the one it goes on from
INSERT INTO sync_range (site_id, edge_node_id, epoch, lane, held)
VALUES (%(site_key)s, %(edge_key)s, %(epoch)s, %(lane)s, %(held)s);

-- hashes: the first 16 bytes of what is held, from the inbox, the quarantine, or what was kept
SELECT asked.lane, asked.seq, coalesce(
    (SELECT substring(b.sha256 FROM 1 FOR 16) FROM sync_batch AS b
    WHERE b.site_id = %(site_key)s AND b.edge_node_id = %(edge_key)s AND b.epoch = %(epoch)s
        AND b.lane = asked.lane AND b.seq = asked.seq LIMIT 1),
    (SELECT substring(q.sha256 FROM 1 FOR 16) FROM sync_quarantine AS q
    WHERE q.site_id = %(site_key)s AND q.edge_node_id = %(edge_key)s AND q.epoch = %(epoch)s
        AND q.lane = asked.lane AND q.seq = asked.seq LIMIT 1),
    (SELECT nullif(substring(run.hashes FROM (16 * (asked.seq - run.first_seq) + 1)::int FOR 16), '')
    FROM (
        SELECT h.first_seq, h.hashes FROM sync_hash AS h
        WHERE h.site_id = %(site_key)s AND h.edge_node_id = %(edge_key)s
            AND h.epoch = %(epoch)s AND h.lane = asked.lane AND h.first_seq <= asked.seq
        ORDER BY h.first_seq DESC LIMIT 1
    ) AS run WHERE asked.seq - run.first_seq < 256)
)
FROM unnest(%(batch_lanes)s::smallint[], %(seqs)s::bigint[]) AS asked (lane, seq);

-- held: what the edge need not send again
SELECT lane, held FROM sync_range
WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s AND epoch = %(epoch)s;

-- series_known: the highest number up to which no entry is missing
SELECT coalesce(max(series_ix), 0) FROM (
    SELECT series_ix, row_number() OVER (ORDER BY series_ix) AS position
    FROM edge_series
    WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s AND epoch = %(epoch)s
) AS numbered
WHERE series_ix = position;

-- supersede: one session for each lane; an older one ends here even if its process never says so
UPDATE sync_session SET closed_at = clock_timestamp()
WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s AND closed_at IS NULL
    AND (role = %(role)s OR 'all' IN (role, %(role)s));

-- open: times are the server's own, so that all processes agree on what is fresh
INSERT INTO sync_session (site_id, session_id, edge_node_id, epoch, boot_id, software, role)
VALUES (
    %(site_key)s, %(session_id)s, %(edge_key)s, %(epoch)s, %(boot_id)s, %(software)s, %(role)s
);

-- beat: one statement for all sessions of a process; one that was superseded stays closed
UPDATE sync_session AS s SET seen_at = clock_timestamp()
FROM unnest(%(site_keys)s::int[], %(session_ids)s::uuid[]) AS mine (site_id, session_id)
WHERE s.site_id = mine.site_id AND s.session_id = mine.session_id AND s.closed_at IS NULL;

-- report: the newest report only; history is what the metrics are for
UPDATE sync_session SET seen_at = clock_timestamp(), report = %(report)s
WHERE site_id = %(site_key)s AND session_id = %(session_id)s;

-- close: touches no other session of the same edge
UPDATE sync_session SET seen_at = clock_timestamp(), closed_at = clock_timestamp()
WHERE site_id = %(site_key)s AND session_id = %(session_id)s AND closed_at IS NULL;

-- forget_old: closed sessions are kept for people looking back some weeks, not for ever
DELETE FROM sync_session AS old
WHERE seen_at < now() - %(keep_days)s * interval '1 day'
    AND EXISTS (
        SELECT FROM sync_session AS newer
        WHERE newer.site_id = old.site_id AND newer.edge_node_id = old.edge_node_id
            AND newer.role = old.role AND newer.opened_at > old.opened_at
    );
