-- edges: each edge with its newest session of each role; fresh: its process still says so
SELECT e.edge_node_id, e.name, s.role, s.opened_at, s.seen_at, s.closed_at, s.report,
    s.closed_at IS NULL AND s.seen_at > clock_timestamp() - %(stale_s)s * interval '1 second'
FROM site AS t
JOIN edge_node AS e USING (site_id)
LEFT JOIN LATERAL (
    SELECT newest.* FROM unnest(ARRAY['all', 'urgent', 'bulk']) AS of_role (role)
    CROSS JOIN LATERAL (
        SELECT role, opened_at, seen_at, closed_at, report FROM sync_session AS s
        WHERE s.site_id = e.site_id AND s.edge_node_id = e.edge_node_id
            AND s.role = of_role.role
        ORDER BY opened_at DESC LIMIT 1
    ) AS newest
) AS s ON true
WHERE t.name = %(site)s
ORDER BY e.name, s.opened_at;

-- held: of each edge's newest epoch, how many batches are held and up to where
SELECT r.edge_node_id, r.lane, coalesce(upper(r.held) - 1, 0),
    (SELECT coalesce(sum(upper(part) - lower(part)), 0)::bigint FROM unnest(r.held) AS part)
FROM site AS t JOIN sync_range AS r USING (site_id)
WHERE t.name = %(site)s AND r.epoch = (
    SELECT max(epoch) FROM sync_epoch AS p
    WHERE p.site_id = r.site_id AND p.edge_node_id = r.edge_node_id
)
ORDER BY r.edge_node_id, r.lane;

-- pending: what is acknowledged and not yet unpacked, by edge; bounded, as this is looked at often
SELECT b.edge_node_id, count(*)
FROM (
    SELECT site_id, edge_node_id FROM sync_batch WHERE state = 'received'
    LIMIT %(counted_max)s
) AS b
JOIN site AS t USING (site_id)
WHERE t.name = %(site)s
GROUP BY b.edge_node_id;

-- backlog: the same over all sites, for the metrics; and samples that have no day partition
SELECT
    (SELECT count(*) FROM (
        SELECT FROM sync_batch WHERE state = 'received' LIMIT %(counted_max)s
    ) AS counted),
    coalesce(extract(epoch FROM now() - (
        SELECT min(received_at) FROM sync_batch WHERE state = 'received'
    )), 0)::float8,
    pg_stat_get_live_tuples('sample_default'::regclass);

-- quarantined: for the metrics
SELECT count(*) FROM sync_quarantine;
