-- sites: every site that ever had an edge
SELECT name FROM site ORDER BY name;

-- latest: one value per name; of several entries under a name (another unit or type) the newest
SELECT DISTINCT ON (s.kind, s.asset_id, s.metric)
    s.kind, s.asset_id, s.metric, s.unit, s.value_type,
    l.ts, l.ranked_at, l.v, l.i, l.s, l.q
FROM site AS t
JOIN series AS s USING (site_id)
JOIN latest AS l USING (site_id, series_id)
WHERE t.name = %(site)s AND s.kind = ANY(%(kinds)s::text[])
    AND (%(asset_id)s::text IS NULL OR s.asset_id = %(asset_id)s)
ORDER BY s.kind, s.asset_id, s.metric, l.ranked_at DESC, l.ts DESC, s.series_id DESC;

-- latest_of: the values behind a notification
SELECT t.name, s.kind, s.asset_id, s.metric, s.unit, s.value_type,
    l.ts, l.ranked_at, l.v, l.i, l.s, l.q
FROM series AS s
JOIN site AS t USING (site_id)
JOIN latest AS l USING (site_id, series_id)
WHERE s.series_id = ANY(%(series_ids)s::int[]);

-- latest_page: all of them, in pieces, for a process that may have missed notifications
SELECT s.series_id
FROM series AS s JOIN latest AS l USING (site_id, series_id)
WHERE s.series_id > %(after_id)s
ORDER BY s.series_id
LIMIT %(limit)s;

-- series: a page of the catalogue, in code point order, after an entry if one is given
SELECT s.kind, s.asset_id, s.metric, s.unit, s.value_type, l.ts
FROM site AS t
JOIN series AS s USING (site_id)
LEFT JOIN latest AS l USING (site_id, series_id)
WHERE t.name = %(site)s AND s.kind = ANY(%(kinds)s::text[])
    AND s.value_type = ANY(%(value_types)s::smallint[])
    AND (%(asset_id)s::text IS NULL OR s.asset_id = %(asset_id)s)
    AND NOT EXISTS ( -- each word of the text is a part of the name
        SELECT FROM regexp_split_to_table(lower(%(text)s), '[[:space:]]+') AS word
        WHERE position(word IN lower(s.kind || '/' || s.asset_id || '/' || s.metric)) = 0)
    AND (%(after_kind)s::text IS NULL
        OR (s.kind, s.asset_id, s.metric, s.unit, s.value_type)
            > (%(after_kind)s, %(after_asset_id)s, %(after_metric)s, %(after_unit)s,
                %(after_value_type)s))
ORDER BY s.kind, s.asset_id, s.metric, s.unit, s.value_type
LIMIT %(limit)s;

-- entries: what stands under a name, the newest first
SELECT s.series_id, s.unit, s.value_type
FROM site AS t
JOIN series AS s USING (site_id)
LEFT JOIN latest AS l USING (site_id, series_id)
WHERE t.name = %(site)s AND s.kind = %(kind)s AND s.asset_id = %(asset_id)s
    AND s.metric = %(metric)s AND (%(unit)s::text IS NULL OR s.unit = %(unit)s)
    AND s.value_type = ANY(%(value_types)s::smallint[])
ORDER BY l.ranked_at DESC NULLS LAST, s.series_id DESC;

-- raw: one more than fits, to know whether there is more
SELECT ts, {value} FROM sample
WHERE series_id = ANY(%(series_ids)s::int[]) AND ts >= %(start)s AND ts < %(end)s
ORDER BY ts
LIMIT %(limit)s;

-- steps: steps begin at whole multiples since the epoch, so that panning never moves them
SELECT date_bin(%(step_ms)s * interval '1 ms', ts, 'epoch'::timestamptz) AS step, {aggregate}
FROM sample
WHERE series_id = ANY(%(series_ids)s::int[]) AND ts >= %(start)s AND ts < %(end)s
GROUP BY step
ORDER BY step
LIMIT %(limit)s;

-- last_of_steps: finds the newest time of each step, then looks up only those samples; of one time
-- the greatest
SELECT DISTINCT ON (newest.step) newest.step, {value}
FROM (
    SELECT date_bin(%(step_ms)s * interval '1 ms', ts, 'epoch'::timestamptz) AS step,
        max(ts) AS ts
    FROM sample
    WHERE series_id = ANY(%(series_ids)s::int[]) AND ts >= %(start)s AND ts < %(end)s
    GROUP BY step
    ORDER BY step
    LIMIT %(limit)s
) AS newest
JOIN sample USING (ts)
WHERE sample.series_id = ANY(%(series_ids)s::int[])
    AND sample.ts >= %(start)s AND sample.ts < %(end)s
ORDER BY newest.step, sample.series_id DESC, v DESC NULLS LAST, i DESC NULLS LAST,
    s DESC NULLS LAST;
