-- Rows of several views of a session at one moment: one statement has one snapshot, and is one round
-- trip where several in a transaction are as many messages.

-- name: together
-- How many of some versions are read and have nothing left to be folded into them, and the rows.
-- The versions stand one by one: to begin a join with an array takes as long as three of the rows.
SELECT (
    SELECT count(*) FROM {schema}.view_checkpoints AS c
    JOIN {schema}.buckets AS b ON b.bucket = c.bucket
    WHERE c.bucket = %s AND c.active AND c.position >= b.position
        AND (c.projection, c.version) IN ({versions})
), {rows}

-- name: rows
-- The rows of one view as a JSON array; NULL is none.
(SELECT json_agg(r)::text FROM ({select}) AS r)
