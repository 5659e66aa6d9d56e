-- Statements on view tables, whose names and columns come from a struct: {table}, {columns} and
-- the like are filled in by statements.py as identifiers, values are always parameters.

-- name: create_table
-- One column per field.
CREATE TABLE {table} (
    bucket integer NOT NULL,
    {definitions}
)

-- name: create_index
-- Without bucket in front: lists go over all buckets, and only unique keys need it.
CREATE INDEX {index} ON {table} ({columns})

-- name: create_key
-- Led by bucket, as in the log, so that both can be distributed by it. Created last: of indexes
-- that look equally cheap, and before the first ANALYZE most do, the planner takes the youngest.
ALTER TABLE {table} ADD PRIMARY KEY (bucket, {key})

-- name: layouts
-- What the tables that were there before look like.
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = ANY (%s) AND c.relkind IN ('r', 'p')
    AND a.attnum > 0 AND NOT a.attisdropped

-- name: load
-- All rows of a page in one statement. OFFSET 0 keeps the planner from joining otherwise than key
-- by key: on a table that was never analysed it read the whole bucket for every page.
SELECT {columns} FROM unnest({parameters}) AS wanted ({key})
CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE t.bucket = %s AND {matches} OFFSET 0) AS v

-- name: upsert
-- All rows of a page in one statement and one parameter; the table itself says their types.
INSERT INTO {table} (bucket, {columns})
SELECT %s, {columns} FROM json_populate_recordset(NULL::{table}, %s)
ON CONFLICT (bucket, {key}) DO UPDATE SET {assignments}

-- name: delete
-- A row that a fold took away.
DELETE FROM {table} WHERE bucket = %s AND {conditions}

-- name: clear
-- The rows of a session that was deleted.
DELETE FROM {table} WHERE bucket = %s AND tenant = %s AND session_id = %s

-- name: select
-- A reader's rows.
SELECT {columns} FROM {table} AS v WHERE {conditions}

-- name: order
-- The end of an ordered select.
ORDER BY {order}

-- name: lock
-- One process makes tables; the others wait here and then find them made.
SELECT pg_advisory_xact_lock(hashtextextended(%s, 8243116508612571237))

-- name: create_checkpoints
-- How far each version of each projection has come in each bucket. Rows are updated all the time;
-- the room left on a page keeps those updates out of the key's index.
CREATE TABLE IF NOT EXISTS {schema}.view_checkpoints (
    bucket integer NOT NULL,
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (bucket, projection, version)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)

-- name: create_checkpoint
-- There from the start, so that moving one is a plain comparison.
INSERT INTO {schema}.view_checkpoints (bucket, projection, version, position)
SELECT bucket, %s, %s, 0 FROM {schema}.buckets
ON CONFLICT (bucket, projection, version) DO NOTHING

-- name: forget_checkpoints
-- The rows that they speak of are gone.
DELETE FROM {schema}.view_checkpoints WHERE projection = %s AND version = %s

-- name: count_checkpoints
-- Whether the projections have their checkpoints: as many as there are buckets.
SELECT projection, version, count(*) FROM {schema}.view_checkpoints GROUP BY projection, version

-- name: checkpoints
-- How far every projection has come in a bucket.
SELECT projection, version, position FROM {schema}.view_checkpoints WHERE bucket = %s

-- name: positions
-- How far a projection has come in every bucket.
SELECT position FROM {schema}.view_checkpoints
WHERE projection = %s AND version = %s ORDER BY bucket

-- name: move_checkpoint
-- Changes no row if another projector was faster; waits for one that is about to be.
UPDATE {schema}.view_checkpoints SET position = %s
WHERE bucket = %s AND projection = %s AND version = %s AND position = %s
