-- What a reader of one row asks for who decides on it.

-- name: ahead
-- How far a version has come, where the log of its bucket and a session end, whether something is
-- left out that lies ahead; of the next few positions the session's events; and a row under its
-- whole key, beside the first of them. OFFSET 0 keeps the planner from reading all of the session.
SELECT c.active, c.position, b.position,
    EXISTS (
        SELECT FROM {schema}.view_skips AS s
        WHERE s.bucket = c.bucket AND s.projection = c.projection AND s.version = c.version
            AND s.position > c.position
    ),
    coalesce((
        SELECT h.sequence FROM {schema}.events AS h
        WHERE h.bucket = %s AND h.tenant = %s AND h.session_id = %s
        ORDER BY h.sequence DESC LIMIT 1
    ), 0),
    {event}, {columns}
FROM {schema}.view_checkpoints AS c
JOIN {schema}.buckets AS b ON b.bucket = c.bucket
LEFT JOIN LATERAL (
    SELECT n.*, row_number() OVER (ORDER BY n.position) AS place FROM (
        SELECT * FROM {schema}.events AS p
        WHERE p.bucket = c.bucket AND p.position > c.position AND p.position <= c.position + %s
        OFFSET 0
    ) AS n WHERE n.tenant = %s AND n.session_id = %s
) AS e ON true
LEFT JOIN {table} AS v ON v.bucket = c.bucket AND {matches} AND coalesce(e.place, 1) = 1
WHERE c.bucket = %s AND c.projection = %s AND c.version = %s
ORDER BY e.place
