-- Statements on view tables for many sessions at once, filled in by many_sessions.py.

-- name: places
-- Where the logs of some buckets end, and how far the versions of some projections are there.
SELECT b.bucket, b.position, c.projection, c.version, c.position, c.active, c.built
FROM {schema}.buckets AS b
JOIN {schema}.view_checkpoints AS c ON c.bucket = b.bucket AND c.projection = ANY (%s::text[])
WHERE b.bucket = ANY (%s::integer[])

-- name: of_each
-- Rows of each session, its place in front. OFFSET 0 keeps the planner from joining otherwise than
-- session by session, each by its key.
SELECT wanted.place, v.*
FROM unnest(%s::integer[], %s::text[]) WITH ORDINALITY AS wanted (bucket, session_id, place)
CROSS JOIN LATERAL (
    SELECT {columns} FROM {table} AS v
    WHERE v.bucket = wanted.bucket AND v.session_id = wanted.session_id AND {conditions}
    {order} LIMIT %s OFFSET 0
) AS v
ORDER BY wanted.place

-- name: of_each_in_bucket
-- The same of sessions in one bucket, for a table that is spread over servers: a statement goes to
-- the one that has the bucket.
SELECT wanted.place, v.*
FROM unnest(%s::bigint[], %s::text[]) AS wanted (place, session_id)
CROSS JOIN LATERAL (
    SELECT {columns} FROM {table} AS v
    WHERE v.bucket = %s::integer AND v.session_id = wanted.session_id AND {conditions}
    {order} LIMIT %s OFFSET 0
) AS v
ORDER BY wanted.place

-- name: ordered
-- In the order in which they are shown.
ORDER BY {columns}
