-- claim_urgent: alerts before control audit, whatever else waits; in the order of their numbers
SELECT site_id, edge_node_id, epoch, lane, seq, received_at, n
FROM sync_batch
WHERE state = 'received' AND lane < 2
ORDER BY lane, seq
LIMIT %(batches_max)s
FOR NO KEY UPDATE SKIP LOCKED;

-- edges_waiting: who has something in the inbox; a look into the partial index for each edge
SELECT e.site_id, e.edge_node_id
FROM edge_node AS e
CROSS JOIN LATERAL (
    SELECT FROM sync_batch AS b
    WHERE b.site_id = e.site_id AND b.edge_node_id = e.edge_node_id AND b.state = 'received'
    LIMIT 1
) AS first
ORDER BY e.site_id, e.edge_node_id;

-- claim_oldest: of each edge what came first; what another unpacker has in hand is skipped, not
-- waited for
SELECT b.*
FROM unnest(%(site_ids)s::int[], %(edge_node_ids)s::int[])
    WITH ORDINALITY AS e (site_id, edge_node_id, turn)
CROSS JOIN LATERAL (
    SELECT site_id, edge_node_id, epoch, lane, seq, received_at, n
    FROM sync_batch AS b
    WHERE b.site_id = e.site_id AND b.edge_node_id = e.edge_node_id AND b.state = 'received'
    ORDER BY b.received_at
    LIMIT %(batches_each)s
    FOR NO KEY UPDATE SKIP LOCKED
) AS b
ORDER BY e.turn;

-- claim_newest: of each edge what it has taken in last, whenever it came here
SELECT b.*
FROM unnest(%(site_ids)s::int[], %(edge_node_ids)s::int[])
    WITH ORDINALITY AS e (site_id, edge_node_id, turn)
CROSS JOIN LATERAL (
    SELECT site_id, edge_node_id, epoch, lane, seq, received_at, n
    FROM sync_batch AS b
    WHERE b.site_id = e.site_id AND b.edge_node_id = e.edge_node_id AND b.state = 'received'
    ORDER BY b.recv_max_ms DESC
    LIMIT %(batches_each)s
    FOR NO KEY UPDATE SKIP LOCKED
) AS b
ORDER BY e.turn;

-- claim_one: a batch by its identity, to find out whether it alone is at fault
SELECT site_id, edge_node_id, epoch, lane, seq, received_at, n
FROM sync_batch
WHERE site_id = %(site_id)s AND edge_node_id = %(edge_node_id)s AND epoch = %(epoch)s
    AND lane = %(lane)s AND seq = %(seq)s AND received_at = %(received_at)s
    AND state = 'received'
FOR NO KEY UPDATE SKIP LOCKED;

-- bodies: of the claimed batches, in the order of their keys; the bounds leave partitions out
SELECT b.recv_max_ms, b.body
FROM unnest(%(site_ids)s::int[], %(edge_node_ids)s::int[], %(epochs)s::int[],
    %(lanes)s::smallint[], %(seqs)s::bigint[], %(received_ats)s::timestamptz[]
) WITH ORDINALITY AS k (site_id, edge_node_id, epoch, lane, seq, received_at, position)
JOIN sync_batch AS b USING (site_id, edge_node_id, epoch, lane, seq, received_at)
WHERE b.received_at BETWEEN %(received_first)s AND %(received_last)s
ORDER BY k.position;

-- settle: the flip that makes unpacking happen once, in the transaction of the rows
UPDATE sync_batch AS b SET state = %(state)s
FROM unnest(%(site_ids)s::int[], %(edge_node_ids)s::int[], %(epochs)s::int[],
    %(lanes)s::smallint[], %(seqs)s::bigint[], %(received_ats)s::timestamptz[]
) AS k (site_id, edge_node_id, epoch, lane, seq, received_at)
WHERE b.site_id = k.site_id AND b.edge_node_id = k.edge_node_id AND b.epoch = k.epoch
    AND b.lane = k.lane AND b.seq = k.seq AND b.received_at = k.received_at
    AND b.received_at BETWEEN %(received_first)s AND %(received_last)s
    AND b.state = 'received';

-- park: it waits in the inbox for what can read it; the state is the claimer's to change
UPDATE sync_batch
SET state = 'parked', parked_reason = %(reason)s, parked_detail = %(detail)s,
    parked_series_ix = %(series_ix)s::bigint, judged_by = %(judged_by)s, judged_at = clock_timestamp()
WHERE site_id = %(site_id)s AND edge_node_id = %(edge_node_id)s AND epoch = %(epoch)s
    AND lane = %(lane)s AND seq = %(seq)s AND received_at = %(received_at)s
    AND state = 'received';

-- keep_poison: verbatim, with the reason; the inbox row goes with its day, this one stays
INSERT INTO sync_quarantine (site_id, edge_node_id, epoch, lane, seq, received_at, reason, detail,
    bad_rows, bad_count, judged_by, n, t_min_ms, t_max_ms, recv_min_ms, recv_max_ms, sha256, body)
SELECT site_id, edge_node_id, epoch, lane, seq, received_at, %(reason)s, %(detail)s,
    %(bad_rows)s::bytea, coalesce(%(bad_count)s::int, n), %(judged_by)s, n, t_min_ms, t_max_ms, recv_min_ms,
    recv_max_ms, sha256, body
FROM sync_batch
WHERE site_id = %(site_id)s AND edge_node_id = %(edge_node_id)s AND epoch = %(epoch)s
    AND lane = %(lane)s AND seq = %(seq)s AND received_at = %(received_at)s;

-- copy: rows are routed to their day; sorted by series they fill neighbouring places
COPY sample (site_id, series_id, ts, v, i, q, s) FROM STDIN (FORMAT binary);

-- raise_latest: a value replaces another only if it ranks no lower; rows are locked in key order,
-- so that unpackers cannot wait for each other; returns what is new to the screens
INSERT INTO latest AS l (site_id, series_id, ts, ranked_at, v, i, q, s)
SELECT site_id, series_id, ts, ranked_at, v, i, q, s
FROM unnest(%(site_ids)s::int[], %(series_ids)s::int[], %(ts)s::timestamptz[],
    %(ranked_at)s::timestamptz[], %(v)s::float8[], %(i)s::bigint[], %(q)s::smallint[],
    %(s)s::text[]
) AS new (site_id, series_id, ts, ranked_at, v, i, q, s)
ORDER BY site_id, series_id
ON CONFLICT (site_id, series_id) DO UPDATE
SET ts = excluded.ts, ranked_at = excluded.ranked_at,
    v = excluded.v, i = excluded.i, q = excluded.q, s = excluded.s
WHERE (excluded.ranked_at, excluded.ts) >= (l.ranked_at, l.ts)
RETURNING series_id;

-- notify_live: delivered at the commit, so that who hears it finds the values
SELECT pg_notify('headframe_live', payload) FROM unnest(%(payloads)s::text[]) AS payload;
