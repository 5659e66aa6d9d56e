-- Statements of the SQLite backend. Tables carry `main.`, because a caller's own connection
-- (append_within) may have temporary tables of the same names, and those would come first.
-- `SELECT *` is meant: the columns are the fields of Record, in order, and a test holds the two
-- together.

-- name: ledger_info
-- Who this ledger is.
SELECT ledger_id, buckets FROM main.ledger_info

-- name: create_info
-- Once, when the file is made.
INSERT INTO main.ledger_info (ledger_id, buckets) VALUES (?1, ?2)

-- name: create_bucket
-- Once per bucket, when the file is made.
INSERT INTO main.buckets (bucket, position, recorded_us) VALUES (?1, 0, 0)

-- name: foreign_objects
-- Whether a file without our application_id already belongs to somebody.
SELECT count(*) FROM main.sqlite_schema

-- name: bucket
-- Where the next event of a bucket goes.
SELECT position, recorded_us FROM main.buckets WHERE bucket = ?1

-- name: advance_bucket
-- After the rows of an append.
UPDATE main.buckets SET position = ?2, recorded_us = ?3 WHERE bucket = ?1

-- name: session_end
-- What the next event of a session is chained to.
SELECT sequence, event_hash FROM main.events
WHERE bucket = ?1 AND tenant = ?2 AND session_id = ?3
ORDER BY sequence DESC LIMIT 1

-- name: known_events
-- The events of a session whose ids an append brings again, from a JSON list of ids. CROSS JOIN
-- fixes the order: a probe per id.
SELECT events.* FROM json_each(?4) AS given CROSS JOIN main.events
WHERE bucket = ?1 AND tenant = ?2 AND session_id = ?3 AND event_id = given.value

-- name: event
-- One event by its id.
SELECT * FROM main.events
WHERE bucket = ?1 AND tenant = ?2 AND session_id = ?3 AND event_id = ?4

-- name: insert_event
-- A conflict here means that the tables disagree, and must not pass. Whoever appends rolls back the
-- whole append then; with OR FAIL SQLite need not copy what it changes to undo one row alone.
INSERT OR FAIL INTO main.events
VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
    ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22
)

-- name: head
-- The end of a session and its last deletion, both one index probe.
SELECT sequence, event_hash, coalesce((
    SELECT max(sequence) FROM main.events
    WHERE bucket = ?1 AND tenant = ?2 AND session_id = ?3 AND type = 'session.deleted'
), 0), recorded_us
FROM main.events
WHERE bucket = ?1 AND tenant = ?2 AND session_id = ?3
ORDER BY sequence DESC LIMIT 1

-- name: heads
-- The same of many sessions of a tenant, from a JSON list of [bucket, session_id], with the place in
-- it; one that has nothing is left out. CROSS JOIN fixes the order: three probes per session.
SELECT given.key, last.sequence, last.event_hash, coalesce((
    SELECT max(sequence) FROM main.events
    WHERE bucket = given.value ->> 0 AND tenant = ?1 AND session_id = given.value ->> 1
        AND type = 'session.deleted'
), 0), last.recorded_us
FROM json_each(?2) AS given CROSS JOIN main.events AS last
WHERE last.bucket = given.value ->> 0 AND last.tenant = ?1 AND last.session_id = given.value ->> 1
    AND last.sequence = (
        SELECT max(sequence) FROM main.events
        WHERE bucket = given.value ->> 0 AND tenant = ?1 AND session_id = given.value ->> 1
    )

-- name: read
-- Events of a session, oldest first; absent filters are NULL.
SELECT * FROM main.events
WHERE bucket = :bucket AND tenant = :tenant AND session_id = :session_id
    AND sequence > max(:after, CASE WHEN :deleted THEN 0 ELSE coalesce((
        SELECT max(sequence) FROM main.events
        WHERE bucket = :bucket AND tenant = :tenant AND session_id = :session_id
            AND type = 'session.deleted'
    ), 0) END)
    AND sequence < :before
    AND (:run_id IS NULL OR run_id = :run_id)
    AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
    AND (:since_us IS NULL OR occurred_us >= :since_us)
    AND (:until_us IS NULL OR occurred_us < :until_us)
ORDER BY sequence LIMIT :limit

-- name: read_redactions
-- The same of the one type that has an index, which the planner takes if it is not a parameter.
SELECT * FROM main.events
WHERE bucket = :bucket AND tenant = :tenant AND session_id = :session_id
    AND type = 'content.redacted'
    AND sequence > max(:after, CASE WHEN :deleted THEN 0 ELSE coalesce((
        SELECT max(sequence) FROM main.events
        WHERE bucket = :bucket AND tenant = :tenant AND session_id = :session_id
            AND type = 'session.deleted'
    ), 0) END)
    AND sequence < :before
    AND (:run_id IS NULL OR run_id = :run_id)
    AND (:since_us IS NULL OR occurred_us >= :since_us)
    AND (:until_us IS NULL OR occurred_us < :until_us)
ORDER BY sequence LIMIT :limit

-- name: read_newest_first
-- The same backwards: a direction cannot be a parameter.
SELECT * FROM main.events
WHERE bucket = :bucket AND tenant = :tenant AND session_id = :session_id
    AND sequence > max(:after, CASE WHEN :deleted THEN 0 ELSE coalesce((
        SELECT max(sequence) FROM main.events
        WHERE bucket = :bucket AND tenant = :tenant AND session_id = :session_id
            AND type = 'session.deleted'
    ), 0) END)
    AND sequence < :before
    AND (:run_id IS NULL OR run_id = :run_id)
    AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
    AND (:since_us IS NULL OR occurred_us >= :since_us)
    AND (:until_us IS NULL OR occurred_us < :until_us)
ORDER BY sequence DESC LIMIT :limit

-- name: positions
-- The log's head; a row that is no bucket's must not shift the others.
SELECT position FROM main.buckets
WHERE bucket >= 0 AND bucket < (SELECT buckets FROM main.ledger_info)
ORDER BY bucket

-- name: appended_to
-- Whom another process's commits wake.
SELECT tenant, session_id FROM main.events
WHERE bucket = ?1 AND position > ?2 AND position <= ?3

-- name: bucket_rows
-- Whether there is a row for each bucket: how many, the first and the last.
SELECT count(*), min(bucket), max(bucket) FROM main.buckets

-- name: feed
-- One range of a bucket in position order; absent filters are NULL.
SELECT * FROM main.events
WHERE bucket = ?1 AND position > ?2 AND position <= ?3
    AND (?5 IS NULL OR type IN (SELECT value FROM json_each(?5)))
    AND (?6 IS NULL OR tenant = ?6)
ORDER BY position LIMIT ?4

-- name: session_ids
-- A loose index scan: one probe per session, however many events it has.
WITH RECURSIVE found (session_id) AS (
    SELECT (
        SELECT session_id FROM main.events
        WHERE bucket = ?1 AND tenant = ?2 AND session_id > ?3
        ORDER BY session_id LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT session_id FROM main.events
        WHERE bucket = ?1 AND tenant = ?2 AND session_id > found.session_id
        ORDER BY session_id LIMIT 1
    )
    FROM found WHERE found.session_id IS NOT NULL
)
SELECT session_id FROM found
WHERE session_id IS NOT NULL
    AND (?5 OR (
        SELECT max(sequence) FROM main.events
        WHERE bucket = ?1 AND tenant = ?2 AND session_id = found.session_id
    ) > coalesce((
        SELECT max(sequence) FROM main.events
        WHERE bucket = ?1 AND tenant = ?2 AND session_id = found.session_id
            AND type = 'session.deleted'
    ), 0))
LIMIT ?4

-- name: scan
-- A bucket session by session, for verification. The place comes as bytes: see rows.py. The plus
-- takes the affinity from what was cast: compared with another affinity, the index ends at tenant.
SELECT * FROM main.events
WHERE bucket = ?1
    AND (tenant, session_id, sequence) > (+CAST(?2 AS TEXT), +CAST(?3 AS TEXT), ?4)
ORDER BY tenant, session_id, sequence LIMIT ?5

-- name: scan_bytes
-- The same where some text is no UTF-8, which the driver cannot hand out as text.
SELECT
    bucket, position, CAST(tenant AS BLOB), CAST(session_id AS BLOB), sequence,
    CAST(event_id AS BLOB), CAST(type AS BLOB), schema_version, CAST(run_id AS BLOB),
    occurred_us, recorded_us, CAST(actor AS BLOB), CAST(causation_id AS BLOB),
    CAST(correlation_id AS BLOB), CAST(trace_id AS BLOB), CAST(span_id AS BLOB),
    CAST(metadata AS BLOB), CAST(content_type AS BLOB), payload, salt, payload_digest, event_hash
FROM main.events
WHERE bucket = ?1
    AND (tenant, session_id, sequence) > (+CAST(?2 AS TEXT), +CAST(?3 AS TEXT), ?4)
ORDER BY tenant, session_id, sequence LIMIT ?5
