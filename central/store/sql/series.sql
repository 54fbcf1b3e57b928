-- add: the site's catalogue; existing entries are left out first, as each conflict costs an id
INSERT INTO series (site_id, kind, asset_id, metric, unit, value_type)
SELECT %(site_key)s, e.kind, e.asset_id, e.metric, e.unit, e.value_type
FROM (
    SELECT DISTINCT kind, asset_id, metric, unit, value_type
    FROM unnest(%(kinds)s::text[], %(asset_ids)s::text[], %(metrics)s::text[], %(units)s::text[],
        %(value_types)s::smallint[]) AS e (kind, asset_id, metric, unit, value_type)
) AS e
WHERE NOT EXISTS (
    SELECT FROM series AS s
    WHERE s.site_id = %(site_key)s AND s.kind = e.kind AND s.asset_id = e.asset_id
        AND s.metric = e.metric AND s.unit = e.unit AND s.value_type = e.value_type
)
ORDER BY e.kind, e.asset_id, e.metric, e.unit, e.value_type
ON CONFLICT DO NOTHING;

-- map: what the edge's numbers mean; a number keeps its first meaning
INSERT INTO edge_series (site_id, edge_node_id, epoch, series_ix, series_id)
SELECT %(site_key)s, %(edge_key)s, %(epoch)s, e.ix, s.series_id
FROM unnest(%(ixs)s::bigint[], %(kinds)s::text[], %(asset_ids)s::text[], %(metrics)s::text[],
    %(units)s::text[], %(value_types)s::smallint[]
) AS e (ix, kind, asset_id, metric, unit, value_type)
JOIN series AS s ON s.site_id = %(site_key)s AND s.kind = e.kind AND s.asset_id = e.asset_id
    AND s.metric = e.metric AND s.unit = e.unit AND s.value_type = e.value_type
ORDER BY e.ix
ON CONFLICT DO NOTHING;

-- contradictions: numbers that came with another meaning than the one they have
SELECT e.ix FROM unnest(%(ixs)s::bigint[], %(kinds)s::text[], %(asset_ids)s::text[],
    %(metrics)s::text[], %(units)s::text[], %(value_types)s::smallint[]
) AS e (ix, kind, asset_id, metric, unit, value_type)
JOIN edge_series AS m ON m.site_id = %(site_key)s AND m.edge_node_id = %(edge_key)s
    AND m.epoch = %(epoch)s AND m.series_ix = e.ix
JOIN series AS s ON s.site_id = m.site_id AND s.series_id = m.series_id
WHERE (s.kind, s.asset_id, s.metric, s.unit, s.value_type)
    <> (e.kind, e.asset_id, e.metric, e.unit, e.value_type)
LIMIT 1;

-- meanings: the mapping of one edge from a number on, for the unpacker's memory
SELECT m.series_ix, m.series_id, s.value_type
FROM edge_series AS m JOIN series AS s USING (site_id, series_id)
WHERE m.site_id = %(site_key)s AND m.edge_node_id = %(edge_key)s AND m.epoch = %(epoch)s
    AND m.series_ix > %(after_ix)s
ORDER BY m.series_ix;
