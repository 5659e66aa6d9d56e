-- Rows of several views of a session at one moment: one statement has one snapshot, and is one round
-- trip where several in a transaction are as many messages.

-- name: together
-- How many of some versions are read and have nothing left to be folded into them, and the rows.
-- The versions stand one by one: to begin a join with an array takes as long as three of the rows.
SELECT (
    SELECT count(*) FROM {schema}.view_checkpoints AS c
    JOIN {schema}.buckets AS b ON b.bucket = c.bucket
    WHERE c.bucket = %(b)s::integer AND c.active AND c.position >= b.position
        AND (c.projection, c.version) IN ({versions})
), {rows}

-- name: rows
-- The rows of one view as a JSON array; NULL is none. Names are short here, because what is longer
-- than 4,096 bytes is taken apart anew by the driver whenever it is sent, and in capitals, because
-- no field is: a row is called by its column where one has its name.
(SELECT json_agg("R")::text FROM (SELECT {columns} {found} ORDER BY {order} {limit}) "R")

-- name: row
-- The only one of a view as a JSON object; without a sort and an aggregate, a third less.
(SELECT to_json("R")::text FROM (SELECT {columns} {found}) "R")

-- name: found
-- Where they are.
FROM {table} WHERE bucket = %(b)s::integer AND tenant = %(t)s AND session_id = %(s)s {parts}

-- name: part
-- A condition more.
AND {field} = {value}

-- name: present
-- The condition on what keeps no more than the anomalies of what is not there.
AND {field} IS NULL

-- name: limit
-- The end of it.
LIMIT {count}
