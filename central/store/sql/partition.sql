-- lock_creation: one creator at a time; the others find the partition made when their turn comes.
-- Each table has its own: an unpacker has the inbox locked while it waits for a day of samples
SELECT pg_advisory_xact_lock(hashtextextended('headframe.partition.' || %(table)s, 0));

-- hurry: waiting for a table lock stops everyone who comes after us; rather try again later.
-- Moving rows may take longer than other statements. The commit waits for the disk even where
-- others do not: a partition that is remembered as made must still be there after a crash
SELECT set_config('lock_timeout', '500ms', true),
    set_config('statement_timeout', %(move_timeout_ms)s::text, true),
    set_config('synchronous_commit', 'on', true);

-- attached: the day partitions of a table there are; names sort by day
SELECT c.relname::text FROM pg_inherits AS h
JOIN pg_class AS c ON c.oid = h.inhrelid
WHERE h.inhparent = %(table)s::regclass AND c.relname ~ '_d[0-9]{8}$'
ORDER BY 1;

-- create: outside the table at first; PARTITION OF would lock the whole table against readers;
-- vacuumed early, because only then can charts be read from the index alone
CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)
WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- close_default: nobody may put rows of this day there while they are moved
LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE;

-- take_from_default: rows that came while the day was outside the window move to their partition
WITH moved AS (
    DELETE FROM {default} WHERE {column} >= {first} AND {column} < {end} RETURNING *
)
INSERT INTO {partition} SELECT * FROM moved;

-- attach: readers and writers of other days go on meanwhile
ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({first}) TO ({end});

-- has_pending: a day with batches not yet unpacked, or parked, is kept, however old
SELECT EXISTS (SELECT FROM {partition} WHERE state IN ('received', 'parked'));

-- keep_hashes: what batches were outlives them, 16 bytes each; in runs of neighbours, so that one
-- is found by its number alone
INSERT INTO sync_hash (site_id, edge_node_id, epoch, lane, first_seq, hashes)
SELECT site_id, edge_node_id, epoch, lane, min(seq),
    string_agg(substring(sha256 FROM 1 FOR 16), ''::bytea ORDER BY seq)
FROM (
    SELECT site_id, edge_node_id, epoch, lane, seq, sha256, seq / 256 AS block,
        seq - row_number() OVER (
            PARTITION BY site_id, edge_node_id, epoch, lane ORDER BY seq
        ) AS run
    FROM {partition} WHERE received_at < {before}
) AS batch
GROUP BY site_id, edge_node_id, epoch, lane, block, run
ON CONFLICT DO NOTHING;

-- drop: frees the disk at once, unlike DELETE
DROP TABLE {partition};

-- empty_default: batches received while the clock stood outside every day partition
DELETE FROM sync_batch_default WHERE received_at < %(before)s AND state NOT IN ('received', 'parked');
