-- Where views stand still, and what was let pass; see stops.py of the package above.

-- name: create_failures
-- The last event that a version could not fold in a bucket. It holds only while the checkpoint is
-- right before `position`, so that whoever passes it need not clean up.
CREATE TABLE IF NOT EXISTS main.view_failures (
    bucket INTEGER NOT NULL,
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    error TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (bucket, projection, version)
) STRICT, WITHOUT ROWID

-- name: create_skips
-- Events that a version leaves out, with who decided it and why. Rows are only ever added.
CREATE TABLE IF NOT EXISTS main.view_skips (
    bucket INTEGER NOT NULL,
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    error TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (bucket, projection, version, position)
) STRICT, WITHOUT ROWID

-- name: are_there
-- Whether both tables were made.
SELECT count(*) = 2 FROM main.sqlite_schema
WHERE type = 'table' AND name IN ('view_failures', 'view_skips')

-- name: note_failure
-- Whoever meets the same failure again leaves it as it is.
INSERT INTO main.view_failures (bucket, projection, version, position, event_id, error, at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (bucket, projection, version) DO UPDATE
SET position = ?4, event_id = ?5, error = ?6, at = ?7
WHERE (position, event_id, error) <> (?4, ?5, ?6)

-- name: add_skip
-- In the transaction that moves the checkpoint over it.
INSERT INTO main.view_skips (
    bucket, projection, version, position, event_id, reason, decided_by, error, at
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)

-- name: standings
-- How far all versions of all projections have come in every bucket.
SELECT projection, version, min(active), min(built), min(fold_digest),
    json_group_array(position ORDER BY bucket)
FROM main.view_checkpoints GROUP BY projection, version ORDER BY projection, version

-- name: failures
-- Those that hold.
SELECT f.projection, f.version, f.bucket, f.position, f.event_id, f.error, f.at
FROM main.view_failures AS f
JOIN main.view_checkpoints AS c
    ON (c.bucket, c.projection, c.version) = (f.bucket, f.projection, f.version)
    AND c.position = f.position - 1
ORDER BY f.projection, f.version, f.bucket

-- name: skips
-- All of them, for people.
SELECT projection, version, bucket, position, event_id, reason, decided_by, error, at
FROM main.view_skips ORDER BY projection, version, bucket, position
