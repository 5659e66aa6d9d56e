-- The steps of functions/append_events.sql that ask tables by bucket, as they are filled in there:
-- one statement for all buckets, or, where these are spread over servers, one for each of them. Citus
-- sends a statement to the server of the one bucket that it is about, and refuses most others.

-- name: lock_buckets
    IF wait THEN
        SELECT array_agg(l.position), array_agg(l.recorded_us) INTO ends, end_times
        FROM unnest(bucket_ids) AS u (id) LEFT JOIN LATERAL (
            SELECT b.position, b.recorded_us FROM {schema}.buckets AS b
            WHERE b.bucket = u.id FOR NO KEY UPDATE
        ) AS l ON true;
    ELSE
        SELECT array_agg(l.position), array_agg(l.recorded_us) INTO ends, end_times
        FROM unnest(bucket_ids) AS u (id) LEFT JOIN LATERAL (
            SELECT b.position, b.recorded_us FROM {schema}.buckets AS b
            WHERE b.bucket = u.id FOR NO KEY UPDATE SKIP LOCKED
        ) AS l ON true;
    END IF;

-- name: find_heads
    SELECT array_agg(coalesce(h.sequence, 0)), array_agg(h.event_hash) INTO heads, head_hashes
    FROM generate_series(1, parts) AS p LEFT JOIN LATERAL (
        SELECT e.sequence, e.event_hash FROM {schema}.events AS e
        WHERE e.bucket = bucket_ids[part_ints[6 * p - 4]]
            AND e.tenant = part_texts[2 * p - 1]
            AND e.session_id = part_texts[2 * p]
            -- a later part of the same session uses the first one's place
            AND part_ints[6 * p - 3] = p
        ORDER BY e.sequence DESC LIMIT 1
    ) AS h ON true;
    IF incarnations IS NOT NULL THEN
        SELECT array_agg(coalesce(h.sequence, 0)) INTO deletions
        FROM generate_series(1, parts) AS p LEFT JOIN LATERAL (
            SELECT e.sequence FROM {schema}.events AS e
            WHERE e.bucket = bucket_ids[part_ints[6 * p - 4]]
                AND e.tenant = part_texts[2 * p - 1]
                AND e.session_id = part_texts[2 * p]
                AND e.type = 'session.deleted'
                AND part_ints[6 * p - 3] = p
            ORDER BY e.sequence DESC LIMIT 1
        ) AS h ON true;
    END IF;
    SELECT array_agg(d), array_agg(k.same), array_agg(k.sequence), array_agg(k.position),
        array_agg(k.occurred_us), array_agg(k.recorded_us), array_agg(k.event_hash)
    INTO old_drafts, old_same, old_sequences, old_positions, old_occurred, old_recorded, old_hashes
    FROM generate_series(1, drafts) AS d CROSS JOIN LATERAL (
        SELECT e.sequence, e.position, e.occurred_us, e.recorded_us, e.event_hash,
            {same_content} AS same
        FROM {schema}.events AS e
        WHERE e.bucket = bucket_ids[part_ints[6 * draft_ints[5 * d - 4] - 4]]
            AND e.tenant = part_texts[2 * draft_ints[5 * d - 4] - 1]
            AND e.session_id = part_texts[2 * draft_ints[5 * d - 4]]
            AND e.event_id BETWEEN draft_texts[10 * d - 9] AND draft_texts[10 * d - 9]
        ORDER BY e.event_id LIMIT 1
    ) AS k;

-- name: same_content
e.payload = draft_bytes[4 * d - 3]
    AND (draft_ints[5 * d - 1] = 0 OR e.occurred_us = draft_ints[5 * d - 2])
    AND e.type = draft_texts[10 * d - 8]
    AND e.schema_version = draft_ints[5 * d - 3]
    AND e.run_id IS NOT DISTINCT FROM draft_texts[10 * d - 7]
    AND e.content_type = draft_texts[10 * d]
    AND e.metadata = draft_texts[10 * d - 1]
    AND e.actor IS NOT DISTINCT FROM draft_texts[10 * d - 6]
    AND e.causation_id IS NOT DISTINCT FROM draft_texts[10 * d - 5]
    AND e.correlation_id IS NOT DISTINCT FROM draft_texts[10 * d - 4]
    AND e.trace_id IS NOT DISTINCT FROM draft_texts[10 * d - 3]
    AND e.span_id IS NOT DISTINCT FROM draft_texts[10 * d - 2]

-- name: settle_locks
    -- Nobody else was told.

-- name: settings_within
    -- None of a cluster's: where Citus is not loaded, a function that names one can be made by
    -- superusers alone.

-- name: new_row
bucket_ids[part_ints[6 * p - 4]], positions[d], part_texts[2 * p - 1], part_texts[2 * p],
    sequences[d], draft_texts[10 * d - 9], draft_texts[10 * d - 8], draft_ints[5 * d - 3],
    draft_texts[10 * d - 7], draft_ints[5 * d - 2], recorded[d], draft_texts[10 * d - 6],
    draft_texts[10 * d - 5], draft_texts[10 * d - 4], draft_texts[10 * d - 3],
    draft_texts[10 * d - 2], draft_texts[10 * d - 1], draft_texts[10 * d],
    draft_bytes[4 * d - 3], draft_bytes[4 * d - 2], draft_bytes[4 * d - 1], hashes[d]

-- name: insert_events
    INSERT INTO {schema}.events
    SELECT {new_row}
    FROM generate_series(1, drafts) AS d
    CROSS JOIN LATERAL (SELECT draft_ints[5 * d - 4] AS p) AS part
    WHERE positions[d] > 0;

-- name: move_buckets
    UPDATE {schema}.buckets AS b SET position = ends[i], recorded_us = end_times[i]
    FROM generate_series(1, cardinality(bucket_ids)) AS i
    WHERE b.bucket = bucket_ids[i] AND b.position < ends[i];

-- name: lock_buckets_distributed
    IF wait THEN
        -- It is another server that waits: it is told for how long. Citus tells it in a transaction
        -- of several statements, and takes a block for one, but not a function.
        PERFORM set_config('citus.propagate_set_commands', 'local', true);
        EXECUTE format(
            'DO $do$ BEGIN SET LOCAL lock_timeout = %L; END $do$', current_setting('lock_timeout')
        );
    END IF;
    FOR i IN 1 .. cardinality(bucket_ids) LOOP
        bucket_id := bucket_ids[i];
        IF wait THEN
            SELECT b.position, b.recorded_us INTO next_position, stamp
            FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE;
        ELSE
            SELECT b.position, b.recorded_us INTO next_position, stamp
            FROM {schema}.buckets AS b WHERE b.bucket = bucket_id FOR NO KEY UPDATE SKIP LOCKED;
        END IF;
        ends[i] := next_position;
        end_times[i] := stamp;
    END LOOP;

-- name: settle_locks_distributed
    -- The other servers were told for the caller's whole transaction.
    PERFORM set_config('citus.propagate_set_commands', 'local', true);
    EXECUTE 'DO $do$ BEGIN SET LOCAL lock_timeout TO DEFAULT; END $do$';

-- name: settings_within_distributed
SET citus.propagate_set_commands = none -- nor what append_events sets where there are several servers

-- name: find_heads_distributed
-- Elements are picked by expressions of PL/pgSQL alone, and a server gets the ids that it is to look
-- up: a statement that is planned for its parameters goes through an array from the start for each
-- element. A batch of 4,000 events took ten times as long.
    heads := array_fill(0::bigint, ARRAY[parts]);
    head_hashes := array_fill(NULL::bytea, ARRAY[parts]);
    IF incarnations IS NOT NULL THEN
        deletions := heads;
    END IF;
    DECLARE
        places integer[];
        tenants text[];
        sessions text[];
        ids text[];
        p integer;
        d integer;
        e record;
    BEGIN
        FOREACH bucket_id IN ARRAY bucket_ids LOOP
            places := NULL;
            tenants := NULL;
            sessions := NULL;
            FOR p IN 1 .. parts LOOP
                -- a later part of the same session uses the first one's place
                CONTINUE WHEN bucket_ids[part_ints[6 * p - 4]] <> bucket_id
                    OR part_ints[6 * p - 3] <> p;
                places := places || p;
                tenants := tenants || part_texts[2 * p - 1];
                sessions := sessions || part_texts[2 * p];
            END LOOP;
            FOR one IN
                SELECT w.place, h.sequence, h.event_hash
                FROM unnest(places, tenants, sessions) AS w (place, tenant, session_id)
                CROSS JOIN LATERAL (
                    SELECT v.sequence, v.event_hash FROM {schema}.events AS v
                    WHERE v.bucket = bucket_id AND v.tenant = w.tenant
                        AND v.session_id = w.session_id
                    ORDER BY v.sequence DESC LIMIT 1
                ) AS h
            LOOP
                heads[one.place] := one.sequence;
                head_hashes[one.place] := one.event_hash;
            END LOOP;
            IF incarnations IS NOT NULL THEN
                FOR one IN
                    SELECT w.place, h.sequence
                    FROM unnest(places, tenants, sessions) AS w (place, tenant, session_id)
                    CROSS JOIN LATERAL (
                        SELECT v.sequence FROM {schema}.events AS v
                        WHERE v.bucket = bucket_id AND v.tenant = w.tenant
                            AND v.session_id = w.session_id AND v.type = 'session.deleted'
                        ORDER BY v.sequence DESC LIMIT 1
                    ) AS h
                LOOP
                    deletions[one.place] := one.sequence;
                END LOOP;
            END IF;
            places := NULL;
            tenants := NULL;
            sessions := NULL;
            ids := NULL;
            FOR i IN 1 .. drafts LOOP
                p := draft_ints[5 * i - 4];
                CONTINUE WHEN bucket_ids[part_ints[6 * p - 4]] <> bucket_id;
                places := places || i;
                tenants := tenants || part_texts[2 * p - 1];
                sessions := sessions || part_texts[2 * p];
                ids := ids || draft_texts[10 * i - 9];
            END LOOP;
            FOR e IN
                SELECT w.place, k.*
                FROM unnest(places, tenants, sessions, ids)
                    AS w (place, tenant, session_id, event_id)
                CROSS JOIN LATERAL (
                    SELECT v.* FROM {schema}.events AS v
                    WHERE v.bucket = bucket_id AND v.tenant = w.tenant
                        AND v.session_id = w.session_id
                        AND v.event_id BETWEEN w.event_id AND w.event_id
                    ORDER BY v.event_id LIMIT 1
                ) AS k
            LOOP
                d := e.place;
                old_drafts := old_drafts || d;
                old_same := old_same || ({same_content});
                old_sequences := old_sequences || e.sequence;
                old_positions := old_positions || e.position;
                old_occurred := old_occurred || e.occurred_us;
                old_recorded := old_recorded || e.recorded_us;
                old_hashes := old_hashes || e.event_hash;
            END LOOP;
        END LOOP;
    END;

-- name: insert_events_distributed
    DECLARE
        p integer;
        rows {schema}.events[];
    BEGIN
        FOR d IN 1 .. drafts LOOP
            CONTINUE WHEN positions[d] = 0;
            p := draft_ints[5 * d - 4];
            rows := rows || ROW({new_row})::{schema}.events;
        END LOOP;
        INSERT INTO {schema}.events SELECT * FROM unnest(rows);
    END;

-- name: move_buckets_distributed
    FOR i IN 1 .. cardinality(bucket_ids) LOOP
        bucket_id := bucket_ids[i];
        next_position := ends[i];
        stamp := end_times[i];
        UPDATE {schema}.buckets AS b SET position = next_position, recorded_us = stamp
        WHERE b.bucket = bucket_id AND b.position < next_position;
    END LOOP;
