-- add_revision: each change of an alert, for ever; the same again after a crash of the edge is the same
INSERT INTO alert_revision (site_id, alert_id, revision, state, value, changed_at, detected_at,
    context)
VALUES (%(site_id)s, %(alert_id)s, %(revision)s, %(state)s, %(value)s, %(changed_at)s,
    %(detected_at)s, %(context)s)
ON CONFLICT DO NOTHING;

-- raise_alert: its newest revision, in whatever order they come
INSERT INTO alert AS a (site_id, alert_id, edge_node_id, revision, state, severity, type, message,
    kind, asset_id, metric, unit, value, threshold, raised_at, changed_at, detected_at)
VALUES (%(site_id)s, %(alert_id)s, %(edge_node_id)s, %(revision)s, %(state)s, %(severity)s,
    %(type)s, %(message)s, %(kind)s, %(asset_id)s, %(metric)s, %(unit)s, %(value)s,
    %(threshold)s, %(raised_at)s, %(changed_at)s, %(detected_at)s)
ON CONFLICT (site_id, alert_id) DO UPDATE
SET revision = excluded.revision, state = excluded.state, severity = excluded.severity,
    message = excluded.message, value = excluded.value, changed_at = excluded.changed_at,
    detected_at = excluded.detected_at
WHERE excluded.revision > a.revision;

-- add_log_gap: what an edge's log can no longer give
INSERT INTO log_gap (site_id, edge_node_id, epoch, lane, first_seq, last_seq, samples, started_at,
    ended_at, reason, declared_at, is_thinned)
VALUES (%(site_id)s, %(edge_node_id)s, %(epoch)s, %(lane)s, %(first_seq)s, %(last_seq)s,
    %(samples)s, %(started_at)s, %(ended_at)s, %(reason)s, %(declared_at)s, %(is_thinned)s)
ON CONFLICT DO NOTHING;

-- add_message_gap: what never reached an edge's log; the same declaration twice is one
INSERT INTO message_gap (site_id, edge_node_id, gap_id, topic, missing, started_at, ended_at,
    reason, declared_at)
VALUES (%(site_id)s, %(edge_node_id)s, %(gap_id)s, %(topic)s, %(missing)s, %(started_at)s,
    %(ended_at)s, %(reason)s, %(declared_at)s)
ON CONFLICT DO NOTHING;

-- alerts: newest first, after one if it is given; what led to an alert came with its first revision
SELECT a.alert_id, a.revision, a.state, a.severity, a.type, a.message, a.kind, a.asset_id,
    a.metric, a.unit, a.value, a.threshold, a.raised_at, a.changed_at, a.detected_at, first.context
FROM site AS t
JOIN alert AS a USING (site_id)
LEFT JOIN LATERAL (
    SELECT r.context FROM alert_revision AS r
    WHERE r.site_id = a.site_id AND r.alert_id = a.alert_id
    ORDER BY r.revision LIMIT 1
) AS first ON true
WHERE t.name = %(site)s AND a.kind = ANY(%(kinds)s::text[])
    AND (%(state)s::text IS NULL OR a.state = %(state)s)
    AND (%(severity)s::text IS NULL OR a.severity = %(severity)s)
    AND (%(alert_id)s::text IS NULL OR a.alert_id = %(alert_id)s)
    AND (%(after_raised)s::timestamptz IS NULL OR a.raised_at < %(after_raised)s
        OR (a.raised_at = %(after_raised)s AND a.alert_id > %(after_id)s))
ORDER BY a.raised_at DESC, a.alert_id
LIMIT %(limit)s;

-- gaps: of both kinds, the one declared last first, after one if it is given
SELECT g.declared_at, g.gap_id, e.name, g.reason, g.lane, g.first_seq, g.last_seq, g.samples,
    g.is_thinned, g.topic, g.missing, g.started_at, g.ended_at
FROM site AS t
JOIN LATERAL (
    SELECT l.edge_node_id, l.declared_at, concat_ws('-', l.edge_node_id, l.epoch, l.lane,
            l.first_seq, l.last_seq) AS gap_id, l.reason, l.lane, l.first_seq, l.last_seq,
        l.samples, l.is_thinned, NULL AS topic, NULL::bigint AS missing, l.started_at, l.ended_at
    FROM log_gap AS l WHERE l.site_id = t.site_id
    UNION ALL
    SELECT m.edge_node_id, m.declared_at, m.gap_id, m.reason, NULL, NULL, NULL, NULL, false,
        m.topic, m.missing, m.started_at, m.ended_at
    FROM message_gap AS m WHERE m.site_id = t.site_id
) AS g ON true
JOIN edge_node AS e ON e.site_id = t.site_id AND e.edge_node_id = g.edge_node_id
WHERE t.name = %(site)s
    AND (%(after_declared)s::timestamptz IS NULL OR g.declared_at < %(after_declared)s
        OR (g.declared_at = %(after_declared)s AND g.gap_id COLLATE "C" > %(after_id)s))
ORDER BY g.declared_at DESC, g.gap_id COLLATE "C"
LIMIT %(limit)s;
