-- name: settings
-- Once per connection: every statement below must run on its index, also when its plan was made
-- while the tables were empty; and a lock must not be waited for without end.
SELECT
    set_config('lock_timeout', %(lock_timeout)s, false),
    set_config('standard_conforming_strings', 'on', false),
    -- with a stricter default, whoever waited for a bucket's lock would fail instead of go on
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('plan_cache_mode', {plans}, false),
    -- what is read as text is read in one form, and whole
    set_config('timezone', 'UTC', false),
    set_config('extra_float_digits', '1', false),
    set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('enable_sort', 'off', false),
    set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false),
    set_config('jit', 'off', false)

-- name: guest_settings
-- Once per connection that is lent out: other people's statements are planned as usual.
SELECT
    set_config('lock_timeout', %(lock_timeout)s, false),
    -- with a stricter default, a statement that meets another one's row would fail
    set_config('default_transaction_isolation', 'read committed', false),
    -- in other zones the first and the last moments that Python knows are none
    set_config('timezone', 'UTC', false)

-- name: guest_settings_distributed
-- The same for tables that are spread over servers. Each is asked over one connection, or what is
-- read in one transaction would be of several moments; and shards are changed, and so locked, one
-- after the other, which nobody can wait for in a circle.
SELECT
    set_config('lock_timeout', %(lock_timeout)s, false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('timezone', 'UTC', false),
    set_config('citus.max_adaptive_executor_pool_size', '1', false),
    set_config('citus.multi_shard_modify_mode', 'sequential', false),
    -- they get what a transaction sets for itself
    set_config('citus.propagate_set_commands', 'local', false)

-- name: append_event
-- The whole append of one event, NULL if it is not a plain one.
SELECT {schema}.append_event(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: append_few
-- The whole append of a few new events to one session whose conditions hold, for who does not wait:
-- the server has two in 0.65 of the time of append_events, which prepares each of its expressions
-- anew in every transaction. The arrays are laid out as there. No rows: nothing is stored, ask
-- append_events. So it is if somebody appended to the bucket between this statement's snapshot, in
-- which the session's end is looked for, and the lock: what is held is then newer than the snapshot.
WITH RECURSIVE held AS MATERIALIZED (
    SELECT b.position, b.recorded_us, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
    FROM {schema}.buckets AS b
    WHERE b.bucket = %(bucket)s FOR NO KEY UPDATE SKIP LOCKED
), numbered AS (
    SELECT 0 AS n, h.position, coalesce(l.sequence, 0) AS sequence, 0::bigint AS stamp,
        h.recorded_us AS end_us, h.now_us, coalesce(l.event_hash, %(genesis)s) AS hash
    FROM held AS h LEFT JOIN LATERAL (
        SELECT e.sequence, e.event_hash FROM {schema}.events AS e
        WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s AND e.session_id = %(session_id)s
        ORDER BY e.sequence DESC LIMIT 1
    ) AS l ON true
    WHERE h.position >= 0
        AND h.position = (SELECT b.position FROM {schema}.buckets AS b WHERE b.bucket = %(bucket)s)
        AND (%(expected)s < 0 OR %(expected)s = coalesce(l.sequence, 0))
        AND (%(incarnation)s < 0 OR %(incarnation)s = coalesce((
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s AND e.session_id = %(session_id)s
                AND e.type = 'session.deleted'
            ORDER BY e.sequence DESC LIMIT 1
        ), 0))
        AND NOT EXISTS (
            SELECT FROM generate_series(1, %(count)s) AS n CROSS JOIN LATERAL (
                SELECT FROM {schema}.events AS e
                WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s
                    AND e.session_id = %(session_id)s
                    AND e.event_id BETWEEN (%(texts)s)[10 * n - 9] AND (%(texts)s)[10 * n - 9]
                ORDER BY e.event_id LIMIT 1
            ) AS e
        )
    UNION ALL
    SELECT p.n + 1, p.position + 1, p.sequence + 1, s.stamp, greatest(p.end_us, s.stamp), p.now_us,
        sha256(decode('61736c313a6576656e7400', 'hex') || p.hash || int8send(p.sequence + 1)
            || int8send(s.stamp) || (%(bytes)s)[4 * p.n + 4])
    FROM numbered AS p CROSS JOIN LATERAL (
        SELECT CASE WHEN (%(ints)s)[5 * p.n + 5] < 0 THEN greatest(p.end_us, p.now_us)
            ELSE (%(ints)s)[5 * p.n + 5] END AS stamp
    ) AS s
    WHERE p.n < %(count)s
), stored AS (
    INSERT INTO {schema}.events
    SELECT %(bucket)s, d.position, %(tenant)s, %(session_id)s, d.sequence,
        (%(texts)s)[10 * d.n - 9], (%(texts)s)[10 * d.n - 8], (%(ints)s)[5 * d.n - 3],
        (%(texts)s)[10 * d.n - 7], (%(ints)s)[5 * d.n - 2], d.stamp, (%(texts)s)[10 * d.n - 6],
        (%(texts)s)[10 * d.n - 5], (%(texts)s)[10 * d.n - 4], (%(texts)s)[10 * d.n - 3],
        (%(texts)s)[10 * d.n - 2], (%(texts)s)[10 * d.n - 1], (%(texts)s)[10 * d.n],
        (%(bytes)s)[4 * d.n - 3], (%(bytes)s)[4 * d.n - 2], (%(bytes)s)[4 * d.n - 1], d.hash
    FROM numbered AS d WHERE d.n > 0
    RETURNING sequence, position, recorded_us, event_hash
), moved AS (
    UPDATE {schema}.buckets AS b
    SET position = h.position + %(count)s, recorded_us = greatest(h.recorded_us, s.recorded_us)
    FROM held AS h CROSS JOIN (SELECT max(stored.recorded_us) AS recorded_us FROM stored) AS s
    WHERE b.bucket = %(bucket)s AND s.recorded_us IS NOT NULL
)
SELECT sequence, position, recorded_us, event_hash FROM stored

-- name: append_events
-- The whole append; see functions/append_events.sql for the shape of the arrays.
SELECT a.sequences, a.positions, a.recorded, a.hashes, a.known, a.refusals
FROM {schema}.append_events(%s, %s, %s, %s, %s, %s, %s, %s, %s) AS a

-- name: append_within
-- The same inside a caller's transaction, which may be one on another database.
SELECT a.sequences, a.positions, a.recorded, a.hashes, a.known, a.refusals
FROM {schema}.append_within(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS a

-- name: read
-- One session by (bucket, tenant, session_id, sequence); the last deletion is one more probe.
SELECT {event} FROM {schema}.events AS e
WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s AND e.session_id = %(session_id)s
    AND e.sequence > greatest(%(after)s, CASE WHEN NOT %(deleted)s THEN (
        SELECT d.sequence FROM {schema}.events AS d
        WHERE d.bucket = %(bucket)s AND d.tenant = %(tenant)s AND d.session_id = %(session_id)s
            AND d.type = 'session.deleted'
        ORDER BY d.sequence DESC LIMIT 1
    ) END)
    AND e.sequence < %(before)s
    AND (%(run_id)s::text IS NULL OR e.run_id = %(run_id)s::text)
    AND (%(types)s::text[] IS NULL OR e.type = ANY (%(types)s::text[]))
    AND (%(since_us)s::bigint IS NULL OR e.occurred_us >= %(since_us)s::bigint)
    AND (%(until_us)s::bigint IS NULL OR e.occurred_us < %(until_us)s::bigint)
ORDER BY e.sequence LIMIT %(limit)s

-- name: read_redactions
-- The same of the one type that has an index, which the planner takes if it is not a parameter.
SELECT {event} FROM {schema}.events AS e
WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s AND e.session_id = %(session_id)s
    AND e.type = 'content.redacted'
    AND e.sequence > greatest(%(after)s, CASE WHEN NOT %(deleted)s THEN (
        SELECT d.sequence FROM {schema}.events AS d
        WHERE d.bucket = %(bucket)s AND d.tenant = %(tenant)s AND d.session_id = %(session_id)s
            AND d.type = 'session.deleted'
        ORDER BY d.sequence DESC LIMIT 1
    ) END)
    AND e.sequence < %(before)s
    AND (%(run_id)s::text IS NULL OR e.run_id = %(run_id)s::text)
    AND (%(since_us)s::bigint IS NULL OR e.occurred_us >= %(since_us)s::bigint)
    AND (%(until_us)s::bigint IS NULL OR e.occurred_us < %(until_us)s::bigint)
ORDER BY e.sequence LIMIT %(limit)s

-- name: read_newest_first
-- The same backwards; a direction cannot be a parameter.
SELECT {event} FROM {schema}.events AS e
WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s AND e.session_id = %(session_id)s
    AND e.sequence > greatest(%(after)s, CASE WHEN NOT %(deleted)s THEN (
        SELECT d.sequence FROM {schema}.events AS d
        WHERE d.bucket = %(bucket)s AND d.tenant = %(tenant)s AND d.session_id = %(session_id)s
            AND d.type = 'session.deleted'
        ORDER BY d.sequence DESC LIMIT 1
    ) END)
    AND e.sequence < %(before)s
    AND (%(run_id)s::text IS NULL OR e.run_id = %(run_id)s::text)
    AND (%(types)s::text[] IS NULL OR e.type = ANY (%(types)s::text[]))
    AND (%(since_us)s::bigint IS NULL OR e.occurred_us >= %(since_us)s::bigint)
    AND (%(until_us)s::bigint IS NULL OR e.occurred_us < %(until_us)s::bigint)
ORDER BY e.sequence DESC LIMIT %(limit)s

-- name: get
-- One event by its id: the order, which a single row does not need, rules out other indexes.
SELECT {event} FROM {schema}.events AS e
WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s AND e.session_id = %(session_id)s
    AND e.event_id BETWEEN %(event_id)s AND %(event_id)s
ORDER BY e.event_id LIMIT 1

-- name: head
-- The end of a session: two index probes.
SELECT e.sequence, e.event_hash, coalesce((
        SELECT d.sequence FROM {schema}.events AS d
        WHERE d.bucket = %(bucket)s AND d.tenant = %(tenant)s AND d.session_id = %(session_id)s
            AND d.type = 'session.deleted'
        ORDER BY d.sequence DESC LIMIT 1
    ), 0), e.recorded_us
FROM {schema}.events AS e
WHERE e.bucket = %(bucket)s AND e.tenant = %(tenant)s AND e.session_id = %(session_id)s
ORDER BY e.sequence DESC LIMIT 1

-- name: heads
-- The same of many sessions of a tenant, in the order given.
SELECT coalesce(h.sequence, 0), coalesce(h.event_hash, ''), coalesce(d.sequence, 0),
    coalesce(h.recorded_us, 0)
FROM unnest(%(buckets)s, %(session_ids)s) WITH ORDINALITY AS s (bucket, session_id, place)
LEFT JOIN LATERAL (
    SELECT e.sequence, e.event_hash, e.recorded_us FROM {schema}.events AS e
    WHERE e.bucket = s.bucket AND e.tenant = %(tenant)s AND e.session_id = s.session_id
    ORDER BY e.sequence DESC LIMIT 1
) AS h ON true
LEFT JOIN LATERAL (
    SELECT e.sequence FROM {schema}.events AS e
    WHERE e.bucket = s.bucket AND e.tenant = %(tenant)s AND e.session_id = s.session_id
        AND e.type = 'session.deleted'
    ORDER BY e.sequence DESC LIMIT 1
) AS d ON true
ORDER BY s.place

-- name: heads_distributed
-- The same, of buckets that are spread over servers; see functions/distributed.
SELECT h.sequence, h.event_hash, h.deleted, h.recorded_us
FROM {schema}.heads(%(buckets)s, %(tenant)s, %(session_ids)s) AS h ORDER BY h.place

-- name: positions
-- All ends in one array, which is cheaper to send than a row for each. A row that is no bucket's
-- must not shift the others.
SELECT ARRAY(
    SELECT b.position FROM {schema}.buckets AS b
    WHERE b.bucket >= 0 AND b.bucket < (SELECT i.buckets FROM {schema}.ledger_info AS i WHERE i.singleton)
    ORDER BY b.bucket
)

-- name: feed
-- Range by range along the primary key; each range stops by itself when the page is full.
SELECT {event}
FROM unnest(%(buckets)s, %(afters)s, %(uptos)s)
    WITH ORDINALITY AS r (bucket, after, upto, place)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.events AS e
    WHERE e.bucket = r.bucket AND e.position > r.after AND e.position <= r.upto
        AND (%(types)s::text[] IS NULL OR e.type = ANY (%(types)s::text[]))
        AND (%(tenant)s::text IS NULL OR e.tenant = %(tenant)s::text)
    ORDER BY e.position LIMIT %(limit)s
) AS e
ORDER BY r.place LIMIT %(limit)s

-- name: feed_distributed
SELECT {event}
FROM {schema}.feed(%(buckets)s, %(afters)s, %(uptos)s, %(types)s, %(tenant)s, %(limit)s)
    WITH ORDINALITY AS e
ORDER BY e.ordinality

-- name: session_ids
-- A loose index scan: one probe per session, however many events it has.
SELECT b.bucket, s.session_id
FROM {schema}.buckets AS b
CROSS JOIN LATERAL (
    WITH RECURSIVE ids AS (
        (
            SELECT e.session_id FROM {schema}.events AS e
            WHERE e.bucket = b.bucket AND e.tenant = %(tenant)s
                AND e.session_id > CASE b.bucket WHEN %(bucket)s THEN %(after)s ELSE '' END
            ORDER BY e.session_id LIMIT 1
        )
        UNION ALL
        SELECT n.session_id FROM ids CROSS JOIN LATERAL (
            SELECT e.session_id FROM {schema}.events AS e
            WHERE e.bucket = b.bucket AND e.tenant = %(tenant)s AND e.session_id > ids.session_id
            ORDER BY e.session_id LIMIT 1
        ) AS n
    )
    SELECT ids.session_id FROM ids
    WHERE %(deleted)s OR coalesce((
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = b.bucket AND e.tenant = %(tenant)s AND e.session_id = ids.session_id
            ORDER BY e.sequence DESC LIMIT 1
        ) > (
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = b.bucket AND e.tenant = %(tenant)s AND e.session_id = ids.session_id
                AND e.type = 'session.deleted'
            ORDER BY e.sequence DESC LIMIT 1
        ), true)
    LIMIT %(limit)s
) AS s
WHERE b.bucket >= %(bucket)s
ORDER BY b.bucket LIMIT %(limit)s

-- name: session_ids_distributed
SELECT s.bucket, s.session_id
FROM {schema}.session_ids(%(tenant)s, %(bucket)s, %(after)s, %(limit)s, %(deleted)s)
    WITH ORDINALITY AS s
ORDER BY s.ordinality

-- name: scan
-- One bucket in session order.
SELECT {event} FROM {schema}.events AS e
WHERE e.bucket = %(bucket)s
    AND (e.tenant, e.session_id, e.sequence) > (%(tenant)s, %(session_id)s, %(sequence)s)
ORDER BY e.tenant, e.session_id, e.sequence LIMIT %(limit)s

-- name: listen
-- Other processes' hints; the channel is the ledger's own.
LISTEN {channel}

-- name: notifier_settings
-- Once per notifier: a hint may be lost, so it need not wait for a flush, nor cause one.
SELECT set_config('synchronous_commit', 'off', false)

-- name: notify
-- A hint, in a transaction of its own: notifying transactions commit one after the other.
SELECT pg_notify(%(channel)s, %(payload)s)
