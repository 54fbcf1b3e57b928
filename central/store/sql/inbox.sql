-- add_lane: a lane is known from its first batch on
INSERT INTO sync_range (site_id, edge_node_id, epoch, lane)
SELECT %(site_key)s, %(edge_key)s, %(epoch)s, lane
FROM unnest(%(lanes)s::smallint[]) AS lane
ORDER BY lane
ON CONFLICT DO NOTHING;

-- lock_lanes: stores of one lane queue up here, so that each sees what the others hold; in lane
-- order, so that two of them cannot wait for each other
SELECT lane FROM sync_range
WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s AND epoch = %(epoch)s
    AND lane = ANY(%(lanes)s::smallint[])
ORDER BY lane
FOR UPDATE;

-- fresh: which of these are not held yet; asked after lock_lanes, by a statement of its own,
-- because only then does its snapshot include what the holder of the lock before us committed
SELECT incoming.lane, incoming.seq
FROM unnest(%(batch_lanes)s::smallint[], %(seqs)s::bigint[]) AS incoming (lane, seq)
JOIN sync_range AS r ON r.lane = incoming.lane
WHERE r.site_id = %(site_key)s AND r.edge_node_id = %(edge_key)s AND r.epoch = %(epoch)s
    AND NOT r.held @> incoming.seq;

-- put: the batches themselves; nothing is compressed or looked into
INSERT INTO sync_batch (site_id, edge_node_id, epoch, lane, seq, received_at, n,
    t_min_ms, t_max_ms, recv_min_ms, recv_max_ms, sha256, body)
SELECT %(site_key)s, %(edge_key)s, %(epoch)s, b.lane, b.seq, %(received_at)s, b.n,
    b.t_min_ms, b.t_max_ms, b.recv_min_ms, b.recv_max_ms, b.sha256, b.body
FROM unnest(%(batch_lanes)s::smallint[], %(seqs)s::bigint[], %(counts)s::int[],
    %(t_mins)s::bigint[], %(t_maxs)s::bigint[], %(recv_mins)s::bigint[], %(recv_maxs)s::bigint[],
    %(hashes)s::bytea[], %(bodies)s::bytea[]
) AS b (lane, seq, n, t_min_ms, t_max_ms, recv_min_ms, recv_max_ms, sha256, body)
ON CONFLICT DO NOTHING
RETURNING lane, seq;

-- extend: remembered for ever, in the transaction of the batches: this is what stops duplicates
UPDATE sync_range AS r SET held = r.held + added.seqs
FROM (
    SELECT lane, range_agg(int8range(seq, seq, '[]')) AS seqs
    FROM unnest(%(batch_lanes)s::smallint[], %(seqs)s::bigint[]) AS stored (lane, seq)
    GROUP BY lane
) AS added
WHERE r.site_id = %(site_key)s AND r.edge_node_id = %(edge_key)s AND r.epoch = %(epoch)s
    AND r.lane = added.lane;

-- know_inherited: what a batch is that another epoch holds, for when this one is asked
INSERT INTO sync_hash (site_id, edge_node_id, epoch, lane, first_seq, hashes)
SELECT %(site_key)s, %(edge_key)s, %(epoch)s, lane, seq, substring(sha256 FROM 1 FOR 16)
FROM unnest(%(batch_lanes)s::smallint[], %(seqs)s::bigint[], %(hashes)s::bytea[])
    AS inherited (lane, seq, sha256)
ON CONFLICT DO NOTHING;

-- held_hashes: the sha256 of batches sent again, for as long as the inbox or quarantine has them
SELECT b.lane, b.seq, b.sha256
FROM unnest(%(batch_lanes)s::smallint[], %(seqs)s::bigint[]) AS again (lane, seq)
JOIN sync_batch AS b ON b.site_id = %(site_key)s AND b.edge_node_id = %(edge_key)s
    AND b.epoch = %(epoch)s AND b.lane = again.lane AND b.seq = again.seq
UNION ALL
SELECT q.lane, q.seq, q.sha256
FROM unnest(%(batch_lanes)s::smallint[], %(seqs)s::bigint[]) AS again (lane, seq)
JOIN sync_quarantine AS q ON q.site_id = %(site_key)s AND q.edge_node_id = %(edge_key)s
    AND q.epoch = %(epoch)s AND q.lane = again.lane AND q.seq = again.seq;

-- keep_conflict: both bodies are kept for people; beyond the limit of an edge only the fact
INSERT INTO sync_conflict (site_id, edge_node_id, epoch, lane, seq, sha256, seen_at, n,
    t_min_ms, t_max_ms, body)
SELECT %(site_key)s, %(edge_key)s, %(epoch)s, %(lane)s, %(seq)s, %(sha256)s, %(received_at)s,
    %(n)s, %(t_min_ms)s, %(t_max_ms)s,
    CASE WHEN kept.bodies < %(bodies_max)s THEN %(body)s::bytea END
FROM (
    SELECT count(body) AS bodies FROM sync_conflict
    WHERE site_id = %(site_key)s AND edge_node_id = %(edge_key)s
) AS kept
ON CONFLICT DO NOTHING;

-- announce: wakes the unpackers; never in the transaction of the batches, because committing a
-- notification takes a lock on the whole server, there across a wait for the disk, here without
SELECT set_config('synchronous_commit', 'off', true), pg_notify('headframe_inbox', '');
