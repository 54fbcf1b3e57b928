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
        SELECT min(first.received_at) FROM edge_node AS e
        CROSS JOIN LATERAL (
            SELECT received_at FROM sync_batch AS b
            WHERE b.site_id = e.site_id AND b.edge_node_id = e.edge_node_id
                AND b.state = 'received'
            ORDER BY received_at LIMIT 1
        ) AS first
    )), 0)::float8,
    pg_stat_get_live_tuples('sample_default'::regclass);

-- held_by_reason: what is kept aside, by edge: batches and rows
SELECT q.site_id, q.edge_node_id, q.reason,
    count(DISTINCT (q.epoch, q.lane, q.seq)), sum(q.bad_count)::bigint
FROM sync_quarantine AS q
WHERE q.state = 'held' AND (%(site)s::text IS NULL OR q.site_id = (
    SELECT site_id FROM site WHERE name = %(site)s
))
GROUP BY q.site_id, q.edge_node_id, q.reason;

-- parked_by_reason: batches that wait for a newer program or a fuller catalogue
SELECT b.site_id, b.edge_node_id, b.parked_reason, count(*), sum(b.n)::bigint
FROM sync_batch AS b
WHERE b.state = 'parked' AND (%(site)s::text IS NULL OR b.site_id = (
    SELECT site_id FROM site WHERE name = %(site)s
))
GROUP BY b.site_id, b.edge_node_id, b.parked_reason;

-- quarantined: batches of which something is or was kept aside, for the metrics
SELECT count(*) FROM sync_quarantine WHERE state = 'held';
