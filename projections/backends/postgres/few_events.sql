-- What a read asks for that has a few events to fold first: three statements, each of one moment.

-- name: backlog
-- Where a bucket's log ends, its checkpoints and skips, and the events that come next, with that in
-- front of each; and behind the first one a row.
WITH places AS MATERIALIZED (
    SELECT projection, version, position, active, built FROM {schema}.view_checkpoints
    WHERE bucket = %s::integer
), ends AS MATERIALIZED (
    SELECT b.position AS head, (
        SELECT json_agg(json_build_array(projection, version, position, active, built))::text
        FROM (
            SELECT * FROM places
            UNION ALL
            SELECT projection, version, position, NULL, NULL FROM {schema}.view_skips
            WHERE bucket = %s::integer
        ) AS p
    ) AS places, (
        SELECT coalesce(min(p.position) FILTER (WHERE p.active OR p.built), min(p.position))
        FROM places AS p
        JOIN json_to_recordset(%s) AS w (projection text, version integer)
            ON w.projection = p.projection AND w.version = p.version
    ) AS start
    FROM {schema}.buckets AS b WHERE b.bucket = %s::integer
)
SELECT ends.head, ends.places, {event} {found}
FROM ends
LEFT JOIN LATERAL (
    SELECT * FROM {schema}.events AS e
    WHERE e.bucket = %s::integer AND e.position > ends.start AND e.position <= ends.head
    ORDER BY e.position LIMIT %s
) AS e ON true
{row}

-- name: load
-- One row of each of some tables, or NULLs, side by side.
SELECT * FROM (SELECT 1) AS one
{rows}

-- name: row
-- One of them, found by its whole key; OFFSET 0 leaves nothing to be planned about the rest.
LEFT JOIN LATERAL (SELECT {columns} FROM {table} AS v WHERE {conditions} OFFSET 0) AS {name}
    ON {beside}

-- name: anything
-- Beside whatever there is.
true

-- name: first_event
-- Not again with each event: rows may be large.
coalesce(e.position, ends.start + 1) = ends.start + 1

-- name: found
-- Behind other columns, those of a row that was asked for.
, found.*

-- name: store
-- Checkpoints and the rows of some tables, whole or not at all: everything waits for all of the
-- checkpoints to be held. Nobody's lock is waited for, that is left to the long way. It is a
-- transaction of its own, and not flushed.
WITH held AS MATERIALIZED (
    SELECT c.projection, c.version, w.after
    FROM json_to_recordset(%s) AS w (projection text, version integer, before bigint, after bigint)
    JOIN {schema}.view_checkpoints AS c ON c.projection = w.projection AND c.version = w.version
    WHERE c.bucket = %s::integer AND c.position = w.before
    FOR UPDATE OF c SKIP LOCKED
), moved AS (
    UPDATE {schema}.view_checkpoints AS c SET position = held.after FROM held
    WHERE c.bucket = %s::integer AND c.projection = held.projection AND c.version = held.version
        AND (SELECT count(*) FROM held) = %s
    RETURNING 1
){upserts}
SELECT (SELECT count(*) FROM moved), set_config('synchronous_commit', 'off', true) {found}
FROM (SELECT 1) AS one
{row}

-- name: store_rows
-- A part of it.
, {name} AS ({upsert})

-- name: if_moved
-- A condition of it.
WHERE EXISTS (SELECT FROM moved)

-- name: returning
-- The end of what writes the row that is asked for.
RETURNING {columns}

-- name: stored_row
-- That row.
LEFT JOIN {rows} AS found ON {conditions}
