-- beat: also the registration; a row that upkeep removed, or a database restored, comes back
INSERT INTO worker (worker_id, host, process_id, applied_batches, applied_samples,
    quarantined_batches, marks_rollups)
VALUES (%(worker_id)s, %(host)s, %(process_id)s, %(batches)s, %(samples)s, %(quarantined)s, true)
ON CONFLICT (worker_id) DO UPDATE
SET seen_at = clock_timestamp(), applied_batches = excluded.applied_batches,
    applied_samples = excluded.applied_samples,
    quarantined_batches = excluded.quarantined_batches;

-- stop: told apart from a worker that died
UPDATE worker SET seen_at = clock_timestamp(), stopped_at = clock_timestamp()
WHERE worker_id = %(worker_id)s;

-- running: workers that said within the time that they live
SELECT count(*) FROM worker
WHERE stopped_at IS NULL AND seen_at > clock_timestamp() - %(stale_s)s * interval '1 second';

-- last_seen: of any worker, to say since when there is none
SELECT max(seen_at) FROM worker;

-- unpacked: workers need no port of their own to show that they get on
SELECT coalesce(sum(applied_samples), 0)::bigint FROM worker;

-- forget_old: rows of processes long gone
DELETE FROM worker WHERE seen_at < now() - %(keep_days)s * interval '1 day';
