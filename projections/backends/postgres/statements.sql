-- Statements on view tables, whose names and columns come from a struct: {table}, {columns} and
-- the like are filled in by statements.py as identifiers, values are always parameters.

-- name: create_table
-- One column per field.
CREATE TABLE {table} (
    bucket integer NOT NULL,
    {definitions}
)

-- name: create_index
-- Lists over all sessions go over all buckets: theirs have no bucket in front.
CREATE INDEX {index} ON {table} ({columns}) {rows}

-- name: rows_present
-- The end of an index of the rows in which a field is not NULL.
WHERE {field} IS NOT NULL

-- name: rows_positive
-- The end of an index of the rows in which a number is above 0.
WHERE {field} > 0

-- name: create_search
-- The words come ready-made, see search_words.py; rows without any are not in the index.
CREATE INDEX {index} ON {table} USING gin (search_words) WHERE search_words IS NOT NULL

-- name: create_key
-- Led by bucket, as in the log, so that both can be distributed by it. Created last: of indexes
-- that look equally cheap, and before the first ANALYZE most do, the planner takes the youngest.
ALTER TABLE {table} ADD PRIMARY KEY (bucket, {key})

-- name: layouts
-- What the tables that were there before look like, and at which place of its key a column is.
-- Types without the quotes in which they are where somebody set quote_all_identifiers.
SELECT c.relname::text, a.attname::text, replace(format_type(a.atttypid, a.atttypmod), '"', ''),
    a.attnotnull,
    array_position(k.conkey, a.attnum)
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE n.nspname = %s AND c.relname = ANY (%s) AND c.relkind IN ('r', 'p')
    AND a.attnum > 0 AND NOT a.attisdropped

-- name: load
-- All rows of a page in one statement. OFFSET 0 keeps the planner from joining otherwise than key
-- by key: on a table that was never analysed it read the whole bucket for every page.
SELECT {columns} FROM unnest({parameters}) AS wanted ({key})
CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE t.bucket = %s::integer AND {matches} OFFSET 0) AS v

-- name: upsert
-- All rows of a page in one statement and one parameter; the table itself says their types.
INSERT INTO {table} AS v (bucket, {columns})
SELECT %s::integer, {columns} FROM json_populate_recordset(NULL::{table}, %s) {condition}
ON CONFLICT (bucket, {key}) DO UPDATE SET {assignments}
{returning}

-- name: delete
-- A row that a fold took away.
DELETE FROM {table} WHERE bucket = %s::integer AND {conditions}

-- name: clear
-- The rows of a session that was deleted.
DELETE FROM {table} WHERE bucket = %s::integer AND tenant = %s AND session_id = %s

-- name: select
-- A reader's rows.
SELECT {columns} FROM {table} AS v WHERE {conditions}

-- name: select_found
-- Rows that have words. OFFSET 0 keeps the planner from looking for them along the order instead:
-- it takes rare words for less rare than they are, and went through a whole tenant for ten rows.
SELECT {columns} FROM (SELECT * FROM {table} AS v WHERE {conditions} OFFSET 0) AS v

-- name: select_among
-- Rows that have words, of the first of an order.
SELECT {columns} FROM (
    SELECT * FROM {table} AS v WHERE {conditions} ORDER BY {order} LIMIT %s
) AS v WHERE {found}

-- name: select_part
-- The first rows that have one of several values.
(SELECT * FROM {table} AS v WHERE {conditions} ORDER BY {order} LIMIT %s)

-- name: select_merged
-- The first rows of all of them, at one moment; those that have words, if that is asked.
SELECT {columns} FROM (
    SELECT * FROM ({parts}) AS v ORDER BY {order} LIMIT %s
) AS v WHERE {condition}

-- name: is_current
-- A column in front of a reader's, of the same snapshot: nothing is left to be folded before them.
(
    SELECT c.active AND c.position >= b.position
    FROM {schema}.view_checkpoints AS c JOIN {schema}.buckets AS b ON b.bucket = c.bucket
    WHERE c.bucket = %s::integer AND c.projection = %s AND c.version = %s
)

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
    active boolean NOT NULL,
    built boolean NOT NULL,
    fold_digest text COLLATE "C" NOT NULL,
    PRIMARY KEY (bucket, projection, version)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)

-- name: create_checkpoint
-- There from the start, so that moving one is a plain comparison. Where no version is active yet,
-- this one is, and the readers fold it.
INSERT INTO {schema}.view_checkpoints (
    bucket, projection, version, position, active, built, fold_digest
)
SELECT b.bucket, %s, %s, 0, f.first, f.first, %s
FROM {schema}.buckets AS b
CROSS JOIN (
    SELECT NOT EXISTS (
        SELECT 1 FROM {schema}.view_checkpoints WHERE projection = %s AND active
    ) AS first
) AS f
ON CONFLICT (bucket, projection, version) DO NOTHING

-- name: forget_checkpoints
-- The rows that they speak of are gone.
DELETE FROM {schema}.view_checkpoints WHERE projection = %s AND version = %s

-- name: count_checkpoints
-- Whether the projections have their checkpoints: as many as there are buckets; and whose names
-- are taken, by a view or by a handler.
SELECT projection, version, count(*), min(fold_digest) FROM {schema}.view_checkpoints
GROUP BY projection, version

-- name: checkpoints
-- How far every projection has come in a bucket; without flags, what it leaves out there.
SELECT projection, version, position, active, built FROM {schema}.view_checkpoints
WHERE bucket = %s::integer
UNION ALL
SELECT projection, version, position, NULL, NULL FROM {schema}.view_skips WHERE bucket = %s::integer

-- name: head
-- Where the log of a bucket ends.
SELECT position FROM {schema}.buckets WHERE bucket = %s::integer

-- name: standings
-- How far the versions of projections have come in every bucket.
SELECT projection, version, bool_and(active), bool_and(built), min(fold_digest),
    array_agg(position ORDER BY bucket)
FROM {schema}.view_checkpoints WHERE projection = ANY (%s)
GROUP BY projection, version ORDER BY projection, version

-- name: lock_versions
-- In the order in which projectors lock them, so that nobody waits in a circle.
SELECT 1 FROM {schema}.view_checkpoints WHERE projection = %s
ORDER BY bucket, projection, version FOR UPDATE

-- name: lock_versions_in_bucket
-- The same in one bucket: for a server that has it, rows of several have no order.
SELECT 1 FROM {schema}.view_checkpoints WHERE bucket = %s::integer AND projection = %s
ORDER BY bucket, projection, version FOR UPDATE

-- name: patience
-- How long a lock is waited for on other servers, which do not know this connection's settings.
SET LOCAL lock_timeout TO {timeout}

-- name: distribute
-- A table goes where its buckets' logs are, unless it is there.
SELECT create_distributed_table({table}, 'bucket', colocate_with => {log})
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid = {table}::regclass
)

-- name: mark_built
-- Once a version has been at the log's end.
UPDATE {schema}.view_checkpoints SET built = true WHERE projection = %s AND version = %s

-- name: accept
-- Somebody knows that the fold, changed as it is, would make the same rows.
UPDATE {schema}.view_checkpoints SET fold_digest = %s WHERE projection = %s AND version = %s

-- name: switch
-- All versions in one statement, so that one of them is active at every moment.
UPDATE {schema}.view_checkpoints SET active = (version = %s)
WHERE projection = %s AND EXISTS (
    SELECT 1 FROM {schema}.view_checkpoints WHERE projection = %s AND version = %s AND built
)

-- name: is_active
-- Readers need the active version: it is not dropped.
SELECT EXISTS (
    SELECT 1 FROM {schema}.view_checkpoints WHERE projection = %s AND version = %s AND active
)

-- name: drop_table
-- With its indexes.
DROP TABLE IF EXISTS {table}

-- name: move_checkpoint
-- Changes no row if another projector was faster; waits for one that is about to be.
UPDATE {schema}.view_checkpoints SET position = %s
WHERE bucket = %s::integer AND projection = %s AND version = %s AND position = %s

-- name: move_checkpoints
-- The same for many; they are locked in one order, so that two of these never wait for each other.
WITH wanted AS (
    SELECT projection, version, before, after
    FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::bigint[])
        AS w (projection, version, before, after)
), held AS MATERIALIZED (
    SELECT c.projection, c.version, w.before, w.after
    FROM {schema}.view_checkpoints AS c
    JOIN wanted AS w ON w.projection = c.projection AND w.version = c.version
    WHERE c.bucket = %s::integer
    ORDER BY c.projection, c.version
    FOR UPDATE OF c
)
UPDATE {schema}.view_checkpoints AS c SET position = held.after FROM held
WHERE c.bucket = %s::integer AND c.projection = held.projection AND c.version = held.version
    AND c.position = held.before
