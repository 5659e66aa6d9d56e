-- Statements on view tables, whose names and columns come from a struct: {table}, {columns} and
-- the like are filled in by statements.py with quoted identifiers, values are always parameters.

-- name: create_table
-- One column per field. STRICT, so that what was written is what is read.
CREATE TABLE IF NOT EXISTS main.{table} (
    bucket INTEGER NOT NULL,
    {definitions},
    PRIMARY KEY (bucket, {key})
) STRICT

-- name: create_index
-- Without bucket in front: lists go over all buckets, and only unique keys need it.
CREATE INDEX IF NOT EXISTS main.{index} ON {table} ({columns})

-- name: layout
-- What a table that was there before looks like.
SELECT name, type, "notnull" FROM pragma_table_xinfo(?1) WHERE name <> 'bucket'

-- name: load
-- All rows of a page in one statement; CROSS JOIN keeps SQLite from scanning the table first.
SELECT {columns} FROM json_each(?2) AS wanted
CROSS JOIN main.{table} AS v ON v.bucket = ?1 AND {matches}

-- name: upsert
-- Run once for all rows of a page.
INSERT INTO main.{table} (bucket, {columns}) VALUES ({parameters})
ON CONFLICT (bucket, {key}) DO UPDATE SET {assignments}

-- name: delete
-- Rows that a fold took away.
DELETE FROM main.{table} WHERE bucket = ? AND {conditions}

-- name: clear
-- Rows of a session that was deleted.
DELETE FROM main.{table} WHERE bucket = ? AND tenant = ? AND session_id = ?

-- name: select
-- A reader's rows.
SELECT {columns} FROM main.{table} AS v WHERE {conditions}

-- name: order
-- The end of an ordered select.
ORDER BY {order}

-- name: create_checkpoints
-- How far each version of each projection has come in each bucket.
CREATE TABLE IF NOT EXISTS main.view_checkpoints (
    bucket INTEGER NOT NULL,
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (bucket, projection, version)
) STRICT, WITHOUT ROWID

-- name: create_checkpoint
-- There from the start, so that moving one is a plain comparison.
INSERT INTO main.view_checkpoints (bucket, projection, version, position)
SELECT bucket, ?1, ?2, 0 FROM main.buckets WHERE true
ON CONFLICT (bucket, projection, version) DO NOTHING

-- name: forget_checkpoints
-- The rows that they speak of are gone.
DELETE FROM main.view_checkpoints WHERE projection = ?1 AND version = ?2

-- name: has_checkpoints
-- Whether the table of checkpoints exists.
SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'view_checkpoints')

-- name: count_checkpoints
-- Whether a projection has its checkpoints: as many as there are buckets.
SELECT count(*) FROM main.view_checkpoints WHERE projection = ?1 AND version = ?2

-- name: checkpoints
-- How far every projection has come in a bucket.
SELECT projection, version, position FROM main.view_checkpoints WHERE bucket = ?1

-- name: positions
-- How far a projection has come in every bucket.
SELECT position FROM main.view_checkpoints WHERE projection = ?1 AND version = ?2 ORDER BY bucket

-- name: move_checkpoint
-- Changes no row if another projector was faster.
UPDATE main.view_checkpoints SET position = ?5
WHERE bucket = ?1 AND projection = ?2 AND version = ?3 AND position = ?4
