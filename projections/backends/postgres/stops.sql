-- Where views stand still, and what was let pass; see stops.py of the package above.

-- name: create_failures
-- The last event that a version could not fold in a bucket. It holds only while the checkpoint is
-- right before `position`, so that whoever passes it need not clean up.
CREATE TABLE IF NOT EXISTS {schema}.view_failures (
    bucket integer NOT NULL,
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    error text COLLATE "C" NOT NULL,
    at timestamp with time zone NOT NULL,
    PRIMARY KEY (bucket, projection, version)
)

-- name: create_skips
-- Events that a version leaves out, with who decided it and why. Rows are only ever added.
CREATE TABLE IF NOT EXISTS {schema}.view_skips (
    bucket integer NOT NULL,
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    decided_by text COLLATE "C" NOT NULL,
    error text COLLATE "C" NOT NULL,
    at timestamp with time zone NOT NULL,
    PRIMARY KEY (bucket, projection, version, position)
)

-- name: note_failure
-- Whoever meets the same failure again leaves it as it is.
INSERT INTO {schema}.view_failures AS f
    (bucket, projection, version, position, event_id, error, at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (bucket, projection, version) DO UPDATE
SET position = excluded.position, event_id = excluded.event_id, error = excluded.error,
    at = excluded.at
WHERE (f.position, f.event_id, f.error)
    IS DISTINCT FROM (excluded.position, excluded.event_id, excluded.error)

-- name: add_skip
-- In the transaction that moves the checkpoint over it.
INSERT INTO {schema}.view_skips (
    bucket, projection, version, position, event_id, reason, decided_by, error, at
)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: now
-- By the clock that stamps the events.
SELECT clock_timestamp()

-- name: all_standings
-- How far all versions of all projections have come in every bucket.
SELECT projection, version, bool_and(active), bool_and(built), min(fold_digest),
    array_agg(position ORDER BY bucket)
FROM {schema}.view_checkpoints GROUP BY projection, version ORDER BY projection, version

-- name: failures
-- Those that hold.
SELECT f.projection, f.version, f.bucket, f.position, f.event_id, f.error, f.at
FROM {schema}.view_failures AS f
JOIN {schema}.view_checkpoints AS c
    ON (c.bucket, c.projection, c.version) = (f.bucket, f.projection, f.version)
    AND c.position = f.position - 1
ORDER BY f.projection, f.version, f.bucket

-- name: skips
-- All of them, for people.
SELECT projection, version, bucket, position, event_id, reason, decided_by, error, at
FROM {schema}.view_skips ORDER BY projection, version, bucket, position
