-- held: what is kept aside, the newest first; and what waits in the inbox for a newer program
SELECT q.quarantine_id, q.state, t.name, e.name, q.epoch, q.lane, q.seq, q.reason, q.detail,
    q.bad_count, q.n, q.quarantined_at, q.judged_by
FROM sync_quarantine AS q
JOIN site AS t USING (site_id)
JOIN edge_node AS e USING (site_id, edge_node_id)
WHERE (%(site)s::text IS NULL OR t.name = %(site)s)
    AND (%(reason)s::text IS NULL OR q.reason = %(reason)s)
    AND (%(with_released)s OR q.state = 'held')
    AND (%(ids)s::bigint[] IS NULL OR q.quarantine_id = ANY(%(ids)s))
ORDER BY q.quarantine_id DESC
LIMIT %(limit)s;

-- parked: the same of the batches that wait; they have no number of their own
SELECT NULL::bigint, b.state, t.name, e.name, b.epoch, b.lane, b.seq, b.parked_reason,
    b.parked_detail, b.n, b.n, b.judged_at, b.judged_by
FROM sync_batch AS b
JOIN site AS t USING (site_id)
JOIN edge_node AS e USING (site_id, edge_node_id)
WHERE b.state = 'parked'
    AND (%(site)s::text IS NULL OR t.name = %(site)s)
    AND (%(reason)s::text IS NULL OR b.parked_reason = %(reason)s)
ORDER BY b.judged_at DESC
LIMIT %(limit)s;

-- body: of one entry, with what its series numbers mean to people
SELECT q.n, q.bad_rows, q.body, (
    SELECT jsonb_object_agg(m.series_ix, s.kind || '/' || s.asset_id || '/' || s.metric)
    FROM edge_series AS m JOIN series AS s USING (site_id, series_id)
    WHERE m.site_id = q.site_id AND m.edge_node_id = q.edge_node_id AND m.epoch = q.epoch
)
FROM sync_quarantine AS q
WHERE q.quarantine_id = %(quarantine_id)s;

-- claim: one entry to be tried again; whoever else tries it now is skipped
SELECT site_id, edge_node_id, epoch, lane, seq, received_at, n, recv_max_ms, body, bad_rows
FROM sync_quarantine
WHERE quarantine_id = %(quarantine_id)s AND state = 'held'
FOR NO KEY UPDATE SKIP LOCKED;

-- released: in the transaction of the rows; the entry stays as the record of what was done
UPDATE sync_quarantine
SET state = 'released', released_at = clock_timestamp(), judged_at = clock_timestamp(),
    judged_by = %(judged_by)s
WHERE quarantine_id = %(quarantine_id)s;

-- still_held: what is left of an entry and why
UPDATE sync_quarantine
SET reason = %(reason)s, detail = %(detail)s, bad_rows = %(bad_rows)s::bytea,
    bad_count = coalesce(%(bad_count)s::int, n), judged_at = clock_timestamp(),
    judged_by = %(judged_by)s
WHERE quarantine_id = %(quarantine_id)s;

-- applied_after_all: for as long as the inbox still has the batch
UPDATE sync_batch SET state = 'applied'
WHERE site_id = %(site_id)s AND edge_node_id = %(edge_node_id)s AND epoch = %(epoch)s
    AND lane = %(lane)s AND seq = %(seq)s AND received_at = %(received_at)s
    AND state = 'quarantined';

-- now: the server's time, against which all times of judgement are compared
SELECT clock_timestamp();

-- judged_by_others: entries that another version refused before this program started
SELECT quarantine_id FROM sync_quarantine
WHERE state = 'held' AND judged_at < %(started_at)s
    AND judged_by IS DISTINCT FROM %(version)s
ORDER BY judged_at
LIMIT %(limit)s;

-- unpark: what another version parked, or what waited for a series that is known by now
UPDATE sync_batch AS b SET state = 'received'
WHERE b.state = 'parked' AND (
    (b.judged_at < %(started_at)s AND b.judged_by IS DISTINCT FROM %(version)s)
    OR EXISTS (
        SELECT FROM edge_series AS m
        WHERE m.site_id = b.site_id AND m.edge_node_id = b.edge_node_id AND m.epoch = b.epoch
            AND m.series_ix = b.parked_series_ix
    )
)
RETURNING b.seq;

-- unpark_one: because somebody asked for it
UPDATE sync_batch AS b SET state = 'received'
FROM site AS t JOIN edge_node AS e USING (site_id)
WHERE t.name = %(site)s AND e.name = %(edge)s AND b.site_id = t.site_id
    AND b.edge_node_id = e.edge_node_id AND b.epoch = %(epoch)s AND b.lane = %(lane)s
    AND b.seq = %(seq)s AND b.state = 'parked'
RETURNING b.seq;

-- forget_released: the record is for people looking back some months, not for ever
DELETE FROM sync_quarantine
WHERE state = 'released' AND released_at < now() - %(keep_days)s * interval '1 day';
