-- What a reader of one row asks for who decides on it.

-- name: behind
-- What happened to a session from an event on, for who has its row behind that event; no rows if the
-- version may have another one.
SELECT c.position, {event}
FROM {schema}.view_checkpoints AS c
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.events AS p
    WHERE p.bucket = c.bucket AND p.tenant = %s AND p.session_id = %s AND p.sequence >= %s
    ORDER BY p.sequence LIMIT %s
) AS e
WHERE c.bucket = %s::integer AND c.projection = %s AND c.version = %s
    AND c.active AND c.fold_digest = %s
    AND NOT EXISTS (
        SELECT FROM {schema}.view_skips AS s
        WHERE s.bucket = c.bucket AND s.projection = c.projection AND s.version = c.version
            AND s.position > %s
    )

-- name: ahead
-- How far a version has come, where the log of its bucket and a session end, whether something is
-- left out that lies ahead, and a row under its whole key; then, with that as NULL, the session's
-- events of the next few positions. Those are looked for by ORDER BY and LIMIT, or before the first
-- ANALYZE the planner takes any index that begins with the bucket and reads all of it. The bucket is
-- said again wherever it is not joined: what Citus does not find to be of one server is of several
-- moments.
SELECT c.active, c.position, b.position,
    EXISTS (
        SELECT FROM {schema}.view_skips AS s
        WHERE s.bucket = %s::integer AND s.projection = c.projection AND s.version = c.version
            AND s.position > c.position
    ),
    coalesce((
        SELECT h.sequence FROM {schema}.events AS h
        WHERE h.bucket = %s::integer AND h.tenant = %s AND h.session_id = %s
        ORDER BY h.sequence DESC LIMIT 1
    ), 0),
    {columns}, {no_event}
FROM {schema}.view_checkpoints AS c
JOIN {schema}.buckets AS b ON b.bucket = c.bucket
LEFT JOIN {table} AS v ON v.bucket = c.bucket AND {matches}
WHERE c.bucket = %s::integer AND c.projection = %s AND c.version = %s
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, {no_columns}, {event}
FROM {schema}.view_checkpoints AS c
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.events AS p
    WHERE p.bucket = %s::integer AND p.position > c.position
    ORDER BY p.position LIMIT %s
) AS e
WHERE c.bucket = %s::integer AND c.projection = %s AND c.version = %s
    AND e.tenant = %s AND e.session_id = %s
