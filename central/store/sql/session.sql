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

-- grant_epoch: an installation keeps its epoch; a new one gets one that was never used here
INSERT INTO sync_epoch (site_id, edge_node_id, epoch, install_uuid)
SELECT %(site_key)s, %(edge_key)s,
    greatest(coalesce(max(epoch), 0) + 1, %(claimed_epoch)s), %(install_uuid)s
FROM sync_epoch
WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s
HAVING count(*) FILTER (WHERE install_uuid = %(install_uuid)s) = 0;

-- epoch_of: what grant_epoch granted, now or at an earlier session
SELECT epoch FROM sync_epoch
WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s AND install_uuid = %(install_uuid)s;

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
