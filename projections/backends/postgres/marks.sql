-- Marks of consumers; {marks} and {sessions} are tables of views.

-- name: marks
-- Those of sessions that went on, with when the first event behind each was stored. Only where the
-- views say so the log is asked, and stops at the first event that counts. Sums of what a consumer
-- says might have more than 64 bits.
SELECT * FROM (
    SELECT c.tenant, c.session_id, c.consumer, c.sequence, coalesce((
        SELECT e.recorded_us FROM (
            SELECT type, recorded_us FROM {schema}.events
            WHERE bucket = c.bucket AND tenant = c.tenant AND session_id = c.session_id
                AND sequence > greatest(c.sequence, s.first_sequence - 1)
            ORDER BY sequence LIMIT %s
        ) AS e WHERE e.type <> %s LIMIT 1
    ), CASE
        WHEN s.last_sequence - greatest(c.sequence, s.first_sequence - 1) > %s THEN 0
    END) AS oldest_us
    FROM {marks} AS c
    JOIN {sessions} AS s
        ON s.bucket = c.bucket AND s.tenant = c.tenant AND s.session_id = c.session_id
    WHERE s.last_sequence > c.sequence
        AND NOT (s.last_sequence = c.last_sequence AND c.last_sequence - 1 = c.sequence)
    ORDER BY oldest_us NULLS LAST LIMIT %s
) AS found WHERE oldest_us IS NOT NULL
