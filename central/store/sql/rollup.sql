-- mark: hours that got samples, in their transaction. A row that is there already is locked, not
-- changed, so that who rolls up skips it until these samples are committed
INSERT INTO rollup_dirty AS d (site_id, series_id, hour)
SELECT site_id, series_id, hour
FROM unnest(%(site_ids)s::int[], %(series_ids)s::int[], %(hours)s::timestamptz[])
    AS new (site_id, series_id, hour)
ORDER BY site_id, series_id, hour
ON CONFLICT (site_id, series_id, hour) DO UPDATE SET failed = false WHERE d.failed;

-- claim: hours that are over, or late data has settled in, the newest first: they are looked at most
SELECT site_id, series_id, hour
FROM rollup_dirty
WHERE hour <= %(closed_hour)s AND NOT failed
    AND marked_at <= clock_timestamp() - %(settle_s)s * interval '1 second'
ORDER BY hour DESC
LIMIT %(hours_max)s
FOR UPDATE SKIP LOCKED;

-- empty: what an hour was before; it is made anew
DELETE FROM {rollup} AS r
USING unnest(%(site_ids)s::int[], %(series_ids)s::int[], %(hours)s::timestamptz[])
    AS c (site_id, series_id, hour)
WHERE r.site_id = c.site_id AND r.series_id = c.series_id
    AND r.ts >= c.hour AND r.ts < c.hour + interval '1 hour';

-- roll_minutes: asked after the claim, by a statement of its own, because only then does its
-- snapshot hold what was committed with the marks; the outer bounds leave partitions out
INSERT INTO rollup_minute (site_id, series_id, ts, n, last_ts, lo, hi, total, lo_i, hi_i, total_i)
SELECT c.site_id, c.series_id, date_bin('1 minute', s.ts, 'epoch'::timestamptz) AS step,
    count(*), max(s.ts), min(s.v), max(s.v), sum(s.v), min(s.i), max(s.i), sum(s.i)
FROM unnest(%(site_ids)s::int[], %(series_ids)s::int[], %(hours)s::timestamptz[])
    AS c (site_id, series_id, hour)
JOIN sample AS s ON s.series_id = c.series_id
    AND s.ts >= c.hour AND s.ts < c.hour + interval '1 hour'
WHERE s.ts >= %(first)s AND s.ts < %(end)s
GROUP BY c.site_id, c.series_id, step;

-- roll_hours: from the minutes
INSERT INTO rollup_hour (site_id, series_id, ts, n, last_ts, lo, hi, total, lo_i, hi_i, total_i)
SELECT c.site_id, c.series_id, c.hour, sum(m.n), max(m.last_ts), min(m.lo), max(m.hi),
    sum(m.total), min(m.lo_i), max(m.hi_i), sum(m.total_i)
FROM unnest(%(site_ids)s::int[], %(series_ids)s::int[], %(hours)s::timestamptz[])
    AS c (site_id, series_id, hour)
JOIN rollup_minute AS m ON m.site_id = c.site_id AND m.series_id = c.series_id
    AND m.ts >= c.hour AND m.ts < c.hour + interval '1 hour'
GROUP BY c.site_id, c.series_id, c.hour
RETURNING n;

-- clean: what was claimed is up to date when this commits
DELETE FROM rollup_dirty AS d
USING unnest(%(site_ids)s::int[], %(series_ids)s::int[], %(hours)s::timestamptz[])
    AS c (site_id, series_id, hour)
WHERE d.site_id = c.site_id AND d.series_id = c.series_id AND d.hour = c.hour;

-- fail: an hour whose sum no float64 holds; its samples are read instead until it changes
UPDATE rollup_dirty AS d SET failed = true
FROM unnest(%(site_ids)s::int[], %(series_ids)s::int[], %(hours)s::timestamptz[])
    AS c (site_id, series_id, hour)
WHERE d.site_id = c.site_id AND d.series_id = c.series_id AND d.hour = c.hour;

-- is_ready: whether all samples of before have been marked
SELECT ready_at IS NOT NULL FROM rollup_state;

-- others_without_marks: workers of an older version that still unpack
SELECT count(*) FROM worker
WHERE NOT marks_rollups AND stopped_at IS NULL
    AND seen_at > clock_timestamp() - %(gone_after_s)s * interval '1 second';

-- mark_partition: every hour of every series that has a sample there; a look into the index each
INSERT INTO rollup_dirty (site_id, series_id, hour)
SELECT s.site_id, s.series_id, h.hour
FROM series AS s
CROSS JOIN generate_series({first}::timestamptz, {end}::timestamptz - interval '1 hour',
    interval '1 hour') AS h (hour)
WHERE EXISTS (
    SELECT FROM {partition} AS p
    WHERE p.series_id = s.series_id AND p.ts >= h.hour AND p.ts < h.hour + interval '1 hour'
)
ON CONFLICT DO NOTHING;

-- mark_default: the same of what has no partition; it is small
INSERT INTO rollup_dirty (site_id, series_id, hour)
SELECT DISTINCT site_id, series_id, date_bin('1 hour', ts, 'epoch'::timestamptz)
FROM sample_default
WHERE ts >= %(first)s AND ts < %(end)s
ON CONFLICT DO NOTHING;

-- ready: from here on rollups are read
UPDATE rollup_state SET ready_at = coalesce(ready_at, now());

-- one_moment: all that follows sees the same moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- dirty: the hours of these series that are out of date; none where rollups may not be read yet
SELECT DISTINCT d.hour
FROM rollup_dirty AS d JOIN site AS t USING (site_id)
WHERE t.name = %(site)s AND d.series_id = ANY(%(series_ids)s::int[])
    AND d.hour > greatest(%(start)s, 'epoch'::timestamptz) - interval '1 hour'
    AND d.hour < %(end)s
ORDER BY d.hour;

-- part_rolled: of a chart, what is up to date
SELECT ts, n::bigint AS n, last_ts, {lo} AS lo, {hi} AS hi, {total} AS total
FROM {rollup}
WHERE site_id = (SELECT site_id FROM site WHERE name = %(site)s)
    AND series_id = ANY(%(series_ids)s::int[]) AND ts >= {first} AND ts < {end}

-- part_sampled: of a chart, what is not, and the ends of the range
SELECT ts, 1::bigint AS n, ts AS last_ts, {value} AS lo, {value} AS hi, {total} AS total
FROM sample
WHERE series_id = ANY(%(series_ids)s::int[]) AND ts >= {first} AND ts < {end}

-- steps: as those of samples alone, see reading.sql
SELECT date_bin(%(step_ms)s * interval '1 ms', ts, 'epoch'::timestamptz) AS step, {aggregate}
FROM ({parts}) AS part
GROUP BY step
ORDER BY step
LIMIT %(limit)s;

-- last_of_steps: the newest time of each step, then only those samples; of one time the greatest
SELECT DISTINCT ON (newest.step) newest.step, {value}
FROM (
    SELECT date_bin(%(step_ms)s * interval '1 ms', ts, 'epoch'::timestamptz) AS step,
        max(last_ts) AS ts
    FROM ({parts}) AS part
    GROUP BY step
    ORDER BY step
    LIMIT %(limit)s
) AS newest
JOIN sample USING (ts)
WHERE sample.series_id = ANY(%(series_ids)s::int[])
    AND sample.ts >= %(start)s AND sample.ts < %(end)s
ORDER BY newest.step, sample.series_id DESC, v DESC NULLS LAST, i DESC NULLS LAST,
    s DESC NULLS LAST;
